/**
 * The CDDL in docs/protocol.md describes the bytes that nodes send: each record of the vectors fits the rule of its kind
 * and no other rule, and what the rule calls optional is so. A reader of the small part of CDDL used there.
 */
// oxlint-disable typescript/no-explicit-any -- vectors are plain JSON, and every field is compared with what it must be
import { assert, describe, it } from "@effect/vitest"
import { decode } from "cborg"
import { Result } from "effect"
import { readFileSync } from "node:fs"
import { build, hashes } from "../../scripts/vectors.ts"
import * as Bytes from "../../src/domain/bytes.ts"
import type { Kind } from "../../src/domain/record.ts"
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
  const many = /^\[(\d+)\*(\d+) ([\w-]+)\]$/.exec(type)
  if (many !== null) {
    return Array.isArray(value) && within(value.length, many[1]!, many[2]!) &&
      value.every((item) => fits(item, many[3]!))
  }
  const tuple = /^\[([\w-]+), ([\w-]+)\]$/.exec(type)
  if (tuple !== null) {
    return Array.isArray(value) && value.length === 2 && fits(value[0], tuple[1]!) && fits(value[1], tuple[2]!)
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
