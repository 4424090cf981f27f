/**
 * People who write: messages, group messages, membership, read marks and identities, each through some node, half of them
 * waiting for the commit. What has no answer is often tried again through another node, as a client does.
 */
import { setTimeout as sleep } from "node:timers/promises"
import * as Bytes from "../../src/domain/bytes.ts"
import * as Ids from "../../src/domain/ids.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import {
  type Call,
  dm,
  freshTs,
  groupMessage,
  headersOf,
  identity,
  mark,
  newGroup,
  op,
  type User,
  user
} from "../http/fixture.ts"
import type { Ledger, Write } from "./ledger.ts"
import type { ClusterNode } from "./node.ts"
import type { Random } from "./random.ts"

const answerMsMax = 8_000
const underWayMax = 64
const waitSeconds = 5

/** A call that the signature is not yet made for: it names the node. */
interface Plan {
  readonly who: User
  readonly make: (node: ClusterNode, ts: number) => Call
  readonly writeOf: (call: Call, hlc: string) => Write
  /** Whether another node can take the very same record. */
  readonly portable: boolean
}

export interface Answer {
  readonly status: number
  readonly body: { readonly [key: string]: unknown }
}

export interface Options {
  readonly nodes: () => ReadonlyArray<ClusterNode>
  readonly ledger: Ledger
  readonly random: Random
  /** Makes users and groups that no other load has, from 0 to 9. */
  readonly series?: number
  readonly users?: number
}

export class Load {
  readonly users: ReadonlyArray<User>
  /** Answers by status and reason. */
  readonly tally = new Map<string, number>()
  /** Signatures that were too old for a node that started since. */
  readonly odd: Array<string> = []
  private readonly options: Options
  private readonly groups: Array<Ids.ChatId> = []
  private readonly series: number
  private readonly stamps = new Map<Ids.ChatId, string>()
  private count = 0
  private underWay = new Set<Promise<unknown>>()
  private running: Promise<void> | undefined
  private stopping = false

  constructor(options: Options) {
    this.options = options
    this.series = options.series ?? 0
    this.users = Array.from({ length: options.users ?? 6 }, (_, i) => user(1 + this.series * 20 + i))
  }

  /** Sends one call; what comes of it is in the ledger. `undefined`: no answer. */
  async send(node: ClusterNode, plan: Plan, ts: number, wait: boolean): Promise<Answer | undefined> {
    const call = plan.make(node, ts)
    this.options.ledger.trying(call.digest!)
    const life = node.lives
    const index = node.place.index
    let answer: Answer
    try {
      const response = await fetch(node.url + call.path, {
        method: call.method,
        headers: {
          "Content-Type": "application/json",
          ...(wait ? { Prefer: `wait=${waitSeconds}` } : {}),
          ...headersOf(node, plan.who, call)
        },
        body: JSON.stringify(call.body),
        signal: AbortSignal.timeout(answerMsMax)
      })
      answer = { status: response.status, body: await response.json() as Answer["body"] }
    } catch {
      this.note("no answer")
      return undefined
    }
    const { body, status } = answer
    if (status >= 400 && body["reason"] === "replayed") {
      this.odd.push(
        `${node.name} in life ${life}, ${Math.round(Date.now() - ts)} ms after signing: ${String(body["message"])}`
      )
    }
    this.note([status, body["reason"] ?? body["field"]].filter((part) => part !== undefined).join(" "))
    if (status === 201 || status === 202) {
      const hlc = body["hlc"] as string
      this.options.ledger.answered(plan.writeOf(call, hlc), index, life, status)
      const chat = body["chat_id"] as string | undefined
      if (chat !== undefined) this.stamps.set(chat.slice(2) as Ids.ChatId, hlc)
    }
    return answer
  }

  private note(what: string): void {
    this.tally.set(what, (this.tally.get(what) ?? 0) + 1)
  }

  /**
   * What no node may answer, whatever happens to it. It may find a signature older than its start (SPEC §3), and times
   * out of bounds where clocks differ.
   */
  get wrong(): ReadonlyArray<string> {
    return [...this.tally].filter(([what]) =>
      /^(500|400 (?!up_to)|400$|405|406|413|415|401 (?!expired|replayed))/.test(what)
    ).map((
      [what, n]
    ) => `${n} × ${what}`)
  }

