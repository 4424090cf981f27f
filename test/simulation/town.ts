/** Users who write by hand, for tests of what they are then shown. */
import { Context, Effect } from "effect"
import { Hashing } from "../../src/domain/hashing.ts"
import * as Ids from "../../src/domain/ids.ts"
import { opTypes, roles } from "../../src/domain/record.ts"
import type { Place } from "../../src/services/Ingest.ts"
import { Cluster, Users } from "../../src/testing/index.ts"

/** Users of a cluster who write by hand. */
export class Town {
  readonly cluster: Cluster
  readonly hashes
  readonly users: ReadonlyArray<Users.User>
  #lastTs = 0

  constructor(cluster: Cluster, users = 5) {
    this.cluster = cluster
    this.hashes = Context.get(cluster.shared, Hashing)
    this.users = Array.from({ length: users }, (_, i) => Users.makeUser(this.hashes, `u${i}`))
  }

  user(index: number): Users.User {
    return this.users[index]!
  }

  ts(): number {
    this.#lastTs = Math.max(Math.floor(this.cluster.time.now), this.#lastTs + 1)
    return this.#lastTs
  }

  /** A write that must be accepted. Some time passes. */
  write(at: number, user: number, draft: Users.Draft) {
    const written = this.cluster.node(at).run(Users.write(this.user(user), draft, { wait: true }))
    return Effect.flatMap(written, (outcome) => {
      // gossip has its time
      this.cluster.time.advance(500)
      return outcome.kind === "accepted" ? Effect.succeed(outcome) : Effect.die(new Error(Users.whyOf(outcome)))
    })
  }

  dm(from: number, to: number): Place {
    return Users.directPlace(this.hashes, this.user(from), this.user(to))
  }

  message(from: number, place: Place, content: string): Users.Draft {
    const sender = this.user(from).address
    return { kind: "message", place, fields: { chatId: place.chatId, sender, ts: this.ts(), msgType: 0, content } }
  }

  say(at: number, from: number, place: Place, content: string) {
    return this.write(at, from, this.message(from, place, content))
  }

  change(at: number, actor: number, chatId: Ids.ChatId, rest: Partial<Ids.OpFields>): Users.Draft {
    const fields: Ids.OpFields = {
      chatId,
      actor: this.user(actor).address,
      ts: this.ts(),
      node: this.cluster.node(at).id,
      op: opTypes.add,
      role: roles.member,
      targets: [],
      ...rest
    }
    return { kind: "op", fields }
  }

  op(at: number, actor: number, chatId: Ids.ChatId, rest: Partial<Ids.OpFields>) {
    return this.write(at, actor, this.change(at, actor, chatId, rest))
  }

  addresses(...users: ReadonlyArray<number>): ReadonlyArray<Ids.Address> {
    return users.map((index) => this.user(index).address).sort()
  }

  found(at: number, creator: number, others: ReadonlyArray<number>, title?: string) {
    const nonce = this.cluster.random.part(`group ${creator} ${others.join()}`).bytes(16).toHex() as Ids.Nonce
    const chatId = Ids.groupChatId(this.hashes, this.user(creator).address, nonce)
    const rest = {
      op: opTypes.create,
      nonce,
      targets: this.addresses(...others),
      ...(title === undefined ? {} : { title })
    }
    return Effect.as(this.op(at, creator, chatId, rest), { kind: "group", chatId } as const)
  }

  mark(reader: number, place: Place, upTo: bigint): Users.Draft {
    const { address } = this.user(reader)
    const fields = { chatId: place.chatId, reader: address, ts: this.ts(), upTo: upTo as Ids.ReadFields["upTo"] }
    return { kind: "read", place, fields }
  }

  read(at: number, reader: number, place: Place, upTo: bigint) {
    return this.write(at, reader, this.mark(reader, place, upTo))
  }

  identity(at: number, user: number, blob: string) {
    const { address } = this.user(user)
    return this.write(at, user, {
      kind: "identity",
      fields: { address, ts: this.ts(), blob: new TextEncoder().encode(blob) }
    })
  }
}

/**
 * A cluster with some of everything: marks, titles, identities, a group left; a sender who is removed at one node and writes
 * at another, an add that wins over a removal, and two last admins who leave at once.
 */
export const settled = Effect.gen(function*() {
  const cluster = yield* Cluster.make({ seed: "views", nodes: 3 })
  const town = new Town(cluster)
  cluster.time.advance(20_000)
  const group = yield* town.found(0, 0, [1, 2, 3], "first")
  const other = yield* town.found(1, 1, [0, 2])
  const orphan = yield* town.found(0, 0, [1, 4])
  yield* town.op(0, 0, orphan.chatId, { role: roles.admin, targets: town.addresses(1) })
  for (let i = 0; i < 9; i++) {
    yield* town.say(i % 3, i % 2, town.dm(i % 2, (i + 1) % 2), `direct ${i}`)
    cluster.time.advance(1_500)
    yield* town.say(i % 3, i % 4, group, `group ${i}`)
  }
  const half = yield* town.say(0, 0, group, "half way")
  yield* town.read(1, 2, group, half.hlc)
  cluster.time.advance(2_000)
  yield* town.op(0, 0, group.chatId, { role: roles.admin, targets: town.addresses(1) })
  cluster.time.advance(2_000)
  cluster.partition([0], [1, 2])
  yield* town.op(0, 0, group.chatId, { op: opTypes.remove, targets: town.addresses(3) })
  cluster.time.advance(1_000)
  const hidden = yield* town.say(2, 3, group, "concurrent with the removal of its sender")
  yield* town.op(1, 1, group.chatId, { op: opTypes.setTitle, title: "second" })
  // two adds, the later one a demotion, that a removal further up has not seen
  for (const role of [roles.admin, roles.member]) {
    yield* town.op(1, 1, group.chatId, { role, targets: town.addresses(2) })
  }
  yield* town.op(0, 0, group.chatId, { op: opTypes.remove, targets: town.addresses(2) })
  // both admins leave, and neither knows of the other
  for (const [at, user] of [[0, 0], [1, 1]] as const) {
    yield* town.op(at, user, orphan.chatId, { op: opTypes.remove, targets: town.addresses(user) })
  }
  cluster.heal()
  for (const user of [0, 1, 4]) yield* town.identity(user % 3, user, `i am ${user}`)
  yield* town.op(1, 2, other.chatId, { op: opTypes.remove, targets: town.addresses(2) })
  yield* town.say(2, 0, town.dm(0, 0), "to myself")
  cluster.time.advance(60_000)
  yield* town.say(2, 1, other, "the last")
  cluster.time.advance(60_000)
  return { town, cluster, group, other, hidden }
})
