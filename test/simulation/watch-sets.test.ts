/** What may be in a set of records, and what may leave it: each oracle is shown what must not be, and sees it. */
import { assert, describe } from "@effect/vitest"
import * as Hlc from "../../src/domain/hlc.ts"
import { dotOf, type Record } from "../../src/domain/record.ts"
import { bytes, draftOf, on, one, type Stage } from "./watch-stage.ts"

describe("signature", () => {
  on("takes what is signed, in every kind", (stage) => {
    const { alice, bob } = stage
    stage.committed([
      stage.create([bob]),
      stage.message(bob, undefined),
      stage.message(alice, bob),
      stage.read(bob, Hlc.zero),
      stage.identity(alice, bytes(128))
    ])
    assert.deepStrictEqual(stage.found("signature"), [])
    assert.deepStrictEqual(stage.found("acceptance"), [])
  })

  on("sees an altered text, once for all nodes", (stage) => {
    const message = stage.message(stage.alice, stage.bob)
    stage.committed([{ ...message, content: "altered" }])
    stage.committed([{ ...message, content: "altered" }], "stored", stage.cluster.node(1))
    one(stage.found("signature"), /^n0: message [0-9a-f]{8} the id is not that of its fields$/)
  }, 2)

  const message = (alter: (record: Record, stage: Stage) => Record, what: RegExp) => (stage: Stage) => {
    stage.committed([alter(stage.message(stage.alice, stage.bob), stage)])
    one(stage.found("signature"), what)
  }
  on(
    "sees another's signature",
    message((record, stage) => {
      const { sig } = stage.message(stage.bob, stage.alice)
      return { ...record, sig }
    }, /is not signed by its author/)
  )
  on("sees the other version of a signature", message((record) => ({ ...record, sigVersion: 2 }), /not signed/))
  on(
    "sees a high s",
    message((record) => {
      const sig = new Uint8Array(record.sig)
      sig[32] = 0xf0
      return { ...record, sig }
    }, /s of sig is high/)
  )
  on("sees a chat that is not of its parties", (stage) => {
    const other = stage.message(stage.alice, undefined)
    stage.committed([{ ...other, peer: stage.bob.address }])
    one(stage.found("signature"), /chat_id is not of author and peer/)
  })
  on("sees an op at another place than its node stamped", (stage) => {
    const op = stage.create([])
    stage.committed([{ ...op, hlc: Hlc.make(Hlc.physicalMs(op.hlc) + 1, 0) }])
    one(stage.found("signature"), /is not stamped by its node/)
  })
  on("sees an op that saw other dots than its node stamped", (stage) => {
    const { alice, bob, chatId } = stage
    const op = stage.op(alice, { op: 2, targets: [bob.address] }, { observed: [dotOf(chatId, bob.address)] })
    stage.committed([{ ...op, observed: [] }])
    one(stage.found("signature"), /is not stamped by its node/)
  })
})

describe("acceptance", () => {
  // FAILURES 7: just inside, at and just outside every bound
  on("FAILURES 7: takes a stamp 90 s from its time, 60 s ahead of the clock, and no more", (stage) => {
    const { alice, bob } = stage
    stage.committed([
      stage.message(alice, bob, { tsMs: -30_000, atMs: 60_000 }),
      stage.message(alice, bob, { tsMs: 90_000, atMs: 0 })
    ])
    assert.deepStrictEqual(stage.found("acceptance"), [])
    stage.committed([stage.message(alice, bob, { tsMs: 90_001, atMs: 0 })])
    one(stage.found("acceptance"), /is stamped -90001 ms from its ts/)
    stage.committed([stage.message(alice, bob, { atMs: 60_001 })])
    assert.match(stage.found("acceptance")[1]!, /is 60001 ms ahead of its wall clock/)
  })
  on("takes a record that was taken before the clock was set back", (stage) => {
    const message = stage.message(stage.alice, stage.bob, { atMs: 60_000 })
    stage.watching.sample()
    stage.node.clock.set({ skewMs: -20_000 })
    stage.cluster.time.advance(100)
    stage.committed([message])
    assert.deepStrictEqual(stage.found("acceptance"), [])
    // nothing was queued any more: this was taken after that
    stage.committed([stage.message(stage.alice, stage.bob, { atMs: 60_001 })])
    one(stage.found("acceptance"), /is 60001 ms ahead/)
  })
  on("sees a message of somebody whom no op names, and the op of one who never could be an admin", (stage) => {
    const { alice, bob, carol } = stage
    stage.committed([stage.create([bob]), stage.message(carol, undefined), stage.op(bob, { targets: [carol.address] })])
    const [first, second] = stage.found("acceptance")
    assert.match(first!, /^n0: message .* lacks what it needs/)
    assert.match(second!, /^n0: op .* lacks what it needs/)
    stage.committed([stage.op(alice, { targets: [bob.address], role: 1 }), stage.op(bob, { targets: [carol.address] })])
    stage.committed([stage.message(carol, undefined), stage.read(carol, Hlc.zero)])
    assert.strictEqual(stage.found("acceptance").length, 2, "once named, she may")
  })
  const bound = (name: string, make: (stage: Stage, over: number) => Record) =>
    on(`FAILURES 7: ${name}`, (stage) => {
      stage.committed([make(stage, 0)])
      assert.deepStrictEqual(stage.found("acceptance"), [])
      stage.committed([make(stage, 1)])
      assert.strictEqual(stage.found("acceptance").length, 1)
    })
  bound(
    "32 KiB of content",
    (stage, over) => stage.message(stage.alice, stage.bob, { content: "x".repeat(32_768 + over) })
  )
  bound("128 bytes of identity", (stage, over) => stage.identity(stage.alice, bytes(128 + over), { tsMs: over }))
  bound("a mark at its own stamp", (stage, over) => {
    stage.committed([stage.create([], { atMs: -1_000, tsMs: over })], over === 0 ? "stored" : "replaced")
    return stage.read(stage.alice, Hlc.make(stage.node.clock.wallMs + 1, over), { tsMs: over })
  })
})

