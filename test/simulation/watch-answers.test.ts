/** Clocks, promises and authority: each oracle is shown what must not be, and sees it. */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import * as Hlc from "../../src/domain/hlc.ts"
import type * as Ids from "../../src/domain/ids.ts"
import { dotOf, type Record } from "../../src/domain/record.ts"
import { HybridClock } from "../../src/services/HybridClock.ts"
import { Store } from "../../src/services/Store.ts"
import { Writer } from "../../src/services/Writer.ts"
import { goodDisk } from "../../src/testing/disk.ts"
import { draftOf, on, one, type Stage } from "./watch-stage.ts"

describe("clock", () => {
  on("sees a clock that goes back", (stage) => {
    stage.watching.sample()
    stage.break(HybridClock, { last: () => Hlc.make(stage.node.clock.wallMs + 5, 0) })
    stage.watching.sample()
    assert.deepStrictEqual(stage.found("clock"), [])
    stage.break(HybridClock, { last: () => Hlc.make(stage.node.clock.wallMs + 4, 9) })
    stage.watching.sample()
    one(stage.found("clock"), /went back from \d+\.0 to \d+\.9/)
  })
  on("FAILURES 6, 7: sees one that is more than 60 s ahead of all that its wall clock has shown", (stage) => {
    const start = stage.node.clock.wallMs
    const ahead = (ms: number) => {
      stage.break(HybridClock, { last: () => Hlc.make(start + 20_000 + ms, 0) })
      stage.watching.sample()
    }
    stage.watching.sample()
    stage.node.clock.set({ skewMs: 20_000 })
    stage.watching.sample()
    stage.node.clock.set({ skewMs: -20_000 })
    ahead(60_001)
    assert.deepStrictEqual(stage.found("clock"), [], "set back, the clock is not to follow")
    ahead(60_002)
    one(stage.found("clock"), /is 60002 ms ahead of its wall clock/)
  })
  on("sees a node that starts below what its disk holds", (stage) => {
    const { node } = stage
    const open = node.disk.open.bind(node.disk)
    node.disk.open = () => Store.of({ ...open(), clock: Effect.succeed(Hlc.zero) })
    stage.write(stage.alice, draftOf(stage), true)
    stage.cluster.time.advance(1_000)
    node.stop()
    stage.watching.sample()
    node.clock.set({ skewMs: -30_000 })
    node.start()
    one(stage.found("clock"), /starts at 0\.0, below \d+\.0 on its disk/)
  })
  on("sees a record on the disk that the clock has not met", (stage) => {
    stage.committed([stage.message(stage.alice, stage.bob, { atMs: 1 })])
    one(stage.found("clock"), /is stored, stamped above the clock/)
  })
  on("sees a stamp that is given twice, and one that is not above what was there", (stage) => {
    const { alice, bob } = stage
    const [first, second, third] = [stage.message(alice, bob), stage.message(alice, bob), stage.message(alice, bob)]
    const tries = [first, second, third].map((record) => stage.attempt(record, alice))
    stage.accept(tries[0]!, first.hlc, false)
    stage.accept(tries[1]!, first.hlc, false)
    one(stage.found("clock"), /was given the stamp of [0-9a-f]{8}/)
    stage.accept(tries[2]!, Hlc.zero, false)
    assert.match(stage.found("clock")[1]!, /was stamped 0\.0, not above/)
  })
})

