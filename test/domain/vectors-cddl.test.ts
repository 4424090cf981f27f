/**
 * The CDDL in docs/protocol.md describes the bytes that nodes send: each record, frame and payload of the vectors fits its rule
 * and no other rule, and what the rule calls optional is so. A reader of the small part of CDDL used there.
 */
// oxlint-disable typescript/no-explicit-any -- vectors are plain JSON, and every field is compared with what it must be
import { assert, describe, it } from "@effect/vitest"
import { decode, encode, rfc8949EncodeOptions } from "cborg"
import { Result } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { build, hashes } from "../../scripts/vectors.ts"
import * as Bytes from "../../src/domain/bytes.ts"
import * as Payload from "../../src/domain/gossip-payload.ts"
import type { Kind } from "../../src/domain/record.ts"
import * as Frames from "../../src/domain/sync-frames.ts"
import * as Wire from "../../src/domain/wire.ts"
import { aRecord, Dice, kinds, Seed } from "./records.ts"

const document = readFileSync(new URL("../../docs/protocol.md", import.meta.url), "utf8")
const blocks = [...document.matchAll(/```cddl\n([\s\S]*?)```/g)].map((match) => match[1]!)

interface Member {
  readonly key: string
  readonly optional: boolean
  readonly type: string
}

/** Rules by name: the members of a map, or the text of a type. */
const rules = new Map<string, ReadonlyArray<Member> | string>()
for (const block of blocks) {
  for (const [, name, body] of block.matchAll(/^([a-z-]+) = (\{\n[\s\S]*?\n\}|.*)$/gm)) {
    const members = body!.startsWith("{\n")
      ? [...body!.matchAll(/^ {2}(\? )?(\w+): (.*),$/gm)].map(([, optional, key, type]) => ({
        key: key!,
        optional: optional !== undefined,
        type: type!
      }))
      : body!
    rules.set(name!, members)
  }
}

const within = (x: number, low: string, high: string): boolean => x >= Number(low) && x <= Number(high)

/** Some items of an array in a row: as many as `low` to `high` times. */
interface Items {
  readonly low: number
  readonly high: number
  readonly types: ReadonlyArray<string>
}

/** What stands in the brackets of an array: `? a`, `* a`, `2*5 a`, `* (a, b)` or `a`, between commas. */
const itemsOf = (text: string): ReadonlyArray<Items> =>
  text.split(/,\s*(?![^([]*[)\]])/).map((part) => {
    const [, times, body] = /^(?:(\?|\d*\*\d*) )?(.*)$/.exec(part)!
    const [low, high] = times === undefined ? ["1", "1"] : times === "?" ? ["0", "1"] : times.split("*")
    return {
      low: Number(low),
      high: high === "" ? Infinity : Number(high),
      types: body!.startsWith("(") ? body!.slice(1, -1).split(", ") : [body!]
    }
  })

const fitsItems = (values: ReadonlyArray<unknown>, items: ReadonlyArray<Items>): boolean => {
  let at = 0
  for (const { high, low, types } of items) {
    let times = 0
    while (
      times < high && at + types.length <= values.length && types.every((type, i) => fits(values[at + i], type))
    ) {
      at += types.length
      times++
    }
    if (times < low) return false
  }
  return at === values.length
}

const fits = (value: unknown, type: string): boolean => {
  const rule = rules.get(type)
  if (typeof rule === "string") return fits(value, rule)
  if (rule !== undefined) {
    if (!(value instanceof Map)) return false
    const keys = new Set(rule.map((member) => member.key))
    return [...value.keys()].every((key) => keys.has(key))
      && rule.every(({ key, optional, type }) => value.has(key) ? fits(value.get(key), type) : optional)
  }
  if (type.includes(" / ")) return type.split(" / ").some((choice) => fits(value, choice))
  const size = /^(b|t)str \.size (?:(\d+)|\((\d+)\.\.(\d+)\))$/.exec(type)
  if (size !== null) {
    const [, letter, exact, low, high] = size
    if (letter === "b" ? !(value instanceof Uint8Array) : typeof value !== "string") return false
    const length = value instanceof Uint8Array ? value.length : Bytes.textLength(value as string)
    return within(length, exact ?? low!, exact ?? high!)
  }
  const range = /^(\d+)(?:\.\.(\d+))?$/.exec(type)
  if (range !== null) return Number.isInteger(value) && within(value as number, range[1]!, range[2] ?? range[1]!)
  if (type === "bstr") return value instanceof Uint8Array
  if (type.startsWith("[") && type.endsWith("]")) {
    return Array.isArray(value) && fitsItems(value, itemsOf(type.slice(1, -1)))
  }
  const entry = /^\{ (\w+): (.+) \}$/.exec(type)
  if (entry !== null) {
    return value instanceof Map && value.size === 1 && value.has(entry[1]!) && fits(value.get(entry[1]!), entry[2]!)
  }
  throw new Error(`not understood: ${type}`)
}