describe("lost", () => {
  on("sees what has vanished, and what was never committed", (stage) => {
    stage.write(stage.alice, draftOf(stage), true)
    stage.cluster.time.advance(1_000)
    const records = stage.node.disk.records()
    assert.strictEqual(records.length, 1)
    stage.watching.end()
    assert.deepStrictEqual(stage.cluster.findings, [])
    const identity = stage.identity(stage.bob, bytes(1))
    stage.node.disk.records = () => [identity]
    stage.node.crash()
    const found = stage.found("lost").join("\n")
    assert.match(found, /message [0-9a-f]{8} has vanished from the disk/)
    assert.match(found, /identity [0-9a-f]{8} is on the disk and was never committed/)
  })
  on("FAILURES 19: sees a record that was changed on the disk", (stage) => {
    stage.write(stage.alice, draftOf(stage), true)
    stage.cluster.time.advance(1_000)
    const [record] = stage.node.disk.records()
    stage.node.disk.records = () => [{ ...record!, hlc: Hlc.make(Hlc.physicalMs(record!.hlc), 7) }]
    stage.watching.end()
    assert.match(stage.found("lost").join("\n"), /was changed on the disk/)
  })
  on("sees a variant take a slot that is not its own", (stage) => {
    const message = stage.message(stage.alice, stage.bob)
    const later = { ...message, hlc: Hlc.make(Hlc.physicalMs(message.hlc) + 1, 0) }
    stage.committed([later])
    stage.committed([message], "replaced")
    stage.committed([later], "superseded")
    stage.committed([message], "known")
    assert.deepStrictEqual(stage.found("lost"), [])
    stage.committed([later], "replaced")
    one(stage.found("lost"), /was replaced where it must be superseded/)
  })
  on("sees at the end what one disk has and another lacks", (stage) => {
    stage.cluster.partition([0], [1])
    stage.write(stage.alice, draftOf(stage), true)
    stage.cluster.time.advance(1_000)
    stage.watching.end()
    one(stage.found("lost"), /^n1: message [0-9a-f]{8} is not here/)
  }, 2)
  on("a disk that was wiped has lost nothing", (stage) => {
    stage.write(stage.alice, draftOf(stage), true)
    stage.cluster.time.advance(1_000)
    stage.node.crash()
    stage.node.disk.wipe()
    stage.node.start()
    stage.watching.end()
    assert.deepStrictEqual(stage.cluster.findings, [])
  })
})

describe("aged", () => {
  const dayMs = 86_400_000
  /** Ms from now to the cutoff. */
  const cutoff = (stage: Stage) => {
    const now = stage.node.clock.wallMs
    return now - now % 3_600_000 - 30 * dayMs - now
  }
  on("FAILURES 1, 7: sees a record at the cutoff taken in, and none above it", (stage) => {
    const { alice, bob } = stage
    const at = cutoff(stage)
    stage.committed([
      stage.message(alice, bob, { tsMs: at, atMs: at + 1 }),
      stage.identity(alice, bytes(1), { tsMs: at, atMs: at })
    ])
    assert.deepStrictEqual(stage.found("aged"), [])
    stage.committed([stage.message(alice, bob, { tsMs: at, atMs: at })])
    one(stage.found("aged"), /message .* was stored, the cutoff is \d+/)
  })
  on("FAILURES 1: sees one come back that all had collected", (stage) => {
    const at = cutoff(stage) - 1
    const message = stage.message(stage.alice, stage.bob, { tsMs: at, atMs: at })
    for (const node of stage.cluster.nodes) stage.committed([message], "stored", node)
    for (const node of stage.cluster.nodes) stage.cluster.told((each) => each.collected?.(node, message.hlc))
    stage.committed([message])
    assert.match(stage.found("aged").at(-1)!, /came back though all had collected it/)
    assert.deepStrictEqual(stage.found("lost"), [])
  }, 2)
  on("sees what is young collected", (stage) => {
    const [at, over] = [0, 1].map((ms) => Hlc.make(stage.node.clock.wallMs + cutoff(stage) + ms, 0xffff))
    stage.cluster.told((each) => each.collected?.(stage.node, at!))
    assert.deepStrictEqual(stage.found("aged"), [])
    stage.cluster.told((each) => each.collected?.(stage.node, over!))
    one(stage.found("aged"), /collects up to \d+, the cutoff is \d+/)
  })
})