describe("promise", () => {
  on("sees a 201 that comes before the commit", (stage) => {
    const message = stage.message(stage.alice, stage.bob)
    stage.accept(stage.attempt(message, stage.alice), message.hlc)
    one(stage.found("promise"), /was answered 201 and is not on the disk$/)
  })
  on("sees a 202 that is forgotten, as soon as nothing is queued", (stage) => {
    const message = stage.message(stage.alice, stage.bob)
    stage.accept(stage.attempt(message, stage.alice), message.hlc, false)
    stage.watching.sample()
    one(stage.found("promise"), /answered 202 and is not on the disk though nothing is queued/)
  })
  on("FAILURES 15: sees a queue that stands still on a good disk, and waits for a bad one", (stage) => {
    const message = stage.message(stage.alice, stage.bob)
    stage.break(Writer, { stats: () => ({ queued: 1, queuedBytes: 600, committed: 0 }) })
    stage.accept(stage.attempt(message, stage.alice), message.hlc, false)
    stage.node.disk.conditions = { ...goodDisk, failRate: 1 }
    stage.cluster.time.advance(200_000)
    stage.watching.sample()
    stage.node.disk.conditions = goodDisk
    stage.cluster.time.advance(119_000)
    stage.watching.sample()
    assert.deepStrictEqual(stage.found("promise"), [])
    stage.cluster.time.advance(2_000)
    stage.watching.sample()
    one(stage.found("promise"), /answered 202 and is not on the disk after 121000 ms/)
  })
  on("a kill may lose a 202, a clean end may not", (stage) => {
    const owe = () => {
      const message = stage.message(stage.alice, stage.bob)
      stage.accept(stage.attempt(message, stage.alice), message.hlc, false)
    }
    owe()
    stage.node.crash()
    stage.node.start()
    assert.deepStrictEqual(stage.found("promise"), [])
    owe()
    stage.node.stop()
    one(stage.found("promise"), /answered 202 and is not on the disk after a clean end/)
  })
  on("sees a writer that says it has written and has not", (stage) => {
    const open = stage.node.disk.open.bind(stage.node.disk)
    stage.node.stop()
    stage.node.disk.open = () => {
      const store = open()
      return Store.of({
        ...store,
        commit: (records) =>
          Effect.succeed({ number: 1, outcomes: records.map(() => "stored" as const), firstArrival: 1, leaves: [] })
      })
    }
    stage.node.start()
    stage.write(stage.alice, draftOf(stage), true)
    stage.cluster.time.advance(1_000)
    stage.watching.sample()
    one(stage.found("promise"), /was answered 201 and is not on the disk/)
    one(stage.found("forward"), /counts 1 commits of records, its disk 0/)
  })
  on("sees a repeated write that is stamped anew", (stage) => {
    const message = stage.message(stage.alice, stage.bob)
    const later = Hlc.make(Hlc.physicalMs(message.hlc) + 1, 0)
    const [first, again] = [stage.attempt(message, stage.alice), stage.attempt(message, stage.alice)]
    stage.committed([message])
    stage.accept(first, message.hlc)
    stage.accept(again, message.hlc)
    assert.deepStrictEqual(stage.found("promise"), [])
    stage.accept(stage.attempt(message, stage.alice), later)
    one(stage.found("promise"), /was answered \d+\.0, and then \d+\.0$/)
  })
  on("takes an earlier variant from elsewhere as the answer, if anybody ever has it", (stage) => {
    const message = stage.message(stage.alice, stage.bob, { atMs: 9 })
    stage.committed([message])
    stage.accept(stage.attempt(message, stage.alice), message.hlc)
    stage.attempt(message, stage.alice, true, stage.cluster.node(1))
    const [made, met] = [7, 8].map((ms) => Hlc.make(stage.node.clock.wallMs + ms, 0))
    stage.accept(stage.attempt(message, stage.alice), met!)
    stage.accept(stage.attempt(message, stage.alice), made!)
    stage.committed([{ ...message, hlc: met! }], "stored", stage.cluster.node(1))
    assert.deepStrictEqual(stage.found("promise"), [])
    stage.watching.end()
    one(stage.found("promise"), new RegExp(`and then ${Hlc.physicalMs(made!)}`))
  }, 2)
})