const members = (kind: string): ReadonlyArray<Member> => rules.get(kind) as ReadonlyArray<Member>
const mapOf = (bytes: Uint8Array): Map<string, unknown> => decode(bytes, { useMaps: true }) as Map<string, unknown>
const vectors = (file: string): any => build()[file]

describe("CDDL of docs/protocol.md", () => {
  it("has a rule for each kind, and for gossip", () => {
    for (const kind of kinds) assert.isAbove(members(kind).length, 6, kind)
    assert.deepStrictEqual(rules.get("put-message"), "{ PutMessage: message }")
    assert.deepStrictEqual(rules.get("batch"), "{ Batch: [1*64 single] }")
  })

  it("describes every record of the vectors, and tells the kinds apart", () => {
    for (const { cbor, kind, name } of vectors("records.json").records) {
      const map = mapOf(Bytes.fromHex(cbor.slice(2)))
      for (const other of kinds) assert.strictEqual(fits(map, other), other === kind, `${name} as ${other}`)
    }
  })

  it.prop("describes every record, and needs just what it does not call optional", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    for (const kind of kinds) {
      const map = mapOf(Wire.encode(aRecord(kind, dice)))
      assert.isTrue(fits(map, kind), kind)
      for (const { key, optional } of members(kind)) {
        const without = new Map([...map].filter(([name]) => name !== key))
        assert.strictEqual(fits(without, kind), optional, key)
      }
      assert.isFalse(fits(new Map([...map, ["extra", 1]]), kind))
    }
  }, { arbitrary: { runs: 30 } })

  it("calls optional what the decoder calls optional, for all keys it knows", () => {
    const seen = new Map<Kind, Set<string>>(kinds.map((kind) => [kind, new Set()]))
    for (const { fields, kind } of vectors("records.json").records) {
      for (const key of Object.keys(fields)) seen.get(kind)!.add(key)
    }
    for (const kind of kinds)
      assert.deepStrictEqual(members(kind).map(({ key }) => key).sort(), [...seen.get(kind)!].sort())
  })

  it("refuses what the decoder refuses for its keys, types or lengths", () => {
    let both = 0
    for (const { cbor, kind } of vectors("invalid-wire.json").cases) {
      const bytes = Bytes.fromHex(cbor.slice(2))
      assert.isTrue(Result.isFailure(Wire.decode(hashes, kind, bytes)))
      const map = Result.try(() => mapOf(bytes))
      if (Result.isSuccess(map) && !fits(map.success, kind)) both++
    }
    // the others are about the encoding, on which CDDL has no say
    assert.isAtLeast(both, 20)
  })
})

// plain JSON, as it is in the files
const stored = (file: string): any => JSON.parse(readFileSync(new URL(`../vectors/${file}`, import.meta.url), "utf8"))
const raw = (hex: string): Uint8Array => Bytes.fromHex(hex.slice(2))
const valueOf = (bytes: Uint8Array): unknown => decode(bytes, { useMaps: true })

const frames: ReadonlyArray<any> = readdirSync(new URL("../vectors/", import.meta.url))
  .filter((file) => file.startsWith("sync-"))
  .flatMap((file) => stored(file).sessions.flatMap((session: any) => session.frames))
const frameRules = [...new Set(frames.map(({ frame }) => frame as string))]

