/** What the oracles of views are held against is itself held against the domain, which it does not use. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Authority } from "../../src/domain/authority.ts"
import type * as Ids from "../../src/domain/ids.ts"
import { Membership } from "../../src/domain/membership.ts"
import { dotOf, type Message, type Op, opTypes, type Record } from "../../src/domain/record.ts"
import * as Variants from "../../src/domain/variants.ts"
import * as Fold from "../../src/testing/model/fold.ts"
import { oneEach, slotIn, takes } from "../../src/testing/model/set.ts"
import { ModelViews } from "../../src/testing/model/views.ts"
import { batches, chatId as modelChat, everyone, randomFrom, randomOps } from "../domain/membership-model.ts"
import { aMessage, aRecord, Dice, kinds, Seed } from "../domain/records.ts"

const runs = (numRuns: number) => ({ arbitrary: { runs: numRuns } })
const Size = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 40 }))

describe("the model of views", () => {
  it.prop("folds as the domain does, after every batch and at every stamp", [Seed, Size], ([seed, size]) => {
    const random = randomFrom(seed)
    const membership = new Membership(modelChat)
    const folds = new Fold.ModelFolds()
    const arrived: Array<Op> = []
    for (const batch of batches(random, randomOps(random, size))) {
      arrived.push(...batch)
      membership.insert(batch)
      const group = folds.of(modelChat, arrived)
      assert.deepStrictEqual(Fold.membersOf(group.end), membership.members())
      assert.strictEqual(group.end.title, membership.title)
      assert.strictEqual(group.creator, membership.creator)
      const dots = group.end.dots.map((dot) => dotOf(dot.by, dot.target)).sort()
      assert.deepStrictEqual(dots, membership.liveDots(everyone))
      for (const { target } of Fold.undisputed(group)) assert.isTrue(group.end.roles.has(target), "add wins")
    }
    const group = folds.of(modelChat, arrived)
    assert.deepStrictEqual(group, Fold.foldGroup(arrived), "with what was known, as without")
    for (const { after } of group.steps) {
      assert.isTrue(after.roles.size === 0 || [...after.roles.values()].includes(1), "members without an admin")
    }
    for (let hlc = 0n; hlc < 27n; hlc++) {
      for (const user of everyone) {
        const stamp = hlc as Op["hlc"]
        assert.strictEqual(Fold.isShown(group, user, stamp), membership.wasMemberAt(user, stamp))
      }
    }
  }, runs(250))

  it.prop("knows who could ever write as the domain does", [Seed, Size], ([seed, size]) => {
    const group = Fold.foldGroup(randomOps(randomFrom(seed), size))
    const authority = new Authority()
    const ops = group.steps.map(({ op }) => op)
    const accepted = ops.filter((op) => Fold.mayIssue(group, op))
    for (const op of accepted) authority.add(op)
    for (const user of everyone) {
      assert.strictEqual(group.writers.has(user), authority.isWriter(user))
      assert.strictEqual(group.participants.has(user), authority.isParticipant(user))
    }
    for (const op of ops) {
      assert.strictEqual(accepted.includes(op), op.op === opTypes.create || authority.mayIssue(op))
    }
  }, runs(200))

  it.prop("keeps the variant that the domain keeps", [Seed, Schema.Literals(kinds)], ([seed, kind]) => {
    const dice = new Dice(seed)
    const slot = dice.word()
    const rivals = Array.from({ length: 4 }, (): Record => aRecord(kind, dice, new Dice(slot)))
    for (const a of rivals) {
      for (const b of rivals) assert.strictEqual(takes(a, b), Variants.wins(a, b))
    }
    const [kept] = oneEach(rivals)
    assert.strictEqual(oneEach(rivals).length, 1)
    assert.isTrue(rivals.every((rival) => slotIn(rival) === slotIn(kept!) && !takes(rival, kept!)))
  }, runs(300))

  it("shows and counts nothing that is aged, and no more than the cap", () => {
    const hour = 3_600_000
    const now = 1_000_000 * hour + 5
    const [a, b] = [everyone[0]!, everyone[1]!]
    const message = (n: number, ms: number): Message => ({
      ...aMessage(new Dice(1)),
      id: n.toString(16).padStart(64, "0") as Ids.MessageId,
      chatId: modelChat,
      sender: a,
      peer: b,
      hlc: ((BigInt(ms) << 16n) + BigInt(n)) as Message["hlc"]
    })
    const cutoff = 1_000_000 * hour - 30 * 24 * hour
    const old = [message(1, cutoff - 1), message(2, cutoff)]
    const young = Array.from({ length: 1_001 }, (_, i) => message(3 + i, cutoff + 1 + i))
    const model = (count: number) => new ModelViews([...old, ...young.slice(0, count)], now, new Fold.ModelFolds())
    const line = (count: number) => {
      const [first] = model(count).inbox(b)
      return [first?.unread, first?.capped, first?.newest?.id.slice(-3)]
    }
    assert.deepStrictEqual(model(0).inbox(b), [])
    assert.deepStrictEqual(line(1), [1, false, "003"])
    assert.deepStrictEqual(line(999), [999, false, "3e9"])
    assert.deepStrictEqual(line(1_000), [999, true, "3ea"])
    assert.strictEqual(model(7).shown(modelChat).length, 7)
    assert.match(model(7).hidden(old[1]!)!, /aged/)
  })
})
