/**
 * Replays the corpus, then feeds each decoder a few random inputs. `scripts/fuzz.ts` does the same for as long as one likes.
 * A failure prints its seed and the least input that shows it; the seed of a run is set by FUZZ_SEED.
 */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as Frames from "../../src/domain/sync-frames.ts"
import * as Wire from "../../src/domain/wire.ts"
import { campaign, Crash } from "./campaign.ts"
import * as Corpus from "./corpus.ts"
import type { Target } from "./target.ts"
import { names, open } from "./targets.ts"
import { jsonWith } from "./targets/json.ts"
import { wireWith } from "./targets/records.ts"
import { sync, syncWith } from "./targets/streams.ts"

const seed = Number(process.env["FUZZ_SEED"] ?? Date.now() % 2 ** 32)

describe("what was found once", () => {
  it("is in a corpus of bounded size, under a name of a decoder", () => {
    const all = names.flatMap((name) => Corpus.load(name))
    assert.isAbove(all.length, 100)
    assert.isBelow(all.length, 400)
    assert.isBelow(all.reduce((sum, { bytes }) => sum + bytes.length, 0), 300_000)
    assert.deepStrictEqual(Corpus.folders().filter((folder) => !names.includes(folder)), [])
  })
})

describe("decoders", () => {
  for (const name of names) {
    it(`failure 24: ${name} keeps its promises on the corpus, and on random inputs (FUZZ_SEED=${seed})`, async () => {
      const target = await open(name)
      const corpus = Corpus.load(name).map(({ bytes }) => bytes)
      try {
        const { outcomes } = await campaign(target, corpus, { seed, enough: (cases) => cases >= target.shortCases })
        // inputs that all end the same way would test nothing
        assert.isAtLeast(outcomes, Math.min(5, corpus.length))
      } finally {
        await target.close?.()
      }
    }, 180_000)
  }
})

/** The crash of a target that is known to be broken. */
const crashOf = async (target: Target): Promise<string> => {
  try {
    await campaign(target, [], { seed, enough: (cases) => cases >= 4_000 })
  } catch (error) {
    assert.instanceOf(error, Crash)
    return (error as Crash).message
  }
  return "nothing"
}

/** Kept, so that nothing is optimised away. */
const waste: Array<Uint8Array> = []
afterAll(() => void waste.splice(0))

describe("the oracles go red on", () => {
  const cases: ReadonlyArray<readonly [what: string, target: Target, told: RegExp]> = [
    [
      "a reader of records that takes any form of CBOR",
      wireWith((h, kind, bytes) => Wire.reading(() => Wire.fromValue(h, kind, Wire.decodeExact(bytes)))),
      /readers of a \w+ disagree/
    ],
    [
      "a reader of records that refuses a key which may stand there",
      wireWith((h, kind, bytes) =>
        Result.flatMap(
          Wire.decode(h, kind, bytes),
          (record) =>
            record.kind === "message" && record.control !== undefined
              ? Result.fail(new Wire.InvalidRecord({ field: "control", message: "no" }))
              : Result.succeed(record)
        )
      ),
      /readers of a message disagree/
    ],
    [
      "a reader of records that changes what it read",
      wireWith((h, kind, bytes) =>
        Result.map(Wire.decode(h, kind, bytes), (record) => ({ ...record, ts: record.ts + 1 }))
      ),
      /otherwise than it was read/
    ],
    [
      "a reader of frames that loses a field",
      syncWith((bytes) =>
        Result.map(
          Frames.decode(bytes),
          (frame) =>
            frame._tag === "List"
              ? { _tag: "List", domain: frame.domain, bytes: frame.bytes, nodes: [], buckets: [] }
              : frame
        )
      ),
      /canonical frame|read otherwise/
    ],
    [
      "a reader of frames that throws",
      syncWith((bytes) => {
        if (bytes.length === 3) throw new TypeError("three")
        return Frames.decode(bytes)
      }),
      /thrown: TypeError: three/
    ],
    ["a reader that believes a length", {
      ...sync,
      run: (input) => {
        // so much that no garbage which is collected meanwhile can hide it
        if (input[1] === 0x5a) waste.push(new Uint8Array(2 ** 30))
        return `${input[0]}`
      }
    }, /bytes of memory/],
    [
      "a reader of JSON that takes a key twice",
      jsonWith((text) => {
        try {
          JSON.parse(text)
          return undefined
        } catch (error) {
          return String(error)
        }
      }),
      /readers disagree: undefined against/
    ]
  ]
  for (const [what, target, told] of cases) {
    it(`${what}`, async () => assert.match(await crashOf(target), told), 60_000)
  }
})
