/**
 * The sessions of `test/vectors/sync-*.json`, used as another implementation would: frames are read and written, the side
 * that answers is played from the file, and what it answers today is what is recorded.
 */
// oxlint-disable typescript/no-explicit-any -- vectors are plain JSON, and every field is compared with what it must be
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { answersOf, frameJson, run, type Setting, sideOf, wallMs } from "../../scripts/vectors-sync.ts"
import { hashes } from "../../scripts/vectors.ts"
import * as Acceptance from "../../src/domain/acceptance.ts"
import * as Bytes from "../../src/domain/bytes.ts"
import { horizonMs } from "../../src/domain/horizon.ts"
import { bucketOf } from "../../src/domain/merkle.ts"
import { type Domain, domainOf, domains, type Record as Rec } from "../../src/domain/record.ts"
import * as Frames from "../../src/domain/sync-frames.ts"
import * as Wire from "../../src/domain/wire.ts"

const timeout = 120_000
const folder = new URL("../vectors/", import.meta.url)
const raw = (hex: string): Uint8Array => Bytes.fromHex(hex.slice(2))
const show = (bytes: Uint8Array): string => `0x${Bytes.toHex(bytes)}`

const files = readdirSync(folder).filter((file) => /^sync-.*\.json$/.test(file))
const sessions: ReadonlyArray<readonly [string, any]> = files.flatMap((file) =>
  JSON.parse(readFileSync(new URL(file, folder), "utf8")).sessions.map((each: any) => [`${file}: ${each.name}`, each])
)
const frames: ReadonlyArray<any> = sessions.flatMap(([, session]) => session.frames)

const recordOf = ({ cbor, kind }: any): Rec => Result.getOrThrow(Wire.decode(hashes, kind, raw(cbor)))
const frameOf = ({ cbor }: any): Frames.Frame => Result.getOrThrow(Frames.decode(raw(cbor)))
const hello = (session: any, by: string) => session.frames.find((each: any) => each.by === by && each.frame === "hello")

const settingOf = (json: any): Setting => ({
  skewMs: json.wall_ms - wallMs,
  ...(json.network === undefined ? {} : { network: json.network }),
  ...(json.network_key === undefined ? {} : { networkKey: raw(json.network_key) }),
  ...(json.page_bytes === undefined ? {} : { pageBytes: json.page_bytes }),
  ...(json.building === undefined ? {} : { building: json.building })
})

describe("vectors of sync", () => {
  it("have each frame, and each reason to refuse", () => {
    assert.isAtLeast(sessions.length, 15)
    const kinds = new Set(frames.map(({ frame }) => frame))
    assert.deepStrictEqual(
      [...kinds].sort(),
      "hello refuse ask hashes list digests pull records push taken stream page audit audited end".split(" ").sort()
    )
    const reasons = frames.filter(({ frame }) => frame === "refuse").map(({ reason }) => reason)
    assert.deepStrictEqual(reasons.toSorted(), [...Frames.refusals].sort())
    assert.isTrue(
      frames.some(({ frame, last, lists }) => frame === "digests" && last === undefined && lists.length > 1)
    )
    assert.strictEqual(frames.filter(({ cursor, frame }) => frame === "stream" && cursor !== undefined).length, 2)
  })

  it("are read as what they say, and written as the same bytes", () => {
    for (const { by, cbor, ...said } of frames) {
      const frame = frameOf({ cbor })
      assert.deepStrictEqual(JSON.parse(JSON.stringify(frameJson(frame))), said, by)
      assert.strictEqual(show(Frames.encode(frame)), cbor)
    }
  })

  it("hold sound records, in sound order, within the horizon", () => {
    for (const [name, { answerer, frames, held, leader }] of sessions) {
      for (const record of [...held.leader, ...held.answerer]) {
        assert.isUndefined(Acceptance.formProblem(hashes, recordOf(record)), name)
        assert.strictEqual(show(Wire.leafDigest(hashes.blake3, recordOf(record))), record.digest)
      }
      const [offered, answered] = [hello({ frames }, "leader"), hello({ frames }, "answerer")]
      if (answered === undefined) continue
      assert.strictEqual(offered.horizon_ms, horizonMs(leader.wall_ms), name)
      const lower = Math.min(horizonMs(leader.wall_ms), horizonMs(answerer.wall_ms))
      assert.strictEqual(answered.horizon_ms, lower, name)
      const byDomain = (domain: Domain) =>
        held.answerer.filter((each: any) => domainOf(recordOf(each)) === domain).length
      assert.deepStrictEqual(answered.counts, domains.map(byDomain), name)
    }
  })

  it.each(sessions)("%s is answered so today", async (_, session) => {
    const questions = session.frames.filter(({ by }: any) => by === "leader").map(({ cbor }: any) => raw(cbor))
    const [answers, after] = await run(Effect.gen(function*() {
      const side = yield* sideOf("answerer", settingOf(session.answerer), session.held.answerer.map(recordOf))
      const given = yield* answersOf(side, session.answerer.busy === true, questions)
      return [given.map(show), yield* side.all] as const
    }))
    assert.deepStrictEqual(
      answers,
      session.frames.filter(({ by }: any) => by === "answerer").map(({ cbor }: any) => cbor)
    )
    const digests = after.map((record) => show(Wire.leafDigest(hashes.blake3, record))).sort()
    assert.deepStrictEqual(digests, session.held_after.answerer)
  }, timeout)

  it("end with equal sets, but where no round was held or a frame was asked for by itself", () => {
    for (const [name, { frames, held, held_after: after }] of sessions) {
      const refused = frames.some(({ frame }: any) => frame === "refuse")
      if (refused) assert.deepStrictEqual(after.leader, held.leader.map(({ digest }: any) => digest).sort(), name)
      else if (!name.startsWith("sync-questions")) assert.deepStrictEqual(after.leader, after.answerer, name)
    }
  })

  it("have audits over what the answering side holds", () => {
    let audits = 0
    for (const [name, { frames, held }] of sessions) {
      frames.forEach((asked: any, i: number) => {
        if (asked.frame !== "audit") return
        const hash = (bucket: number): string => {
          const digests = held.answerer.map((each: any) => [recordOf(each), raw(each.digest)] as const)
            .filter(([record]: any) => bucketOf(record.id) === bucket && domainOf(record) === asked.domain)
            .map(([, digest]: any) => digest).sort(Bytes.compare)
          return Bytes.toHex(hashes.blake3(Bytes.concat([raw(asked.nonce), ...digests])))
        }
        assert.strictEqual(frames[i + 1].hashes, `0x${asked.buckets.map(hash).join("")}`, name)
        audits++
      })
    }
    assert.isAtLeast(audits, 10)
  })
})
