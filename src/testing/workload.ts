/**
 * What users do in a simulation: they write to each other and in groups, found, grow and leave groups, change roles and
 * titles, read, set identities; at any node, several at once, and again through another node when an answer did not come.
 * Everything goes through the node's HTTP handlers, signed.
 *
 * Rule: each act draws from a chance of its own, so that a run without some of them leaves the others as they were. It
 * remembers every answer that promised something, which the oracles hold the cluster to.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Exit } from "effect/Exit"
import * as Bytes from "../domain/bytes.ts"
import { type Hashes, Hashing } from "../domain/hashing.ts"
import type { Hlc } from "../domain/hlc.ts"
import * as Ids from "../domain/ids.ts"
import { requestMsMax } from "../domain/limits.ts"
import { opTypes, roles } from "../domain/record.ts"
import type { Place } from "../services/Ingest.ts"
import type { Cluster, NodeServices, SimulatedNode } from "./cluster.ts"
import type { Answer, Attempt } from "./observer.ts"
import { OpenRequests } from "./open-requests.ts"
import { Random } from "./random.ts"
import {
  brokenBy,
  type Draft,
  idOf,
  makeUser,
  readConversations,
  readHistory,
  readIdentity,
  readMembers,
  type ReadOutcome,
  type User,
  whyOf,
  write,
  type WriteOutcome
} from "./users.ts"

/** Groups that a run founds at most. */
const groupsMax = 6
/** Positions remembered as something to read up to. */
const positionsMax = 50
/** Writes remembered for another try. */
const retriesMax = 20
/** A text is signed again for another node only while its time passes the window with ease, ms. */
const retryAgeMsMax = 20_000
/** Messages that a user sends at once, when in a hurry. */
const burstMax = 8
/** Texts tried for two whose ids are in one bucket of the trees: some pairs among so many. */
const twinsTried = 700

interface GroupSeen {
  readonly chatId: Ids.ChatId
  readonly creator: User
}

export interface WorkloadOptions {
  /** Default 6. */
  readonly users?: number | undefined
  /** Names the chance that it draws from; default: the cluster's. */
  readonly seed?: string | undefined
  /** Others who are in conversations and groups, but do nothing here. */
  readonly strangers?: ReadonlyArray<User> | undefined
}

export class Workload {
  readonly users: ReadonlyArray<User>
  readonly groups: Array<GroupSeen> = []
  /** Writes that were accepted. */
  readonly accepted: Array<Extract<Answer, { readonly _tag: "Accepted" }>> = []
  /** Answers that were refusals, by tag and reason. */
  readonly refused = new Map<string, number>()
  readonly #cluster: Cluster
  readonly #chance: Random
  readonly #hashes: Hashes
  readonly #parties: ReadonlyArray<User>
  readonly #positions: Array<{ readonly place: Place; readonly hlc: Hlc }> = []
  readonly #unanswered: Array<{ readonly user: User; readonly draft: Draft }> = []
  readonly #taken = new Set<number>()
  /** What has no answer yet. */
  readonly requests: OpenRequests
  #random: Random
  #acts = 0