describe("CDDL of the frames of sync", () => {
  it("describes every frame of the sessions, and tells them apart", () => {
    assert.strictEqual(frameRules.length, 15)
    for (const { cbor, frame } of frames) {
      const value = valueOf(raw(cbor))
      for (const rule of frameRules) assert.strictEqual(fits(value, rule), rule === frame, `${frame} as ${rule}`)
    }
  })

  it("refuses what the decoder refuses: an item less, one more, or of another type", () => {
    let refused = 0
    let accepted = 0
    // the first frames of each kind: others are like them
    for (const rule of frameRules) {
      for (const { cbor } of frames.filter(({ frame }) => frame === rule).slice(0, 3)) {
        const items = valueOf(raw(cbor)) as ReadonlyArray<unknown>
        const changed = [
          [...items, 0],
          ...items.flatMap((_, i) => [
            items.toSpliced(i, 1),
            ...["x", null, -1, 2 ** 53, true, new Map(), [["x"]], new Uint8Array(65)].map((other) =>
              items.with(i, other)
            )
          ])
        ]
        for (const each of changed) {
          const read = Frames.decode(encode(each, rfc8949EncodeOptions))
          // bytes of a length that depends on what was asked are judged by who asked
          const isFrame = Result.isSuccess(read)
          assert.strictEqual(frameRules.some((name) => fits(each, name)), isFrame, JSON.stringify(each))
          if (isFrame) accepted++
          else refused++
        }
      }
    }
    assert.isAtLeast(refused, 500)
    assert.isAtLeast(accepted, 5)
  })

  it("has the bounds of the decoder", () => {
    const audit = (count: number) => [12, 0, new Uint8Array(16), Array.from({ length: count }, (_, i) => i)]
    const stream = (to: number) => [10, 0, 0, to]
    const hello = (version: number, name: number) => {
      const roots = [1, 2, 3].map(() => new Uint8Array(32))
      return [0, version, new Uint8Array(name).fill(65), new Uint8Array(8), 1, 1, [0, 0, 0], roots]
    }
    const cases: ReadonlyArray<readonly [string, ReadonlyArray<unknown>, boolean]> = [
      ["audit", audit(64), true],
      ["audit", audit(65), false],
      ["stream", stream(65_536), true],
      ["stream", stream(65_537), false],
      ["hello", hello(1, 128), true],
      ["hello", hello(1, 129), false],
      ["hello", hello(65_535, 0), true],
      ["hello", hello(65_536, 0), false],
      ["refuse", [1, 6, 0], true],
      ["refuse", [1, 7, 0], false],
      ["ask", [2, 2, 8, 3, [4_095]], true],
      ["ask", [2, 2, 8, 3, [4_096]], false],
      ["ask", [2, 3, 8, 3, [0]], false],
      ["ask", [2, 2, 16, 3, [0]], false],
      ["ask", [2, 2, 8, 4, [0]], false]
    ]
    for (const [rule, value, good] of cases) {
      assert.strictEqual(fits(value, rule), good, rule)
      assert.strictEqual(Result.isSuccess(Frames.decode(encode(value, rfc8949EncodeOptions))), good, rule)
    }
  })
})

describe("CDDL of gossip", () => {
  it("describes every payload of the vectors", () => {
    const { payloads } = stored("gossip.json")
    assert.isAtLeast(payloads.length, 8)
    for (const { name, payload } of payloads) assert.isTrue(fits(valueOf(raw(payload)), "command"), name)
  })

  it("refuses what the decoder refuses, but for the encoding", () => {
    let both = 0
    for (const { payload, reason } of stored("gossip.json").invalid) {
      const value = Result.try(() => valueOf(raw(payload)))
      if (Result.isFailure(value)) continue
      const isCanonical = Bytes.equal(
        Result.getOrElse(Result.try(() => encode(value.success, rfc8949EncodeOptions)), () => new Uint8Array()),
        raw(payload)
      )
      if (!isCanonical) continue
      assert.isFalse(fits(value.success, "command"), reason)
      assert.isTrue(Result.isFailure(Payload.decode(hashes, raw(payload))), reason)
      both++
    }
    assert.isAtLeast(both, 14)
  })
})
