/**
 * What users do in a simulation: they write to each other and in groups, found, grow and leave groups, change roles and
 * titles, read, set identities; at any node, several at once, and again through another node when an answer did not come.
 *
 * It remembers every answer that promised something, which the oracle holds the cluster to.
 */
import * as Context from "effect/Context"
import type { Exit } from "effect/Exit"
import * as Bytes from "../domain/bytes.ts"
import { type Hashes, Hashing } from "../domain/hashing.ts"
import type { Hlc } from "../domain/hlc.ts"
import * as Ids from "../domain/ids.ts"
import { type Kind, opTypes, roles } from "../domain/record.ts"
import type { Place, Receipt } from "../services/Ingest.ts"
import type { Cluster, SimulatedNode } from "./cluster.ts"
import type { Random } from "./random.ts"
import { type Draft, idOf, makeUser, type User, write } from "./users.ts"

/** Groups that a run founds at most. */
const groupsMax = 6
/** Positions remembered as something to read up to. */
const positionsMax = 50
/** Writes remembered for another try. */
const retriesMax = 20
/** A text is signed again for another node only while its time passes the window with ease, ms. */
const retryAgeMsMax = 20_000

/** A promise that a node made. */
export interface Acknowledged {
  readonly kind: Kind
  readonly id: string
  readonly node: number
  /** Which run of the node, and which disk it had. */
  readonly life: number
  readonly generation: number
  readonly hlc: Hlc
  /** The answer came after the commit. */
  readonly committed: boolean
  readonly atMs: number
}

interface GroupSeen {
  readonly chatId: Ids.ChatId
  readonly creator: User
}

export class Workload {
  readonly users: ReadonlyArray<User>
  readonly groups: Array<GroupSeen> = []
  readonly acknowledged: Array<Acknowledged> = []
  /** Answers that were refusals, by tag or reason. */
  readonly refused = new Map<string, number>()
  readonly #cluster: Cluster
  readonly #random: Random
  readonly #hashes: Hashes
  readonly #positions: Array<{ readonly place: Place; readonly hlc: Hlc }> = []
  readonly #unanswered: Array<{ readonly user: User; readonly draft: Draft }> = []
  #lastTs = 0

  constructor(cluster: Cluster, options: { readonly users: number }) {
    this.#cluster = cluster
    this.#random = cluster.random.part("workload")
    this.#hashes = Context.get(cluster.shared, Hashing)
    this.users = Array.from({ length: options.users }, (_, i) => makeUser(this.#hashes, `u${i}`))
  }

  /** The time that users sign at, who have learnt the clock of a node that is ahead. No two writes share one. */
  #ts(node: SimulatedNode): number {
    this.#lastTs = Math.max(Math.floor(this.#cluster.time.now), node.clock.wallMs, this.#lastTs + 1)
    return this.#lastTs
  }

  #place(user: User): Place {
    if (this.groups.length > 0 && this.#random.chance(0.5)) {
      return { kind: "group", chatId: this.#random.pick(this.groups).chatId }
    }
    const peer = this.#random.pick(this.users)
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
    const others = this.users.filter((other) => other !== user)
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
    const others = this.users.filter((other) => other !== group.creator)
    const rest = random.weighted<() => Partial<Ids.OpFields>>([
      [4, () => ({ op: opTypes.add, targets: this.#some(others, 2) })],
      [3, () => ({ op: opTypes.add, role: roles.admin, targets: this.#some(others, 1) })],
      [3, () => ({ op: opTypes.remove, targets: this.#some(others, 2) })],
      [2, () => ({ op: opTypes.remove, targets: [user.address] })],
      [2, () => ({ op: opTypes.setTitle, title: random.chance(0.2) ? "" : `title ${random.between(1, 99)}` })]
    ])()
    return [user, this.#op(user, node, group.chatId, rest)]
  }

  #draft(node: SimulatedNode): readonly [User, Draft] {
    const random = this.#random
    const user = random.pick(this.users)
    const message = (): Draft => {
      const place = this.#place(user)
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
      this.users.some((peer) => Ids.dmChatId(this.#hashes, address, peer.address) === place.chatId)
    )
    const user = parties.includes(fallback) ? fallback : this.#random.pick(parties)
    const own: Place = place.kind === "group" ? place : {
      ...place,
      peer: this.users.find((peer) => Ids.dmChatId(this.#hashes, user.address, peer.address) === place.chatId)!.address
    }
    return [user, {
      kind: "read",
      place: own,
      fields: { chatId: place.chatId, reader: user.address, ts: this.#ts(node), upTo: hlc }
    }]
  }

  /** One thing that a user does at a node that is up; nothing when none is. */
  act(): void {
    const { up } = this.#cluster
    if (up.length === 0) return
    const node = this.#random.pick(up)
    const again = this.#random.chance(0.25) ? this.#again(node) : undefined
    const [user, draft] = again ?? this.#draft(node)
    this.#send(node, user, draft)
  }

  /** A write that got no answer yet, or did elsewhere, signed for this node too. */
  #again(node: SimulatedNode): readonly [User, Draft] | undefined {
    const { now } = this.#cluster.time
    const fresh = this.#unanswered.filter(({ draft }) => now - draft.fields.ts < retryAgeMsMax)
    if (fresh.length === 0) return undefined
    const { draft, user } = this.#random.pick(fresh)
    return [user, draft.kind === "op" ? { kind: "op", fields: { ...draft.fields, node: node.id } } : draft]
  }

  #send(node: SimulatedNode, user: User, draft: Draft): void {
    const wait = this.#random.chance(0.5)
    const id = idOf(this.#hashes, draft)
    const { generation } = node.disk
    const life = node.lives
    this.#unanswered.push({ user, draft })
    if (this.#unanswered.length > retriesMax) this.#unanswered.shift()
    this.#cluster.trace.note(`${user.name} writes ${draft.kind} ${id.slice(0, 8)} at ${node.name}`)
    const sigVersion = this.#random.chance(0.2) ? 2 : 1
    node.fork(write(user, draft, { wait, sigVersion }), (exit: Exit<Receipt<string>, { readonly _tag: string }>) => {
      if (exit._tag === "Success") {
        const { hlc } = exit.value
        this.#cluster.trace.note(`answer ${id.slice(0, 8)} ${wait ? "committed" : "accepted"} ${hlc.toString(16)}`)
        this.acknowledged.push({
          kind: draft.kind,
          id,
          node: node.index,
          life,
          generation,
          hlc,
          committed: wait,
          atMs: this.#cluster.time.now
        })
        if (draft.kind === "message") {
          this.#positions.push({ place: draft.place, hlc })
          if (this.#positions.length > positionsMax) this.#positions.shift()
        }
        return
      }
      const why = refusalOf(exit.cause)
      this.#cluster.trace.note(`answer ${id.slice(0, 8)} refused ${why}`)
      this.refused.set(why, (this.refused.get(why) ?? 0) + 1)
      if (why.startsWith("defect")) this.#cluster.complain(node, `a write ended in a ${why}`)
    })
  }
}

const refusalOf = (cause: { readonly reasons: ReadonlyArray<{ readonly _tag: string }> }): string => {
  const reason = cause.reasons[0] as
    | { readonly _tag: string; readonly error?: { readonly _tag?: string; readonly reason?: string }; defect?: unknown }
    | undefined
  if (reason?._tag !== "Fail") return `defect ${String(reason?.defect ?? reason?._tag)}`
  return [reason.error?._tag, reason.error?.reason].filter((part) => part !== undefined).join(" ")
}
