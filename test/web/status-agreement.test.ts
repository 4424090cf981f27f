/** When the operator page says that nodes are in sync, and how it says numbers. */
import { assert, describe, it } from "@effect/vitest"
import type { NodePeers } from "../../src/api/index.ts"
import { advance, type Agreement, unknown, verdict } from "../../src/web/status/agreement.ts"
import * as Words from "../../src/web/status/words.ts"

type Peers = typeof NodePeers.Type
type Peer = Peers["peers"][number]
type Result = NonNullable<Peer["last_round"]>["result"]

const peer = (id: string, result?: Result, atMs = 0, equalMs?: number, since = 0): Peer => ({
  peer_id: id,
  address: "/ip4/127.0.0.1/tcp/1",
  direction: "inbound",
  since,
  gossips: true,
  ...(result === undefined ? {} : { last_round: { at: atMs, took_ms: 1, result, pulled: 0, pushed: 0, bytes: 1 } }),
  ...(equalMs === undefined ? {} : { last_equal: { at: equalMs, horizon: equalMs - 10_000 } })
})

const standing = (...peers: ReadonlyArray<Peer>): Peers => ({
  records: { identity: 0, members: 0, messages: 0 },
  clock: { median_ms: 0, peers: 0, off: false },
  waiting: { records: 0, bytes: 0 },
  gossip_queued: 0,
  peers
})

/** Looks one after another: what is said after each. */
const verdicts = (looks: ReadonlyArray<readonly [nowMs: number, unequal: number | undefined, ...Array<Peer>]>) => {
  let agreement: Agreement = unknown
  return looks.map(([nowMs, unequal, ...peers]) => {
    agreement = advance(agreement, standing(...peers), unequal, nowMs)
    const found = verdict(agreement, standing(...peers))
    return found.is === "equal" ? [found.sinceMs ?? "once", found.upToMs] : found.is === "open" ? found.equal : found.is
  })
}

describe("in sync", () => {
  it("is said of all peers, each found equal at its last comparison", () => {
    assert.deepStrictEqual(verdicts([[100_000, 0]]), ["alone"])
    assert.deepStrictEqual(verdicts([[100_000, 0, peer("a")]]), [0])
    assert.deepStrictEqual(verdicts([[100_000, 0, peer("a", "repaired", 99_000)]]), [0])
    assert.deepStrictEqual(verdicts([[100_000, 0, peer("a", "equal", 99_000, 99_000)]]), [[89_000, 89_000]])
    assert.deepStrictEqual(
      verdicts([[100_000, 0, peer("a", "equal", 99_000, 99_000), peer("b", "equal", 95_000, 95_000)]]),
      [["once", 85_000]]
    )
    assert.deepStrictEqual(
      verdicts([[100_000, 0, peer("a", "equal", 99_000, 99_000), peer("b", "behind", 95_000, 90_000)]]),
      [1]
    )
  })

  it("counts from the first of a row of equal comparisons", () => {
    assert.deepStrictEqual(
      verdicts([
        [100_000, 3, peer("a", "equal", 99_000, 99_000)],
        [110_000, 3, peer("a", "equal", 109_000, 109_000)],
        // a peer without time, and a comparison that was cut off, say nothing about the records
        [120_000, 3, peer("a", "busy", 119_000, 109_000)],
        [130_000, 3, peer("a", "failed", 129_000, 109_000)],
        [140_000, 3, peer("a", "equal", 139_000, 139_000)]
      ]),
      [[89_000, 89_000], [89_000, 99_000], [89_000, 99_000], [89_000, 99_000], [89_000, 129_000]]
    )
  })

  it("is taken back when a comparison found a difference, although the page saw only the equal one after it", () => {
    assert.deepStrictEqual(
      verdicts([
        [100_000, 3, peer("a", "equal", 99_000, 99_000), peer("b", "equal", 99_000, 99_000)],
        [102_000, 4, peer("a", "equal", 99_000, 99_000), peer("b", "equal", 101_900, 101_900)],
        // only comparisons from now on prove something
        [112_000, 4, peer("a", "equal", 111_000, 111_000), peer("b", "equal", 101_900, 101_900)],
        [114_000, 4, peer("a", "equal", 111_000, 111_000), peer("b", "equal", 113_000, 113_000)],
        [122_000, 4, peer("a", "equal", 121_000, 121_000), peer("b", "equal", 123_000, 123_000)]
      ]),
      [[89_000, 89_000], 0, 1, ["once", 101_000], [103_000, 111_000]]
    )
  })

  it("begins anew with a restart of the node, a peer that comes again, and a peer not asked for long", () => {
    const equal = (atMs: number, since?: number) => peer("a", "equal", atMs, atMs, since)
    assert.deepStrictEqual(
      verdicts([[100_000, 3, equal(99_000)], [110_000, 0, equal(109_000)], [120_000, 0, equal(119_000)]]),
      [[89_000, 89_000], 0, [109_000, 109_000]]
    )
    assert.deepStrictEqual(
      verdicts([[100_000, 0, equal(99_000)], [110_000, 0, equal(109_000, 105_000)]]),
      [[89_000, 89_000], [99_000, 99_000]]
    )
    assert.deepStrictEqual(
      verdicts([[100_000, 0, equal(99_000)], [189_000, 0, equal(99_000)], [189_001, 0, equal(99_000)]]),
      [[89_000, 89_000], [89_000, 89_000], 0]
    )
  })

  it("has no memory where the node does not count its comparisons", () => {
    const looks = [100_000, 110_000].map((atMs) => [atMs, undefined, peer("a", "equal", atMs, atMs)] as const)
    assert.deepStrictEqual(verdicts(looks.map((look) => [...look])), [[90_000, 90_000], [100_000, 100_000]])
  })
})

