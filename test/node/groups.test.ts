/** The memory of groups: bounded, shared by all who load, and not for strangers to fill (FAILURES 5, 13, 15). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as Ids from "../../src/domain/ids.ts"
import { opTypes } from "../../src/domain/record.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { Authenticator } from "../../src/services/Authenticator.ts"
import { Groups } from "../../src/services/Groups.ts"
import { Ingest } from "../../src/services/Ingest.ts"
import { NodeKey } from "../../src/services/NodeKey.ts"
import { Writer } from "../../src/services/Writer.ts"
import { freshTs, user } from "../http/fixture.ts"
import { claim, gate, services, steering } from "./harness.ts"

const [alice, bob] = [user(1), user(2)]
const chatIdOf = (byte: number) =>
  Ids.groupChatId(noble, alice.address, byte.toString(16).padStart(2, "0").repeat(16) as Ids.Nonce)

const create = Effect.fnUntraced(function*(byte: number) {
  const node = yield* NodeKey
  const nonce = byte.toString(16).padStart(2, "0").repeat(16) as Ids.Nonce
  const chatId = chatIdOf(byte)
  const fields: Ids.OpFields = {
    chatId,
    actor: alice.address,
    ts: freshTs(),
    node: node.id,
    op: opTypes.create,
    role: 0,
    targets: [bob.address],
    nonce
  }
  const id = Ids.opId(noble, fields)
  const auth = yield* Authenticator
  const ingest = yield* Ingest
  yield* auth.write(
    claim(node, alice, "op", id, fields.ts),
    "op",
    id,
    (proof) => ingest.op(fields, proof),
    Effect.undefined
  )
  return chatId
})

describe("groups in memory", () => {
  it.live("asked for by many at once are loaded once, and hold up no other", () => {
    const steer = steering()
    return Effect.gen(function*() {
      const groups = yield* Groups
      const held = yield* gate
      steer.ops = held.pass
      const known = chatIdOf(1)
      const askers = yield* Effect.forkChild(
        Effect.all(Array.from({ length: 10 }, () => groups.use(known, (group) => group)), { concurrency: "unbounded" })
      )
      yield* Effect.sleep(20)
      assert.strictEqual(steer.loads, 1)
      steer.ops = Effect.void
      yield* create(2).pipe(Effect.timeout(5_000))
      yield* held.open
      const found = yield* Fiber.join(askers)
      assert.strictEqual(new Set(found).size, 1, "two folds of one group")
    }).pipe(Effect.provide(services(steer)))
  })

  it.live("are not kept when nobody created them, and are when somebody did", () => {
    const steer = steering()
    return Effect.gen(function*() {
      const groups = yield* Groups
      const unknown = chatIdOf(3)
      for (let i = 0; i < 3; i++) {
        assert.isUndefined(yield* groups.use(unknown, (group) => group.membership.creator))
      }
      assert.strictEqual(steer.loads, 3, "an unknown group was kept")
      const chatId = yield* create(4)
      const writer = yield* Writer
      yield* writer.committed(writer.last())
      const before = steer.loads
      for (let i = 0; i < 3; i++) {
        assert.strictEqual(yield* groups.use(chatId, (group) => group.membership.memberCount), 2)
      }
      assert.strictEqual(steer.loads, before, "a known group was loaded again")
    }).pipe(Effect.provide(services(steer)))
  })

  it.live("an op accepted and not yet committed is seen by the next check", () => {
    const steer = steering()
    return Effect.gen(function*() {
      const held = yield* gate
      steer.commit = held.pass
      const chatId = yield* create(5)
      const groups = yield* Groups
      assert.isTrue(yield* groups.use(chatId, (group) => group.membership.isMember(bob.address)))
      yield* held.open
    }).pipe(Effect.provide(services(steer)))
  })
})
