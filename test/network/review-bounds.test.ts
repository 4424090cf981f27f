/** What a peer makes this node keep, and what a step of the wall clock does. */
import { afterEach, assert, describe, it, vi } from "@effect/vitest"
import type { Libp2p } from "@libp2p/interface"
import { Effect, Logger } from "effect"
import { setTimeout } from "node:timers/promises"
import { defaultConnectionLimits } from "../../src/layers/network/bounds.ts"
import * as Complaints from "../../src/layers/network/complaints.ts"
import { makeInbox } from "../../src/layers/network/frames.ts"
import * as Keeper from "../../src/layers/network/keeper.ts"
import type { NetworkMetrics } from "../../src/layers/network/metrics.ts"
import * as Shunned from "../../src/layers/network/shunned.ts"

describe("failure 5: a frame in very small pieces", () => {
  const numbered = (count: number, size: (i: number) => number) => {
    let next = 0
    return Array.from({ length: count }, (_, i) => Uint8Array.from({ length: size(i) }, () => next++ & 255))
  }

  it("takes memory in proportion to its bytes", () => {
    const inbox = makeInbox()
    for (let i = 0; i < 1_000_000; i++) inbox.add(Uint8Array.of(i & 255))
    assert.strictEqual(inbox.bytes(), 1_000_000)
    assert.isTrue(inbox.pieces() < 20, `${inbox.pieces()} pieces`)
    const taken = inbox.take(1_000_000)
    assert.isTrue(taken.every((byte, i) => byte === (i & 255)))
  })

  it("keeps nothing else alive that came along with them", () => {
    const inbox = makeInbox()
    const wide = new Uint8Array(65_536)
    inbox.add(wide.subarray(7, 8))
    wide.fill(9)
    assert.deepStrictEqual(inbox.take(1), Uint8Array.of(0))
  })

  it("is put together in order, whatever the sizes and however it is taken", () => {
    for (let round = 0; round < 20; round++) {
      const inbox = makeInbox()
      const sizes = [1, 3, 100, 4_095, 4_096, 5_000, 70_000]
      const pieces = numbered(200, (i) => sizes[(i * 7 + round * (i % 5)) % sizes.length]!)
      const all = Buffer.concat(pieces)
      const parts: Array<Uint8Array> = []
      const take = (count: number) => parts.push(inbox.take(count))
      for (const [i, piece] of pieces.entries()) {
        inbox.add(piece)
        if (i % 3 === round % 3) take(Math.floor(inbox.bytes() / 2))
        if (i % 50 === round) take(inbox.bytes())
      }
      take(inbox.bytes())
      assert.isTrue(all.equals(Buffer.concat(parts)))
    }
  })
})

describe("failure 10: a wall clock that is set back", () => {
  afterEach(() => vi.restoreAllMocks())
  const setBack = () => {
    const wallMs = Date.now() - 3_600_000
    vi.spyOn(Date, "now").mockImplementation(() => wallMs)
  }

  it("does not put off the next dial", async () => {
    let dials = 0
    const libp2p = {
      peerId: { toString: () => "own" },
      getConnections: () => [],
      dial: () => {
        dials++
        return Promise.reject(new Error("nobody there"))
      }
    } as unknown as Libp2p
    const ignore = () => {}
    const limits = { ...defaultConnectionLimits, redialMs: 10, redialBootstrapMsMax: 10 }
    const metrics = { dialled: ignore, known: ignore } as unknown as NetworkMetrics
    const keeper = Keeper.make(libp2p, ["/ip4/127.0.0.1/tcp/9"], limits, metrics, { warn: ignore }, () => false)
    keeper.tick()
    await setTimeout(5)
    assert.strictEqual(dials, 1)
    setBack()
    await vi.waitFor(() => {
      keeper.tick()
      assert.isAbove(dials, 1)
    }, 10_000)
    keeper.stop()
  })

  it("does not keep a peer out for longer", async () => {
    const shunned = Shunned.make()
    shunned.add("a", 20)
    setBack()
    await vi.waitFor(() => assert.isFalse(shunned.has("a")), 10_000)
  })
})

describe("failure 4: complaints about others", () => {
  it.effect("are bounded in number, however many kinds there are", () =>
    Effect.gen(function*() {
      const lines: Array<unknown> = []
      const logger = Logger.make(({ message }) => lines.push(message))
      const complaints = yield* Effect.provide(Complaints.make, Logger.layer([logger]))
      for (let i = 0; i < 5_000; i++) complaints.warn(`shun ${i}`, "a peer is dropped for a while")
      yield* Effect.promise(() => setTimeout(5))
      assert.strictEqual(lines.length, 512)
    }))
})
