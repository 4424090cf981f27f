import { assert, describe, it } from "@effect/vitest"
import * as Limits from "../../src/domain/limits.ts"

describe("limits", () => {
  it("have the values of the protocol: a replica with others diverges", () => {
    assert.deepStrictEqual(
      [Limits.driftMsMax, Limits.stampMsMax, Limits.requestMsMax, Limits.tsMsEnd, Limits.logicalMax],
      [60_000, 90_000, 30_000, 281_474_976_710_656, 65_535]
    )
    assert.deepStrictEqual(
      [Limits.contentBytesMax, Limits.controlBytesMax, Limits.identityBytesMax, Limits.titleBytesMax],
      [32_768, 32_768, 128, 128]
    )
    assert.deepStrictEqual([Limits.targetsMax, Limits.observedMax, Limits.nodeIdBytesMax, Limits.msgTypeMax], [
      256,
      4_096,
      64,
      255
    ])
    assert.deepStrictEqual([Limits.gossipBytesMax, Limits.frameBytesMax, Limits.batchRecordsMax], [
      1_048_576,
      16_777_216,
      64
    ])
    assert.deepStrictEqual([Limits.retentionMs, Limits.retentionStepMs], [2_592_000_000, 3_600_000])
    assert.deepStrictEqual([Limits.unreadMax, Limits.pageMax, Limits.pageDefault, Limits.waitSecondsMax], [
      999,
      500,
      50,
      10
    ])
    assert.deepStrictEqual(
      [
        Limits.defaultIngestLimits.groupMembersMax,
        Limits.defaultIngestLimits.bodyBytesMax,
        Limits.defaultIngestLimits.inFlightMax
      ],
      [10_000, 262_144, 2_400]
    )
  })

  it("fit each other", () => {
    // an honest author within the window, stamped by an honest clock that runs MAX_DRIFT ahead, is accepted
    assert.isAtMost(Limits.requestMsMax + Limits.driftMsMax, Limits.stampMsMax)
    // the tree has as many leaves as two bytes name, and as its levels reach
    assert.strictEqual(Limits.leavesCount, 2 ** 16)
    assert.strictEqual(Limits.branchCount ** Limits.levelsCount, Limits.leavesCount)
    // the largest record of each kind fits in one gossip payload, and a page of sync in one frame
    const envelope = 512
    assert.isBelow(Limits.contentBytesMax + Limits.controlBytesMax + envelope, Limits.gossipBytesMax)
    assert.isBelow(
      Limits.observedMax * 60 + Limits.targetsMax * 22 + Limits.titleBytesMax + envelope,
      Limits.gossipBytesMax
    )
    assert.isBelow(Limits.gossipBytesMax, Limits.frameBytesMax)
    // the largest legal write fits in a body: control doubles at most in JSON escapes and base64
    assert.isAtMost(
      6 * Limits.contentBytesMax + Math.ceil(Limits.controlBytesMax / 3) * 4 + 1_024,
      Limits.defaultIngestLimits.bodyBytesMax
    )
    // lists are counted in 16 bits
    assert.isBelow(Limits.observedMax, 2 ** 16)
    assert.isBelow(Limits.targetsMax, 2 ** 16)
    assert.strictEqual(Limits.retentionMs % Limits.retentionStepMs, 0)
    assert.isAtMost(Limits.pageDefault, Limits.pageMax)
  })
})