  private message(who: User, peer: User, content: string): Plan {
    return {
      who,
      make: (_, ts) => dm(who, peer, { content }, ts),
      writeOf: (call) => ({ kind: "message", id: call.digest! }),
      portable: true
    }
  }
  private inGroup(who: User, chat: Ids.ChatId, content: string): Plan {
    return {
      who,
      make: (_, ts) => groupMessage(who, chat, { content }, ts),
      writeOf: (call) => ({ kind: "message", id: call.digest! }),
      portable: true
    }
  }
  /** As far as was written; `undefined` when nothing was. */
  private reading(reader: User, peer: User): Plan | undefined {
    const chat = Ids.dmChatId(noble, reader.address, peer.address)
    const upTo = this.stamps.get(chat)
    return upTo === undefined ? undefined : {
      who: reader,
      make: (_, ts) => mark(reader, chat, `/dialogs/0x${peer.address}/messages`, upTo, ts),
      writeOf: (call, hlc) => ({
        kind: "read",
        id: call.digest!,
        slot: `${chat}/${reader.address}`,
        rank: upTo + hlc
      }),
      portable: true
    }
  }
  private naming(who: User, text: string): Plan {
    return {
      who,
      make: (_, ts) => identity(who, Bytes.fromText(text).toBase64(), ts),
      writeOf: (call, hlc) => ({ kind: "identity", id: call.digest!, slot: who.address, rank: hlc }),
      portable: true
    }
  }
  private changing(who: User, chat: Ids.ChatId, draft: Parameters<typeof op>[3]): Plan {
    return {
      who,
      make: (node, ts) => op(node, who, chat, draft, ts),
      writeOf: (call) => ({ kind: "op", id: call.digest! }),
      portable: false
    }
  }

  /** A direct message through this node. */
  async say(node: ClusterNode, content: string, wait = true): Promise<Answer | undefined> {
    const [a, b] = [this.users[0]!, this.users[1]!]
    return await this.send(node, this.message(a, b, content), freshTs() + node.offsetMs, wait)
  }

  /** Whether a node has a message that {@link say} wrote. */
  async knows(node: ClusterNode, messageId: string): Promise<boolean> {
    const [a, b] = [this.users[0]!, this.users[1]!]
    const ts = freshTs() + node.offsetMs
    const path = `/dialogs/0x${b.address}/messages/${messageId}`
    const headers = headersOf(node, a, { method: "GET", path, ts })
    const response = await fetch(node.url + path, { headers, signal: AbortSignal.timeout(answerMsMax) })
    await response.body?.cancel()
    return response.status === 200
  }

  /** A group with everybody, the first two its admins. */
  async found(node: ClusterNode): Promise<void> {
    const [creator, second, ...others] = this.users as [User, User, ...Array<User>]
    const nonceByte = this.series * 16 + this.groups.length
    const targets = others.map(({ address }) => address).toSorted()
    const { chatId, create } = newGroup(node, creator, nonceByte, { targets, title: `group ${nonceByte}` })
    const created = { ...this.changing(creator, chatId, { op: "create" }), make: () => create }
    const answer = await this.send(node, created, 0, true)
    if (answer?.status !== 201) throw new Error(`no group: ${JSON.stringify(answer)}`)
    const admin = this.changing(creator, chatId, { op: "add", role: "admin", targets: [second.address] })
    const added = await this.send(node, admin, freshTs() + node.offsetMs, true)
    if (added?.status !== 201) throw new Error(`no admin: ${JSON.stringify(added)}`)
    this.groups.push(chatId)
  }

  private plan(): Plan {
    const { random } = this.options
    const share = random.next()
    const content = `${this.series}/${++this.count} ${"·".repeat(random.int(120))}`
    const who = random.pick(this.users)
    const peer = random.pick(this.users)
    if (this.groups.length === 0 || share < 0.6) return this.message(who, peer, content)
    const chat = random.pick(this.groups)
    if (share < 0.75) return this.inGroup(who, chat, content)
    if (share < 0.83) return this.reading(who, peer) ?? this.message(who, peer, content)
    if (share < 0.9) return this.naming(who, content.slice(0, 40))
    const admin = this.users[random.int(2)]!
    const member = this.users[2 + random.int(this.users.length - 2)]!
    const draft = random.pick<Parameters<typeof op>[3]>([
      { op: "add", role: "member", targets: [member.address] },
      { op: "add", role: "admin", targets: [member.address] },
      { op: "remove", targets: [member.address] },
      { op: "set-title", title: content.slice(0, 30) }
    ])
    return this.changing(admin, chat, draft)
  }

  private async one(): Promise<void> {
    const { nodes, random } = this.options
    const up = nodes().filter(({ running }) => running)
    if (up.length === 0) return
    const first = random.pick(up)
    const plan = this.plan()
    const ts = freshTs()
    const answer = await this.send(first, plan, ts + first.offsetMs, random.chance(0.5))
    const again = answer === undefined ? 0.7 : answer.status < 300 ? 0.05 : 0
    if (!plan.portable || !random.chance(again)) return
    const other = random.pick(nodes().filter((node) => node.running && node !== first).concat(first))
    if (other.running) await this.send(other, plan, ts + first.offsetMs, random.chance(0.5))
  }

  /** Writes so many a second until stopped. */
  start(perSecond: number): void {
    this.stopping = false
    this.running = (async () => {
      while (!this.stopping) {
        if (this.underWay.size < underWayMax) {
          const writing = this.one().finally(() => this.underWay.delete(writing))
          this.underWay.add(writing)
        }
        await sleep(1_000 / perSecond)
      }
    })()
  }
  /** Ends when everything has an answer, or will have none. */
  async stop(): Promise<void> {
    this.stopping = true
    await this.running
    await Promise.all(this.underWay)
  }
}
