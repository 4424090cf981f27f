/** Parts of the client's stream of events that are pure: what is remembered, and whose turn it is when. */
import { assert, describe, it } from "@effect/vitest"
import * as Memory from "../../src/client/event-memory.ts"
import * as Turns from "../../src/client/event-turns.ts"
import type { Ids } from "../../src/client/index.ts"
import type { NodeEvent } from "../../src/client/values.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import { hex } from "./events-node.ts"

const message = (number: number, hlc = Hlc.make(number, 0)): NodeEvent => ({
  type: "message",
  chat: { kind: "group", chatId: hex(1, 32) as Ids.ChatId },
  message: {
    msg_id: String(number).padStart(64, "0") as Ids.MessageId,
    chat_id: hex(1, 32) as Ids.ChatId,
    sender: hex(2, 20) as Ids.Address,
    ts: 0,
    hlc,
    msg_type: 0,
    content: ""
  }
})

describe("the memory of events", () => {
  it("knows the newest by stamp, and up to where it has forgotten", () => {
    const memory = Memory.make()
    const kept = Memory.eventsKept
    // the newest first: an order of arrival in which forgetting the oldest arrival would be wrong
    for (let number = 2 * kept; number > 0; number--) assert.isTrue(memory.isNew(message(number)))
    assert.strictEqual(memory.forgotten(), Hlc.zero)
    assert.isTrue(memory.isNew(message(2 * kept + 1)))
    assert.strictEqual(memory.forgotten(), Hlc.make(kept + 1, 0))
    assert.strictEqual(memory.newest(), Hlc.make(2 * kept + 1, 0))
    for (let number = kept + 2; number <= 2 * kept + 1; number++) assert.isFalse(memory.isNew(message(number)))
    assert.isTrue(memory.isNew(message(kept + 1)))
  })

  it("takes a message with another stamp for the same one", () => {
    const memory = Memory.make()
    assert.deepStrictEqual([memory.isNew(message(1)), memory.isNew(message(1, Hlc.make(9, 9)))], [true, false])
  })
})

describe("turns", () => {
  /** Pauses before each of so many attempts that fail at once, and whose they are. */
  const failing = (nodes: number, attempts: number, failMs = 0) => {
    const turns = Turns.make(nodes)
    let now = 1_000_000
    return Array.from({ length: attempts }, () => {
      const attempt = [turns.node(), turns.waitMs()] as const
      now += turns.waitMs()
      turns.asked(now)
      now += failMs
      turns.lost(now, 0, 1)
      return attempt
    })
  }

  it("wait longer for one node with each failure, up to ten seconds", () => {
    const pauses = failing(1, 40).map(([, ms]) => ms)
    assert.deepStrictEqual(pauses.slice(0, 9), [0, 100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000])
    assert.isTrue(pauses.slice(8).every((ms) => ms === 10_000))
  })

  it("leave a node after three failures, then go through all, with a longer pause after each round", () => {
    assert.deepStrictEqual(failing(3, 10), [
      [0, 0],
      [0, 100],
      [0, 200],
      [1, 400],
      [2, 400],
      [0, 400],
      [1, 800],
      [2, 800],
      [0, 800],
      [1, 1_600]
    ])
  })

  it("leave a node after five seconds without an answer", () => {
    assert.deepStrictEqual(failing(2, 3, 5_000).map(([node]) => node), [0, 1, 0])
    assert.deepStrictEqual(failing(2, 3, 2_000).map(([node]) => node), [0, 0, 0])
  })

  it("begin anew after a good stream: one that told something, or that stood for a while", () => {
    for (const isMoved of [true, false]) {
      const turns = Turns.make(2)
      for (let i = 0; i < 2; i++) {
        turns.asked(0)
        turns.lost(0, 0, 1)
      }
      turns.asked(0)
      turns.opened(0)
      if (isMoved) turns.moved()
      turns.lost(isMoved ? 9_999 : 10_000, 0, 1)
      assert.deepStrictEqual([turns.node(), turns.waitMs()], [0, 100])
    }
    const short = Turns.make(2)
    const nodes = Array.from({ length: 3 }, (_, i) => {
      short.asked(i * 20_000)
      short.opened(i * 20_000)
      short.lost(i * 20_000 + 9_999, 0, 1)
      return short.node()
    })
    assert.deepStrictEqual(nodes, [0, 0, 1])
  })

  it("spread those who lost a node at one moment over half of the pause", () => {
    const waits = [0, 0.5, 1].map((chance) => {
      const turns = Turns.make(1)
      turns.asked(0)
      turns.lost(0, 0, chance)
      return turns.waitMs()
    })
    assert.deepStrictEqual(waits, [50, 75, 100])
  })
})