describe("authority", () => {
  /** Alice's group with Bob in it, as it stands at the node; what then is taken from users must be found, or must not. */
  const inGroup = (what: string, run: (stage: Stage, bobsDot: string) => void, finds?: RegExp) =>
    on(what, (stage) => {
      const create = stage.create([stage.bob], { atMs: 1 })
      stage.taken(create, stage.alice)
      run(stage, dotOf(create.id, stage.bob.address))
      const found = stage.found("authority")
      if (finds === undefined) assert.deepStrictEqual(found, [])
      else one(found, finds)
    })
  const remove = (
    stage: Stage,
    target: Ids.Address,
    observed: ReadonlyArray<string>,
    atMs: number,
    by = stage.alice
  ) => stage.op(by, { op: 2, targets: [target] }, { atMs, observed })

  inGroup("lets members write, and admins act", (stage, dot) => {
    const { alice, bob, carol } = stage
    stage.taken(stage.message(bob, undefined, { atMs: 2 }), bob)
    stage.taken(stage.op(alice, { targets: [carol.address], role: 1 }, { atMs: 3 }), alice)
    stage.taken(remove(stage, bob.address, [dot], 4, carol), carol)
    stage.taken(stage.op(carol, { op: 3, title: "ours" }, { atMs: 5 }), carol)
  })
  inGroup("sees a message of one who was removed", (stage, dot) => {
    stage.committed([remove(stage, stage.bob.address, [dot], 2)])
    stage.taken(stage.message(stage.bob, undefined, { atMs: 3 }), stage.bob)
  }, /^n0: message .* was accepted, and is not of a member/)
  inGroup("sees a mark of one who was removed", (stage, dot) => {
    stage.committed([remove(stage, stage.bob.address, [dot], 2)])
    stage.taken(stage.read(stage.bob, Hlc.zero, { atMs: 3 }), stage.bob)
  }, /is not of a member/)
  inGroup("does not blame a node for what others took", (stage, dot) => {
    stage.committed([remove(stage, stage.bob.address, [dot], 2)])
    stage.committed([stage.message(stage.bob, undefined, { atMs: 3 })])
  })
  inGroup("does not blame a node for what came back after a loss", (stage, dot) => {
    const message = stage.message(stage.bob, undefined, { atMs: 2 })
    stage.accept(stage.attempt(message, stage.bob, false), message.hlc, false)
    stage.node.crash()
    stage.node.start()
    stage.committed([remove(stage, stage.bob.address, [dot], 3)])
    const again = stage.attempt(message, stage.bob)
    stage.committed([message])
    stage.accept(again, message.hlc)
  })
  inGroup("sees the op of a member who is no admin", (stage) => {
    const { bob, carol } = stage
    stage.taken(stage.op(bob, { targets: [carol.address] }, { atMs: 2 }), bob)
  }, /op .* was accepted, and has no effect: actor is no admin/)
  inGroup("FAILURES 26: sees an op that changes nothing", (stage) => {
    stage.taken(stage.op(stage.alice, { targets: [stage.bob.address] }, { atMs: 2 }), stage.alice)
  }, /changes nothing/)
  inGroup("sees a group that is founded again", (stage) => {
    stage.taken(stage.create([stage.carol], { atMs: 2, tsMs: 1 }), stage.alice)
  }, /founds a group that exists/)
  inGroup("sees the creator removed", (stage) => {
    const { alice, bob, chatId } = stage
    stage.committed([stage.op(alice, { targets: [bob.address], role: 1 }, { atMs: 2 })])
    stage.taken(remove(stage, alice.address, [dotOf(chatId as never, alice.address)], 3, bob), bob)
  }, /removes or demotes the creator/)
  inGroup("sees the last admin leave", (stage) => {
    const { alice, chatId } = stage
    stage.taken(remove(stage, alice.address, [dotOf(chatId as never, alice.address)], 2), alice)
  }, /has no effect: no admin would be left/)
  inGroup("sees a removal that did not look", (stage) => {
    stage.taken(remove(stage, stage.bob.address, [], 2), stage.alice)
  }, /changes nothing|did not observe/)
  inGroup("sees a removal that saw too little", (stage, dot) => {
    const { alice, bob, carol } = stage
    stage.committed([stage.op(alice, { targets: [carol.address], role: 1 }, { atMs: 2 })])
    stage.taken(
      stage.op(alice, { op: 2, targets: [bob.address, carol.address].sort() }, { atMs: 3, observed: [dot] }),
      alice
    )
  }, /did not observe what was live/)
  on("sees a write on a disk that was refused, whichever came first", (stage) => {
    const { alice, bob } = stage
    const [early, late, tried] = [stage.message(alice, bob), stage.message(alice, bob), stage.message(alice, bob)]
    const refuse = (record: Record) =>
      stage.answer({ _tag: "Refused", attempt: stage.attempt(record, alice), why: "Forbidden" })
    refuse(early)
    stage.committed([early])
    one(stage.found("authority"), /is on a disk, and was refused at n0/)
    stage.committed([late])
    refuse(late)
    assert.match(stage.found("authority")[1]!, /was refused, Forbidden, and is on the disk of n0/)
    stage.attempt(tried, alice)
    refuse(tried)
    stage.committed([tried])
    assert.strictEqual(stage.found("authority").length, 2, "another attempt was not answered")
  })
})
