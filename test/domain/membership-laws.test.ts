import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { RoleCode } from "../../src/domain/ids.ts"
import { Membership } from "../../src/domain/membership.ts"
import { dotOf, isLeave, type Op } from "../../src/domain/record.ts"
import {
  add,
  address,
  alice,
  at,
  batches,
  chatId,
  creatorOf,
  everyone,
  fold,
  from,
  given,
  leave,
  membersIn,
  pick,
  randomFrom,
  randomOps,
  remove,
  roleIn,
  sameState,
  setOf,
  setTitle,
  shuffled,
  some,
  stampsEnd,
  type State,
  stepOf
} from "./membership-model.ts"
import { Seed } from "./records.ts"

/** All that the class says, held against the reference. */
const assertSame = (membership: Membership, arrived: ReadonlyArray<Op>): void => {
  const ops = setOf(arrived)
  const creator = creatorOf(ops)
  const state = fold(ops, creator)
  const creates = ops.filter((o) => o.op === 0)
  const expected = membersIn(state, creator).map((user) => {
    const stamps = state.dots.filter((dot) => dot.target === user).map((dot) => dot.hlc)
    if (state.creatorDot && user === creator) stamps.push(creates[0]!.hlc)
    return { address: user, role: roleIn(state, creator, user)!, since: stamps.sort((a, b) => a < b ? -1 : 1)[0]! }
  })
  assert.deepStrictEqual(membership.members(), expected)
  assert.strictEqual(membership.memberCount, expected.length)
  assert.strictEqual(membership.title, state.title)
  assert.strictEqual(membership.creator, creator)
  assert.strictEqual(membership.creatorAlive, state.creatorDot)
  assert.strictEqual(membership.size, ops.length)
  const dots = state.dots.map((dot) => dotOf(dot.opId, dot.target))
  if (state.creatorDot) dots.push(dotOf(chatId, creator!))
  assert.deepStrictEqual(membership.liveDots(everyone), dots.sort())
  for (const user of everyone) {
    const member = expected.find((m) => m.address === user)
    assert.strictEqual(membership.roleOf(user), member?.role)
    assert.strictEqual(membership.isMember(user), member !== undefined)
    assert.strictEqual(membership.isAdmin(user), member?.role === 1)
    assert.strictEqual(membership.joinedAt(user), member?.since)
  }
  assert.isTrue(expected.length === 0 || expected.some((m) => m.role === 1), "members without an admin")
}

const stamps = Array.from({ length: stampsEnd + 2 }, (_, i) => i)

/** The past: each stamp is asked for, and the answer is the fold of the ops below it. */
const assertSamePast = (membership: Membership, arrived: ReadonlyArray<Op>): void => {
  const ops = setOf(arrived)
  const creator = creatorOf(ops)
  const below = stamps.map((h) => membersIn(fold(ops.filter((o) => o.hlc < at(h)), creator), creator))
  for (const user of everyone) {
    const was = below.map((members) => members.includes(user))
    assert.deepStrictEqual(stamps.map((h) => membership.wasMemberAt(user, at(h))), was)
    const intervals = membership.intervals(user)
    assert.deepStrictEqual(
      stamps.map((h) => intervals.some((i) => i.from <= at(h) && (i.to === undefined || at(h) <= i.to))),
      was
    )
    for (let i = 1; i < intervals.length; i++) assert.isTrue(intervals[i - 1]!.to! + 1n < intervals[i]!.from)
    for (let low = 0; low < stamps.length; low += 3) {
      for (let high = low; high < stamps.length; high++) {
        assert.strictEqual(
          membership.memberThroughout(user, at(low), at(high)),
          was.slice(low, high + 1).every(Boolean),
          `${user} from ${low} to ${high}`
        )
      }
    }
  }
}

const Size = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 40 }))
const runs = (numRuns: number) => ({ arbitrary: { runs: numRuns } })

const limits = { groupMembersMax: 10_000 }

