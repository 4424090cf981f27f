/** What is encoded is read back, for the encodings that the other folders' tests leave out (`docs/testing.md`). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Fields from "../../src/api/fields.ts"
import { cursorOf } from "../../src/api/message-json.ts"
import * as KeyFile from "../../src/cli/keyfile.ts"
import { fromPrivateKey } from "../../src/client/Signer.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import type * as Ids from "../../src/domain/ids.ts"
import * as Signature from "../../src/domain/signature.ts"
import type { Answer, Item } from "../../src/layers/crypto/check.ts"
import * as CheckPacking from "../../src/layers/crypto/packing.ts"
import * as Answers from "../../src/layers/http/answers.ts"
import { readNetworkKey, textOf } from "../../src/layers/network/network-key.ts"
import * as Packing from "../../src/layers/store/packing.ts"
import { aRecord, Dice, kinds, Seed } from "../domain/records.ts"
import { temporaryDirectory } from "../http/fixture.ts"

const stampOf = (dice: Dice): Hlc.Hlc => Hlc.make(dice.below(2 ** 31) * 2 ** 16, dice.below(2 ** 16))

describe("read back as they were written:", () => {
  it.prop("records and batches on their way to the store's thread", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const records = Array.from({ length: dice.below(6) }, () => aRecord(dice.pick(kinds), dice))
    assert.deepStrictEqual(Packing.unpackRecords(Packing.packRecords(records)), records)
    const aged = stampOf(dice)
    assert.deepStrictEqual(Packing.unpackBatch(Packing.packBatch(records, aged)), { records, aged })
    // cut anywhere they end by an error, and never by fewer or other records
    const packed = Packing.packRecords(records)
    if (records.length > 0) assert.throws(() => Packing.unpackRecords(packed.slice(0, dice.below(packed.byteLength))))
  })

  it.prop("checks and answers on their way to a verifying thread", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const items: ReadonlyArray<Item> = Array.from({ length: 1 + dice.below(5) }, () =>
      dice.coin()
        ? { digest: dice.bytes(32), rs: dice.bytes(64), v: dice.pick([0, 1] as const) }
        : {
          digest: dice.bytes(32),
          signature: dice.bytes(64),
          key: dice.coin()
            ? { type: "ed25519", publicKey: dice.bytes(32) }
            : { type: "secp256k1", publicKey: dice.bytes(33) }
        })
    assert.isTrue(items.every(CheckPacking.isPackable))
    const packed = new Uint8Array(CheckPacking.itemBytes)
    const unpack = CheckPacking.unpacker(packed)
    for (const item of items) {
      CheckPacking.packItem(packed, 0, item)
      assert.deepStrictEqual(unpack(), item)
    }
    const answers: ReadonlyArray<Answer> = items.map((item) =>
      "rs" in item ? (dice.coin() ? dice.hex<Ids.Address>(20) : undefined) : dice.coin()
    )
    for (const [i, answer] of answers.entries()) {
      CheckPacking.packAnswer(packed, i, answer)
      assert.deepStrictEqual(CheckPacking.unpackAnswer(packed, i, items[i]!), answer)
    }
  })

  it.prop("cursors of pages and of the inbox", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const position = { hlc: stampOf(dice), id: dice.hex<Ids.MessageId>(32) }
    const inbox = { activity: stampOf(dice), chatId: dice.hex<Ids.ChatId>(32) }
    assert.deepStrictEqual(Effect.runSync(Answers.readPosition("after", cursorOf(position.hlc, position.id))), position)
    assert.deepStrictEqual(Effect.runSync(Answers.readInboxPosition(Answers.inboxCursor(inbox))), inbox)
  })

  it.prop("the values of JSON", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const check = <A>(schema: Schema.Codec<A, string>, value: A): void => {
      const text = Schema.encodeSync(schema)(value)
      assert.deepStrictEqual(Schema.decodeSync(schema)(text), value)
    }
    check(Fields.Address, dice.hex<Ids.Address>(20))
    check(Fields.ChatId, dice.hex<Ids.ChatId>(32))
    check(Fields.Nonce, dice.hex<Ids.Nonce>(16))
    check(Fields.Stamp, stampOf(dice))
    check(Fields.opaque("bytes", 64), dice.bytes(dice.below(65)))
    check(Fields.text("text", 64), dice.text(16))
    check(Fields.intFromText(0, 2 ** 32), dice.word())
  })

  it.prop("signatures in headers", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const key = dice.bytes(32).fill(1, 0, 1)
    const signer = Result.getOrThrow(fromPrivateKey(key))
    const made = Effect.runSync(signer.sign("text"))
    const read = Result.getOrThrow(Signature.parseSignature(`0x${made.toHex()}`))
    assert.deepStrictEqual(read.subarray(0, 64), made.subarray(0, 64))
    assert.strictEqual(read[64], made[64]! - 27)
    assert.isUndefined(Signature.signatureProblem(read))
  }, { arbitrary: { runs: 10 } })

  it.live("files of keys", () =>
    Effect.scoped(Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      for (let seed = 1; seed <= 10; seed++) {
        const key = new Dice(seed).bytes(32).fill(1, 0, 1)
        const [user, network] = [join(directory, `user-${seed}`), join(directory, `network-${seed}`)]
        yield* KeyFile.write(user, key.toHex())
        assert.strictEqual((yield* KeyFile.read(user)).address, Result.getOrThrow(fromPrivateKey(key)).address)
        writeFileSync(network, textOf(key))
        assert.deepStrictEqual(yield* readNetworkKey(network), key)
      }
    })))
})
