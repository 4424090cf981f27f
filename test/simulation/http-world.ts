/** A simulated node and users who ask it over HTTP, and what they expect of its answers. */
import { assert } from "@effect/vitest"
import { Context, Effect } from "effect"
import { Hashing } from "../../src/domain/hashing.ts"
import type { Hlc } from "../../src/domain/hlc.ts"
import * as Ids from "../../src/domain/ids.ts"
import { opTypes } from "../../src/domain/record.ts"
import type { Place } from "../../src/services/Ingest.ts"
import { Cluster } from "../../src/testing/cluster.ts"
import { goodDisk } from "../../src/testing/disk.ts"
import { type HttpAsk, HttpDoor } from "../../src/testing/http/door.ts"
import * as Users from "../../src/testing/users.ts"

export const timeoutMs = 60_000
/** Longer than any test lets pass: a commit takes up to this. */
export const verySlow = { ...goodDisk, commitMsMax: 1e9 }

/** One node and three users. No two of their times are the same. */
export const world = (options: { readonly seed?: number; readonly startMs?: number } = {}) =>
  Effect.map(Cluster.make({ seed: options.seed ?? 1, nodes: 1, startMs: options.startMs }), (cluster) => {
    const hashes = Context.get(cluster.shared, Hashing)
    const [alice, bob, carol] = ["alice", "bob", "carol"].map((name) => Users.makeUser(hashes, name)) as [
      Users.User,
      Users.User,
      Users.User
    ]
    const node = cluster.node(0)
    let last = 0
    const ts = () => last = Math.max(last + 1, node.clock.wallMs)
    const message = (sender: Users.User, place: Place, content: string, control?: Uint8Array): Users.Draft => ({
      kind: "message",
      place,
      fields: { chatId: place.chatId, sender: sender.address, ts: ts(), msgType: 7, content, control }
    })
    const op = (actor: Users.User, chatId: Ids.ChatId, change: Partial<Ids.OpFields>): Users.Draft => ({
      kind: "op",
      fields: { chatId, actor: actor.address, ts: ts(), node: node.id, op: 0, role: 0, targets: [], ...change }
    })
    const read = (reader: Users.User, place: Place, upTo: Hlc): Users.Draft => ({
      kind: "read",
      place,
      fields: { chatId: place.chatId, reader: reader.address, ts: ts(), upTo }
    })
    const nonce = "ab".repeat(16) as Ids.Nonce
    const group: Place = { kind: "group", chatId: Ids.groupChatId(hashes, alice.address, nonce) }
    const targets = (...users: ReadonlyArray<Users.User>) => users.map(({ address }) => address).toSorted()
    return {
      cluster,
      hashes,
      node,
      alice,
      bob,
      carol,
      ts,
      message,
      op,
      read,
      group,
      targets,
      create: (...members: ReadonlyArray<Users.User>) =>
        op(alice, group.chatId, { op: opTypes.create, nonce, title: "friends", targets: targets(...members) }),
      dm: (user: Users.User, peer: Users.User) => Users.directPlace(hashes, user, peer),
      write: (user: Users.User, draft: Users.Draft, options?: Users.WriteOptions) =>
        node.run(Users.write(user, draft, options)),
      ask: (asked: HttpAsk) => node.run(Effect.flatMap(HttpDoor, (door) => door.ask(asked)))
    }
  })

const shown = (outcome: object) =>
  JSON.stringify(outcome, (_, value) => typeof value === "bigint" ? String(value) : value as unknown)

export const accepted = (outcome: Users.WriteOutcome): Users.Accepted => {
  assert.strictEqual(outcome.kind, "accepted", shown(outcome))
  return outcome as Users.Accepted
}
export const found = <A>(outcome: Users.ReadOutcome<A>, status = 200): A => {
  assert.strictEqual(outcome.kind, "found", shown(outcome))
  assert.strictEqual(outcome.kind === "found" ? outcome.status : 0, status)
  return (outcome as Users.Found<A>).value
}
export const refused = (outcome: Users.WriteOutcome | Users.ReadOutcome<unknown>, status: number, why: string) => {
  assert.strictEqual(outcome.kind, "refused", shown(outcome))
  const refusal = outcome as Users.Refused
  assert.deepStrictEqual([refusal.status, Users.whyOf(refusal)], [status, why])
  return refusal
}
