/** What tests of intake do, over a node without trees and sync. */
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as Ids from "../../src/domain/ids.ts"
import type { Record as Rec } from "../../src/domain/record.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { Authenticator } from "../../src/services/Authenticator.ts"
import { HybridClock } from "../../src/services/HybridClock.ts"
import { Ingest } from "../../src/services/Ingest.ts"
import { Intake } from "../../src/services/Intake.ts"
import { NodeKey } from "../../src/services/NodeKey.ts"
import { Store } from "../../src/services/Store.ts"
import { Writer } from "../../src/services/Writer.ts"
import { user } from "../http/fixture.ts"
import { claim, dmFields, steering, unsynced } from "./harness.ts"
import { peerId } from "./peer-records.ts"

export const [alice, bob, carol, dave] = [user(1), user(2), user(3), user(4)]
export const [peer, other] = [peerId(50), peerId(51)]
export const now = Date.UTC(2026, 0, 15, 12, 10)
export const at = { ts: now }

export const take = (records: ReadonlyArray<Rec>, from = peer, room: "now" | "wait" = "now") =>
  Effect.flatMap(Intake, (intake) => intake.take(records, { peer: from, room })).pipe(
    Effect.map((judgements) => judgements.map(({ _tag }) => _tag))
  )

/** Lets fibers run, without time passing. */
export const settle = Effect.gen(function*() {
  for (let turns = 0; turns < 50; turns++) yield* Effect.yieldNow
})

export const committed = Effect.gen(function*() {
  const writer = yield* Writer
  yield* writer.committed(writer.last())
})

export const isStored = (message: Rec) =>
  Effect.andThen(committed, Effect.flatMap(Store, (store) => store.message(message.id as Ids.MessageId))).pipe(
    Effect.map((held) => held !== undefined)
  )

export const send = Effect.fnUntraced(function*(content: string) {
  const fields = dmFields(alice, bob, (yield* HybridClock).wall(), content)
  const id = Ids.messageId(noble, fields)
  const auth = yield* Authenticator
  const ingest = yield* Ingest
  return yield* auth.write(
    claim(yield* NodeKey, alice, "message", id, fields.ts),
    "message",
    id,
    (proof) => ingest.message({ kind: "dm", chatId: fields.chatId, peer: bob.address }, fields, proof),
    ingest.receipt({ kind: "message", id })
  )
})

type Core = ReturnType<typeof unsynced>
export const run = <A, E, R>(body: Effect.Effect<A, E, R>, core: Core = unsynced(steering())) =>
  Effect.andThen(TestClock.setTime(now), Effect.provide(body, core))