describe("membership laws", () => {
  it.prop("equals the reference after every batch, in any order of arrival", [Seed, Size], ([seed, size]) => {
    const random = randomFrom(seed)
    const arrived: Array<Op> = []
    const membership = new Membership(chatId)
    for (const batch of batches(random, randomOps(random, size))) {
      arrived.push(...batch)
      membership.insert(batch)
      assertSame(membership, arrived)
    }
  }, runs(250))

  it.prop("the past equals the fold of what is below a stamp, also after refolds", [Seed, Size], ([seed, size]) => {
    const random = randomFrom(seed)
    const arrived: Array<Op> = []
    const membership = new Membership(chatId)
    const parts = batches(random, randomOps(random, size))
    for (const [i, batch] of parts.entries()) {
      arrived.push(...batch)
      membership.insert(batch)
      if (i % 4 === 3 || i === parts.length - 1) assertSamePast(membership, arrived)
    }
  }, runs(80))

  it.prop(
    "an op that does nothing at its place forces no refold, and no other keeps the fold",
    [Seed, Size],
    (input) => {
      const random = randomFrom(input[0])
      const all = setOf(randomOps(random, input[1] + 2))
      const late = pick(random, all)
      const ops = all.filter((o) => o !== late)
      const creator = creatorOf(ops)
      if (creator === undefined) return
      const membership = from(...ops)
      const before = fold(ops.filter((o) => o.hlc < late.hlc || (o.hlc === late.hlc && o.id < late.id)), creator)
      const after = stepOf(before, creator, late)
      const atEnd = ops.at(-1)!.hlc < late.hlc || (ops.at(-1)!.hlc === late.hlc && ops.at(-1)!.id < late.id)
      const titles = (state: State) => ({ ...state, title: "" })
      const nothing = after === undefined || (late.title === undefined && sameState(titles(before), titles(after)))
      membership.insert([late])
      assert.strictEqual(membership.refolds, nothing || atEnd ? 0 : 1)
      assertSame(membership, all)
      assertSamePast(membership, all)
    },
    runs(200)
  )

  it.prop("an inert op comes to life when what it needs lands below it", [Seed, Size], ([seed, size]) => {
    const random = randomFrom(seed)
    const ops = setOf(randomOps(random, size))
    const late = ops.filter((o) => o.op === 1 && o.role === 1)
    const membership = from(...ops.filter((o) => !late.includes(o)))
    // Highest first: each one lands below all before it.
    for (const o of late.toReversed()) membership.insert([o])
    assertSame(membership, ops)
  }, runs(150))

  it.prop("once is as good as often", [Seed, Size], ([seed, size]) => {
    const random = randomFrom(seed)
    const ops = randomOps(random, size)
    const membership = from(...ops)
    const { refolds, retained } = membership
    membership.insert(shuffled(random, ops))
    membership.insert(ops.map((o) => ({ ...o })))
    assert.strictEqual(membership.refolds, refolds)
    assert.strictEqual(membership.retained, retained)
    assertSame(membership, ops)
  }, runs(100))

  it.prop(
    "an add that a removal did not observe survives it, whatever the clocks say",
    [Seed, Size],
    ([seed, size]) => {
      const random = randomFrom(seed)
      const ops = setOf(randomOps(random, size))
      const invited = address(0x77)
      // Alice stays, so that both ops have effect.
      const calm = ops.filter((o) => !(isLeave(o) && o.actor === alice))
      const added = add(random(stampsEnd), alice, [invited])
      const observed = calm.flatMap((o) => o.op === 1 ? [dotOf(o.id, invited)] : []).sort()
      const removed = [0, 1, 2].map(() => remove(random(stampsEnd + 5), alice, [invited], observed))
      const membership = new Membership(chatId)
      for (const batch of batches(random, shuffled(random, [...calm, added, ...removed]))) membership.insert(batch)
      assert.strictEqual(membership.roleOf(invited), 0)
      assert.deepStrictEqual(membership.liveDots([invited]), [given(added, invited)])
    },
    runs(150)
  )

  it.prop("ingest refuses what would change nothing and only that", [Seed, Size], ([seed, size]) => {
    const random = randomFrom(seed)
    const ops = setOf(randomOps(random, size))
    const membership = from(...ops)
    const creator = creatorOf(ops)
    const state = fold(ops, creator)
    const seen = (s: State) => JSON.stringify([s.title, everyone.map((user) => roleIn(s, creator, user) ?? null)])
    for (let i = 0; i < 12; i++) {
      const actor = pick(random, everyone)
      const drawn = some(random, everyone, 30)
      const targets = drawn.length === 0 ? [actor] : drawn
      const next = pick(random, [
        add(99, actor, targets, random(2) as RoleCode),
        remove(99, actor, targets, membership.liveDots(targets)),
        leave(99, actor),
        setTitle(99, actor, pick(random, [state.title, "other"]))
      ])
      const after = stepOf(state, creator, next)
      const reason = membership.ingestProblem(next, limits)?.reason
      const role = roleIn(state, creator, actor)
      const entitled = isLeave(next) ? role !== undefined : role === 1
      const hitsCreator = state.creatorDot && !isLeave(next) && targets.includes(alice) && next.op !== 3 &&
        (next.op === 2 || next.role === 0)
      const expected = !entitled
        ? "forbidden"
        : hitsCreator
        ? "creator"
        : after === undefined
        ? "last-admin"
        : seen(after) === seen(state)
        ? "no-change"
        : undefined
      assert.strictEqual(reason, expected)
    }
  }, runs(150))
})
