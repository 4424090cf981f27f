import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Authority } from "../../src/domain/authority.ts"
import type { Hlc } from "../../src/domain/hlc.ts"
import type { Address, ChatId, NodeId, OpId, RoleCode } from "../../src/domain/ids.ts"
import { isLeave, type Op } from "../../src/domain/record.ts"
import { Dice, Seed } from "./records.ts"

const users = Array.from({ length: 8 }, (_, n) => n.toString(16).padStart(40, "0") as Address)
const creator = users[0]!
const op = (n: number, fields: Partial<Op>): Op => ({
  kind: "op",
  id: n.toString(16).padStart(64, "0") as OpId,
  chatId: "c0".repeat(32) as ChatId,
  actor: creator,
  ts: 1,
  node: "n" as NodeId,
  op: 1,
  role: 0,
  targets: [],
  sig: new Uint8Array(65),
  sigVersion: 1,
  hlc: 1n as Hlc,
  stamp: new Uint8Array(64),
  ...fields
})

const randomOps = (dice: Dice, count: number): ReadonlyArray<Op> =>
  Array.from({ length: count }, (_, n) => {
    const actor = dice.pick(users)
    const targets = users.filter(() => dice.below(100) < 20)
    switch (dice.below(8)) {
      case 0:
        return op(n, { op: 0, targets: targets.filter((user) => user !== creator) })
      case 1:
        return op(n, { op: 2, actor, targets: [actor], observed: [] })
      case 2:
        return op(n, { op: 2, actor, targets, observed: [] })
      case 3:
        return op(n, { op: 3, actor, title: "t" })
      default:
        return op(n, { actor, targets, role: dice.below(2) as RoleCode })
    }
  })

/** A replica: takes what it may, keeps the rest waiting, and tries again after each that it took. */
const take = (arrivals: ReadonlyArray<Op>) => {
  const authority = new Authority()
  const accepted = new Set<OpId>()
  let waiting: ReadonlyArray<Op> = []
  for (const arrival of arrivals) {
    waiting = [...waiting, arrival]
    for (let before = -1; before !== accepted.size;) {
      before = accepted.size
      waiting = waiting.filter((waits) => {
        if (waits.op !== 0 && !authority.mayIssue(waits)) return true
        authority.add(waits)
        accepted.add(waits.id)
        return false
      })
    }
  }
  return {
    accepted: [...accepted].sort(),
    writers: users.filter((user) => authority.isWriter(user)),
    participants: users.filter((user) => authority.isParticipant(user))
  }
}

/** The least sets of SPEC §5, by their definition. */
const leastSets = (ops: ReadonlyArray<Op>) => {
  if (!ops.some((o) => o.op === 0)) return { accepted: [], writers: [], participants: [] }
  const w = new Set<Address>([creator])
  for (let before = 0; before !== w.size;) {
    before = w.size
    for (const o of ops) if (o.op === 1 && o.role === 1 && w.has(o.actor)) o.targets.forEach((user) => w.add(user))
  }
  const p = new Set(w)
  for (const o of ops) if (o.op === 0 || (o.op === 1 && w.has(o.actor))) o.targets.forEach((user) => p.add(user))
  const accepted = ops.filter((o) => o.op === 0 || w.has(o.actor) || (isLeave(o) && p.has(o.actor)))
  return {
    accepted: accepted.map((o) => o.id).sort(),
    writers: users.filter((user) => w.has(user)),
    participants: users.filter((user) => p.has(user))
  }
}

describe("authority (SPEC §5)", () => {
  it.prop(
    "W, P and the accepted set are the least sets, in any order of arrival",
    [Seed, Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 40 }))],
    ([seed, count]) => {
      const dice = new Dice(seed)
      const ops = randomOps(dice, count)
      const expected = leastSets(ops)
      assert.deepStrictEqual(take(ops), expected)
      assert.deepStrictEqual(take(dice.shuffle(ops)), expected)
      // Again and again is as good as once.
      assert.deepStrictEqual(take(dice.shuffle([...ops, ...ops])), expected)
    },
    { arbitrary: { runs: 300 } }
  )

  it("removal and demotion take nothing away", () => {
    const [, bob, carol] = users as [Address, Address, Address]
    const authority = new Authority()
    authority.add(op(1, { op: 0, targets: [carol] }))
    authority.add(op(2, { targets: [bob], role: 1 }))
    authority.add(op(3, { targets: [bob], role: 0 }))
    authority.add(op(4, { op: 2, targets: [bob, carol], observed: [] }))
    assert.isTrue(authority.isWriter(bob))
    assert.isTrue(authority.mayIssue(op(5, { actor: bob, targets: [carol] })))
    assert.isFalse(authority.isWriter(carol))
    assert.isTrue(authority.isParticipant(carol))
    assert.isTrue(authority.mayIssue(op(6, { op: 2, actor: carol, targets: [carol], observed: [] })))
    assert.isFalse(authority.mayIssue(op(7, { op: 2, actor: carol, targets: [bob], observed: [] })))
    assert.isFalse(authority.isParticipant(users[5]!))
  })
})