  constructor(cluster: Cluster, { seed, strangers = [], users = 6 }: WorkloadOptions = {}) {
    this.#cluster = cluster
    this.#chance = seed === undefined ? cluster.random.part("workload") : new Random(`workload ${seed}`)
    this.#random = this.#chance
    this.#hashes = Context.get(cluster.shared, Hashing)
    this.requests = new OpenRequests(cluster)
    this.users = Array.from({ length: users }, (_, i) => makeUser(this.#hashes, `u${i}`))
    this.#parties = [...this.users, ...strangers]
  }

  /** The time that users sign at: mostly they have learnt the clock of their node. No two writes share one. */
  #ts(node: SimulatedNode): number {
    let ts = this.#random.chance(0.8) ? node.clock.wallMs : Math.floor(this.#cluster.time.now)
    while (this.#taken.has(ts)) ts++
    this.#taken.add(ts)
    return ts
  }

  #place(user: User): Place {
    if (this.groups.length > 0 && this.#random.chance(0.5)) {
      return { kind: "group", chatId: this.#random.pick(this.groups).chatId }
    }
    const peer = this.#random.pick(this.#parties)
    return { kind: "dm", chatId: Ids.dmChatId(this.#hashes, user.address, peer.address), peer: peer.address }
  }

  #op(user: User, node: SimulatedNode, chatId: Ids.ChatId, rest: Partial<Ids.OpFields>): Draft {
    const fields: Ids.OpFields = {
      chatId,
      actor: user.address,
      ts: this.#ts(node),
      node: node.id,
      op: opTypes.add,
      role: roles.member,
      targets: [],
      ...rest
    }
    return { kind: "op", fields }
  }

  #some(users: ReadonlyArray<User>, most: number): ReadonlyArray<Ids.Address> {
    return this.#random.shuffle(users).slice(0, this.#random.between(1, most)).map(({ address }) => address).sort()
  }

  #found(user: User, node: SimulatedNode): Draft {
    const nonce = Bytes.toHex(this.#random.bytes(16)) as Ids.Nonce
    const chatId = Ids.groupChatId(this.#hashes, user.address, nonce)
    this.groups.push({ chatId, creator: user })
    const others = this.#parties.filter((other) => other !== user)
    return this.#op(user, node, chatId, {
      op: opTypes.create,
      nonce,
      targets: this.#some(others, Math.min(4, others.length)),
      ...(this.#random.chance(0.5) ? { title: `group ${this.groups.length}` } : {})
    })
  }

  #administer(node: SimulatedNode): readonly [User, Draft] {
    const random = this.#random
    const group = random.pick(this.groups)
    // mostly the one who surely may; others often may not, and that is a case too
    const user = random.chance(0.6) ? group.creator : random.pick(this.users)
    const others = this.#parties.filter((other) => other !== group.creator)
    const rest = random.weighted<() => Partial<Ids.OpFields>>([
      [4, () => ({ op: opTypes.add, targets: this.#some(others, 2) })],
      [3, () => ({ op: opTypes.add, role: roles.admin, targets: this.#some(others, 1) })],
      [3, () => ({ op: opTypes.remove, targets: this.#some(others, 2) })],
      [2, () => ({ op: opTypes.remove, targets: [user.address] })],
      [2, () => ({ op: opTypes.setTitle, title: random.chance(0.2) ? "" : `title ${random.between(1, 99)}` })]
    ])()
    return [user, this.#op(user, node, group.chatId, rest)]
  }

  #message(user: User, place: Place, node: SimulatedNode): Draft {
    const random = this.#random
    return {
      kind: "message",
      place,
      fields: {
        chatId: place.chatId,
        sender: user.address,
        ts: this.#ts(node),
        msgType: random.between(0, 3),
        content: `text ${random.word()}`,
        ...(random.chance(0.2) ? { control: random.bytes(random.between(0, 40)) } : {})
      }
    }
  }

  #draft(node: SimulatedNode): readonly [User, Draft] {
    const random = this.#random
    const user = random.pick(this.users)
    const message = () => this.#message(user, this.#place(user), node)
    const choice = random.weighted<"message" | "found" | "administer" | "read" | "identity">([
      [10, "message"],
      [this.groups.length < groupsMax ? 2 : 0, "found"],
      [this.groups.length > 0 ? 7 : 0, "administer"],
      [this.#positions.length > 0 ? 3 : 0, "read"],
      [2, "identity"]
    ])
    switch (choice) {
      case "message":
        return [user, message()]
      case "found":
        return [user, this.#found(user, node)]
      case "administer":
        return this.#administer(node)
      case "read":
        return this.#read(user, node) ?? [user, message()]
      case "identity":
        return [user, {
          kind: "identity",
          fields: { address: user.address, ts: this.#ts(node), blob: random.bytes(random.between(0, 16)) }
        }]
    }
  }

  #read(fallback: User, node: SimulatedNode): readonly [User, Draft] | undefined {
    const { hlc, place } = this.#random.pick(this.#positions)
    const parties = this.users.filter(({ address }) =>
      place.kind === "group" ||
      this.#parties.some((peer) => Ids.dmChatId(this.#hashes, address, peer.address) === place.chatId)
    )
    const user = parties.includes(fallback) ? fallback : this.#random.pick(parties)
    const own: Place = place.kind === "group" ? place : {
      ...place,
      peer:
        this.#parties.find((peer) => Ids.dmChatId(this.#hashes, user.address, peer.address) === place.chatId)!.address
    }
    return [user, {
      kind: "read",
      place: own,
      fields: { chatId: place.chatId, reader: user.address, ts: this.#ts(node), upTo: hlc }
    }]
  }

  /**
   * One thing that a user does at a node that is up; false when none is. `n` names its chance; without it, acts are counted.
   */
  act(n = this.#acts): boolean {
    this.#acts = n + 1
    this.#random = this.#chance.part(`act ${n}`)
    const random = this.#random
    const { up } = this.#cluster
    if (up.length === 0) return false
    const node = random.pick(up)
    random.weighted<() => void>([
      [56, () => this.#send(node, ...this.#draft(node))],
      [16, () => this.#send(node, ...(this.#again(node) ?? this.#draft(node)))],
      [12, () => this.#look(node)],
      [this.groups.length > 0 ? 8 : 0, () => this.#clash()],
      [4, () => this.#burst(node)],
      [1, () => this.#twins(node)]
    ])()
    return true
  }

  /** Several messages at once. */
  #burst(node: SimulatedNode): void {
    const user = this.#random.pick(this.users)
    const place = this.#place(user)
    for (let left = this.#random.between(2, burstMax); left > 0; left--) {
      this.#send(node, user, this.#message(user, place, node))
    }
  }

  /** Two messages that share a leaf of the trees, where most records are alone. */
  #twins(node: SimulatedNode): void {
    const user = this.#random.pick(this.users)
    const draft = this.#message(user, this.#place(user), node)
    if (draft.kind !== "message") return
    const seen = new Map<string, Draft>()
    for (let tried = 0; tried < twinsTried; tried++) {
      const twin: Draft = { ...draft, fields: { ...draft.fields, content: `${draft.fields.content} ${tried}` } }
      const bucket = idOf(this.#hashes, twin).slice(0, 4)
      const other = seen.get(bucket)
      if (other === undefined) seen.set(bucket, twin)
      else {
        this.#send(node, user, other)
        return this.#send(node, user, twin)
      }
    }
  }

  /** Ops about one member at the same moment, at different nodes, none of which knows of the others. */
  #clash(): void {
    const random = this.#random
    const { chatId, creator } = random.pick(this.groups)
    const target = random.pick(this.users)
    const nodes = random.shuffle(this.#cluster.up)
    for (let left = random.between(2, 3), at = 0; left > 0; left--, at++) {
      const node = nodes[at % nodes.length]!
      const admin = random.chance(0.7) ? creator : random.pick(this.users)
      const targets = [target.address]
      const [actor, rest] = random.weighted<readonly [User, Partial<Ids.OpFields>]>([
        [3, [admin, { op: opTypes.add, targets }]],
        [2, [admin, { op: opTypes.add, role: roles.admin, targets }]],
        [3, [admin, { op: opTypes.remove, targets }]],
        [2, [target, { op: opTypes.remove, targets }]]
      ])
      this.#send(node, actor, this.#op(actor, node, chatId, rest))
    }
  }

  /** A write that got no answer yet, or did elsewhere, signed for this node too. */
  #again(node: SimulatedNode): readonly [User, Draft] | undefined {
    const { now } = this.#cluster.time
    const fresh = this.#unanswered.filter(({ draft }) => now - draft.fields.ts < retryAgeMsMax)
    if (fresh.length === 0) return undefined
    const { draft, user } = this.#random.pick(fresh)
    return [user, draft.kind === "op" ? { kind: "op", fields: { ...draft.fields, node: node.id } } : draft]
  }

  /** She looks at what there is for her and is answered; a request sent again is not (SPEC §3). Others check what she sees. */
  #look(node: SimulatedNode): void {
    const random = this.#random
    const user = random.pick(this.users)
    const ts = this.#ts(node)
    const limit = random.between(1, 20)
    const { chatId } = this.groups.length === 0 ? { chatId: undefined } : random.pick(this.groups)
    const read: Effect.Effect<ReadOutcome<unknown>, never, NodeServices> = random.pick([
      readConversations(user, { ts, limit }),
      readHistory(user, this.#place(user), { ts, limit }),
      readIdentity(user, random.pick(this.#parties).address, { ts }),
      ...(chatId === undefined ? [] : [readMembers(user, chatId, { ts })])
    ])
    const repeats = random.chance(0.2)
    const life = node.lives
    const ask = (then: (outcome: ReadOutcome<unknown>) => void) => {
      const answered = this.requests.ask(node, `a read of ${user.name}`)
      node.fork(read, (exit) => {
        answered()
        if (node.lives !== life || isBrokenOff(node, exit)) return
        const why = exit._tag === "Failure" ? `defect ${String(exit.cause)}` : brokenBy(exit.value)
        if (why !== undefined) this.#cluster.find("answer", `a read ended in ${why}`, node)
        else if (exit._tag === "Success") then(exit.value)
      })
    }
    ask((first) => {
      if (!repeats || (first.kind === "refused" && first.status !== 403 && first.status !== 404)) return
      ask((second) => {
        const why = second.kind === "found" ? "answered" : whyOf(second)
        // its clock may have been set meanwhile
        const fits = Math.abs(ts - node.clock.wallMs) > requestMsMax ? "expired" : "replayed"
        if (why !== "Unauthenticated replayed" && why !== `Unauthenticated ${fits}`)
          this.#cluster.find("replay", `a request sent again was ${why}`, node)
      })
    })
  }

  #send(node: SimulatedNode, user: User, draft: Draft): void {
    const cluster = this.#cluster
    const attempt: Attempt = {
      user,
      draft,
      id: idOf(this.#hashes, draft),
      node,
      life: node.lives,
      generation: node.disk.generation,
      wait: this.#random.chance(0.5),
      atMs: cluster.trace.nowMs
    }
    this.#unanswered.push({ user, draft })
    if (this.#unanswered.length > retriesMax) this.#unanswered.shift()
    const short = attempt.id.slice(0, 8)
    cluster.trace.note("write", `${user.name} ${nameOf(draft)} ${short}`, node.index)
    cluster.told((each) => each.attempted?.(attempt))
    const options = {
      wait: attempt.wait,
      sigVersion: this.#random.chance(0.2) ? 2 : 1,
      leaveBy: this.#random.chance(0.5) ? "membership" : "ops"
    } as const
    const answered = this.requests.ask(node, `${draft.kind} ${short} of ${user.name}`)
    node.fork(write(user, draft, options), (exit: Exit<WriteOutcome>) => {
      answered()
      this.#answered(attempt, exit)
    })
  }

  #answered(attempt: Attempt, exit: Exit<WriteOutcome>): void {
    const cluster = this.#cluster
    const { draft, node } = attempt
    const short = attempt.id.slice(0, 8)
    if (node.lives !== attempt.life || isBrokenOff(node, exit)) return
    const why = exit._tag === "Failure" ? `defect ${String(exit.cause)}` : brokenBy(exit.value)
    if (why !== undefined) cluster.find("answer", `a write ended in ${why}`, node)
    if (exit._tag === "Failure" || exit.value.kind !== "accepted") {
      const refusal = exit._tag === "Failure"
        ? "defect"
        : whyOf(exit.value as Exclude<WriteOutcome, { kind: "accepted" }>)
      cluster.trace.note("answer", `${short} refused ${refusal}`, node.index)
      this.refused.set(refusal, (this.refused.get(refusal) ?? 0) + 1)
      cluster.told((each) => each.answered?.({ _tag: "Refused", attempt, why: refusal }))
      return
    }
    const { committed, hlc, id } = exit.value
    if (id !== attempt.id) cluster.find("answer", `a write of ${short} was answered with ${id.slice(0, 8)}`, node)
    cluster.trace.note("answer", `${short} ${committed ? "committed" : "accepted"} ${hlc.toString(16)}`, node.index)
    const answer = { _tag: "Accepted", attempt, hlc, committed } as const
    this.accepted.push(answer)
    cluster.told((each) => each.answered?.(answer))
    if (draft.kind === "message") {
      this.#positions.push({ place: draft.place, hlc })
      if (this.#positions.length > positionsMax) this.#positions.shift()
    }
  }
}

const opNames: ReadonlyArray<string> = ["create", "add", "remove", "set-title"]
const nameOf = (draft: Draft): string => draft.kind === "op" ? opNames[draft.fields.op]! : draft.kind

/** A node that ends breaks off what takes too long: that is no answer. */
const isBrokenOff = (node: SimulatedNode, exit: Exit<WriteOutcome | ReadOutcome<unknown>>): boolean =>
  !node.isUp && exit._tag === "Success" && exit.value.kind === "broken" && exit.value.status === 503