describe("words", () => {
  it("of numbers", () => {
    assert.deepStrictEqual([0, 0.0361, 1.234, 12.34, 99.96, 123.4, 1234567].map(Words.number), [
      "0",
      "0.0361",
      "1.23",
      "12.3",
      "100",
      "123",
      "1\u202f234\u202f567"
    ])
    assert.strictEqual(Words.counted(1, "peer"), "1 peer")
    assert.strictEqual(Words.counted(0, "peer"), "0 peers")
  })

  it("of sizes", () => {
    assert.deepStrictEqual([0, 0.5, 1, 1_023, 1_024, 1_536, 2 ** 20, 5 * 2 ** 30, 2 ** 52].map(Words.bytes), [
      "0 B",
      "0.5 B",
      "1 B",
      "1\u202f023 B",
      "1 KiB",
      "1.5 KiB",
      "1 MiB",
      "5 GiB",
      "4\u202f096 TiB"
    ])
  })

  it("of times", () => {
    assert.deepStrictEqual([-5, 119_000, 120_000, 7_199_000, 7_200_000, 172_800_000].map(Words.span), [
      "0 s",
      "119 s",
      "2 min",
      "120 min",
      "2 h",
      "2 days"
    ])
    assert.deepStrictEqual([0.42, 12, 999, 1_500].map(Words.milliseconds), ["0.42 ms", "12 ms", "999 ms", "1.5 s"])
    assert.deepStrictEqual([0.3, 1_500, -20].map(Words.clockOffset), ["same time", "1.5 s later", "20 ms earlier"])
    const noon = new Date(2026, 10, 3, 12, 0, 5).getTime()
    assert.strictEqual(Words.timeOfDay(noon, noon + 1_000), "12:00:05")
    assert.strictEqual(Words.timeOfDay(noon, noon + 86_400_000), "2026-11-03 12:00:05")
  })

  it("of ids and addresses", () => {
    assert.strictEqual(Words.shortened("12D3KooWHkwh7gjGPs16"), "12D3KooW…7gjGPs16")
    assert.strictEqual(Words.shortened("short"), "short")
    assert.strictEqual(Words.withoutId("/ip4/127.0.0.1/tcp/1/p2p/12D3"), "/ip4/127.0.0.1/tcp/1")
  })
})
