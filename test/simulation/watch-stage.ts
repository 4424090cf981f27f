/** A watched cluster, and records made by hand: what users and nodes would sign, at any stamp, and alterations of it. */
import { assert, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import * as Bytes from "../../src/domain/bytes.ts"
import { Hashing } from "../../src/domain/hashing.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import * as Ids from "../../src/domain/ids.ts"
import type { Dot, Identity, Kind, Message, Op, Read, Record } from "../../src/domain/record.ts"
import { stampDigest } from "../../src/domain/signature.ts"
import type { Outcome } from "../../src/services/Store.ts"
import { Cluster, type SimulatedNode } from "../../src/testing/cluster.ts"
import type { Answer, Attempt } from "../../src/testing/observer.ts"
import * as Users from "../../src/testing/users.ts"
import { type Watch, watch } from "../../src/testing/watch/watch.ts"

export interface Given {
  /** The author's time and the stamp's, ms from the node's wall clock; its counter. */
  readonly tsMs?: number
  readonly atMs?: number
  readonly counter?: number
}

export class Stage {
  readonly cluster: Cluster
  readonly watching: Watch
  readonly hashes: Context.Service.Shape<typeof Hashing>
  readonly alice: Users.User
  readonly bob: Users.User
  readonly carol: Users.User
  readonly chatId: Ids.ChatId
  /** Answers that users got. */
  readonly told = { accepted: 0, refused: 0 }
  #texts = 0

  constructor(cluster: Cluster) {
    this.cluster = cluster
    this.watching = watch(cluster)
    this.hashes = Context.get(cluster.shared, Hashing)
    const [alice, bob, carol] = ["alice", "bob", "carol"].map((name) => Users.makeUser(this.hashes, name))
    this.alice = alice!
    this.bob = bob!
    this.carol = carol!
    this.chatId = Ids.groupChatId(this.hashes, this.alice.address, this.#nonce)
  }

  static make(nodes = 1): Effect.Effect<Stage, never, Effect.Services<ReturnType<typeof Cluster.make>>> {
    return Effect.map(Cluster.make({ seed: "watch", nodes }), (cluster) => new Stage(cluster))
  }

  get node(): SimulatedNode {
    return this.cluster.node(0)
  }

  get #nonce(): Ids.Nonce {
    return "ab".repeat(16) as Ids.Nonce
  }

  #at(node: SimulatedNode, { atMs = 1, counter = 0, tsMs = 0 }: Given) {
    return { ts: node.clock.wallMs + tsMs, hlc: Hlc.make(node.clock.wallMs + atMs, counter) }
  }

  #signed(user: Users.User, kind: Kind, id: string, ts: number, node: SimulatedNode) {
    const { sig, sigVersion } = Users.signClaim(this.hashes, user, { kind, ts, node: node.id, id })
    return { node: node.id, sig, sigVersion }
  }

  message(
    from: Users.User,
    to: Users.User | undefined,
    given: Given & { node?: SimulatedNode; content?: string } = {}
  ) {
    const node = given.node ?? this.node
    const { hlc, ts } = this.#at(node, given)
    const fields: Ids.MessageFields = {
      chatId: to === undefined ? this.chatId : Ids.dmChatId(this.hashes, from.address, to.address),
      sender: from.address,
      ts,
      msgType: 0,
      content: given.content ?? `text ${this.#texts++}`
    }
    const id = Ids.messageId(this.hashes, fields)
    const peer = to === undefined ? {} : { peer: to.address }
    const message: Message = {
      kind: "message",
      id,
      ...fields,
      ...peer,
      hlc,
      ...this.#signed(from, "message", id, ts, node)
    }
    return message
  }

  read(reader: Users.User, upTo: Hlc.Hlc, given: Given = {}): Read {
    const { hlc, ts } = this.#at(this.node, given)
    const fields: Ids.ReadFields = { chatId: this.chatId, reader: reader.address, ts, upTo }
    const id = Ids.readId(this.hashes, fields)
    return { kind: "read", id, ...fields, hlc, ...this.#signed(reader, "read", id, ts, this.node) }
  }

  identity(user: Users.User, blob: Uint8Array, given: Given = {}): Identity {
    const { hlc, ts } = this.#at(this.node, given)
    const fields: Ids.IdentityFields = { address: user.address, ts, blob }
    const id = Ids.identityId(this.hashes, fields)
    return { kind: "identity", id, ...fields, hlc, ...this.#signed(user, "identity", id, ts, this.node) }
  }

  op(actor: Users.User, change: Partial<Ids.OpFields>, given: Given & { observed?: ReadonlyArray<string> } = {}): Op {
    const { hlc, ts } = this.#at(this.node, given)
    const fields: Ids.OpFields = {
      chatId: this.chatId,
      actor: actor.address,
      ts,
      node: this.node.id,
      op: 1,
      role: 0,
      targets: [],
      ...change
    }
    const id = Ids.opId(this.hashes, fields)
    const observed = given.observed === undefined ? {} : { observed: given.observed as ReadonlyArray<Dot> }
    const stamp = this.node.key.sign(stampDigest(this.hashes, { id, hlc, ...observed }))
    return { kind: "op", id, ...fields, ...observed, hlc, stamp, ...this.#signed(actor, "op", id, ts, this.node) }
  }

  create(targets: ReadonlyArray<Users.User>, given: Given = {}): Op {
    const addresses = targets.map(({ address }) => address).sort()
    return this.op(this.alice, { op: 0, nonce: this.#nonce, targets: addresses }, given)
  }

  /** Says that the disk of a node has committed these. It has not. */
  committed(records: ReadonlyArray<Record>, outcome: Outcome = "stored", node = this.node): void {
    this.cluster.told((each) => each.committed?.(node, records, records.map(() => outcome)))
  }

  attempt(record: Record, user: Users.User, wait = true, node = this.node): Attempt {
    const attempt: Attempt = {
      user,
      draft: record.kind === "op"
        ? { kind: "op", fields: record }
        : record.kind === "identity"
        ? { kind: "identity", fields: record }
        : { kind: "message", place: { kind: "group", chatId: record.chatId }, fields: record as Message },
      id: record.id,
      node,
      life: node.lives,
      generation: node.disk.generation,
      wait,
      atMs: this.cluster.time.now
    }
    this.cluster.told((each) => each.attempted?.(attempt))
    return attempt
  }

  answer(answer: Answer): void {
    this.told[answer._tag === "Accepted" ? "accepted" : "refused"]++
    this.cluster.told((each) => each.answered?.(answer))
  }

  accept(attempt: Attempt, hlc: bigint, committed = true): void {
    this.answer({ _tag: "Accepted", attempt, hlc, committed })
  }

  /** A write as the node is told to have taken it: tried, committed, answered. */
  taken(record: Record, user: Users.User): void {
    const attempt = this.attempt(record, user)
    this.committed([record])
    this.accept(attempt, record.hlc)
  }

  /** What an oracle found, the newest last. */
  found(oracle: string): ReadonlyArray<string> {
    return this.cluster.findings.filter((finding) => finding.oracle === oracle).map(({ text }) => text)
  }

  /** Replaces functions of a service at the node that runs now. */
  break<Id, S extends object>(service: Context.Key<Id, S>, change: Partial<S>): void {
    this.node.fork(
      Effect.map(service as unknown as Effect.Effect<S>, (found) => {
        Object.assign(found, change)
      })
    )
    this.cluster.time.settle()
  }

  /** A real write by a user; her answer is told to whoever watches. */
  write(user: Users.User, draft: Users.Draft, wait: boolean, node = this.node): void {
    const id = Users.idOf(this.hashes, draft)
    const attempt: Attempt = {
      user,
      draft,
      id,
      node,
      life: node.lives,
      generation: node.disk.generation,
      wait,
      atMs: this.cluster.time.now
    }
    this.cluster.told((each) => each.attempted?.(attempt))
    node.fork(Users.write(user, draft, { wait }), (exit) => {
      if (exit._tag === "Failure") throw new Error(String(exit.cause))
      const outcome = exit.value
      if (outcome.kind === "accepted") this.accept(attempt, outcome.hlc, outcome.committed)
      else this.answer({ _tag: "Refused", attempt, why: outcome.kind === "refused" ? outcome.tag : "broken" })
    })
  }
}

export const bytes = (length: number): Uint8Array => Bytes.fromText("x".repeat(length))

/** A direct message, as a user asks for it. */
export const draftOf = (stage: Stage, content = "hello"): Users.Draft => {
  const { alice, bob } = stage
  const { chatId, msgType, peer, sender, ts } = stage.message(alice, bob, { content })
  return {
    kind: "message",
    place: { kind: "dm", chatId, peer: peer! },
    fields: { chatId, sender, ts, msgType, content }
  }
}

const timeoutMs = 120_000

/** Runs on a cluster that is watched. */
export const on = (what: string, run: (stage: Stage) => Effect.Effect<void> | void, nodes = 1) =>
  it.effect(
    what,
    () =>
      Effect.scoped(Effect.gen(function*() {
        const stage = yield* Stage.make(nodes)
        const rest = run(stage)
        if (rest !== undefined) yield* rest
      })),
    timeoutMs
  )

/** Just one finding, which says this. */
export const one = (found: ReadonlyArray<string>, what: RegExp): void => {
  assert.strictEqual(found.length, 1, found.join("\n"))
  assert.match(found[0]!, what)
}
