import { assert, describe, it } from "@effect/vitest"
import type { ChatId, NodeId, RoleCode } from "../../src/domain/ids.ts"
import { observedMax, targetsMax } from "../../src/domain/limits.ts"
import type { Membership } from "../../src/domain/membership.ts"
import { dotOf, dotOpId, type Op } from "../../src/domain/record.ts"
import {
  add,
  address,
  alice,
  at,
  bob,
  carol,
  chatId,
  create,
  dave,
  from,
  given,
  idOf,
  leave,
  remove,
  setTitle
} from "./membership-model.ts"

const limits = { groupMembersMax: 10_000 }
const rolesOf = (membership: Membership): Record<string, RoleCode> =>
  Object.fromEntries(membership.members().map((member) => [member.address, member.role]))

describe("rule 1: the creator", () => {
  it("is an admin before the first op, and since the lowest Create", () => {
    const first = add(3, alice, [bob])
    const membership = from(first, create(9), create(7))
    assert.deepStrictEqual(membership.members(), [
      { address: alice, role: 1, since: at(7) },
      { address: bob, role: 0, since: at(3) }
    ])
    assert.isTrue(membership.wasMemberAt(alice, at(0)))
    assert.deepStrictEqual(membership.intervals(alice), [{ from: at(0), to: undefined }])
    membership.insert([create(5)])
    assert.strictEqual(membership.joinedAt(alice), at(5))
  })

  it("stays an admin whatever other dots say, and no removal kills her dot", () => {
    const demote = add(3, bob, [alice], 0)
    const membership = from(
      create(1),
      add(2, alice, [bob], 1),
      demote,
      remove(4, bob, [alice], [given(demote, alice), dotOf(chatId, alice)].sort()),
      remove(5, alice, [alice, bob], [dotOf(chatId, alice)])
    )
    assert.deepStrictEqual(rolesOf(membership), { [alice]: 1, [bob]: 1 })
    assert.isTrue(membership.creatorAlive)
    assert.deepStrictEqual(membership.liveDots([alice]), [dotOf(chatId, alice)])
  })

  it("leaves by herself and comes back as any other", () => {
    const membership = from(create(1), add(2, alice, [bob], 1), leave(3, alice), add(5, bob, [alice], 0))
    assert.isFalse(membership.creatorAlive)
    assert.deepStrictEqual(rolesOf(membership), { [alice]: 0, [bob]: 1 })
    assert.strictEqual(membership.joinedAt(alice), at(5))
    assert.deepStrictEqual(membership.intervals(alice), [{ from: at(0), to: at(3) }, { from: at(6), to: undefined }])
    assert.strictEqual(membership.ingestProblem(remove(9, bob, [alice], []), limits), undefined)
    membership.insert([remove(6, bob, [alice], membership.liveDots([alice]))])
    assert.deepStrictEqual(rolesOf(membership), { [bob]: 1 })
  })

  it("may create again: an add of the targets as members, while she is an admin", () => {
    const membership = from(create(1), add(2, alice, [bob, carol], 1), create(3, [bob], "again"), leave(4, alice))
    assert.deepStrictEqual(rolesOf(membership), { [bob]: 0, [carol]: 1 })
    assert.strictEqual(membership.title, "again")
    membership.insert([create(5, [dave], "too late")])
    assert.deepStrictEqual(rolesOf(membership), { [bob]: 0, [carol]: 1 })
    assert.strictEqual(membership.title, "again")
  })

  it("until a Create is known nobody is a member; then all counts", () => {
    const membership = from(add(2, alice, [bob]))
    assert.deepStrictEqual(membership.members(), [])
    assert.strictEqual(membership.ingestProblem(leave(9, alice), limits)?.reason, "forbidden")
    membership.insert([create(1)])
    assert.deepStrictEqual(rolesOf(membership), { [alice]: 1, [bob]: 0 })
  })
})

describe("rule 2: order and authority", () => {
  it("an op counts only where its actor is an admin, a leave where she is a member", () => {
    const membership = from(
      create(1, [bob]),
      add(2, bob, [carol]),
      setTitle(2, bob, "x"),
      leave(3, carol),
      leave(4, bob)
    )
    assert.deepStrictEqual(rolesOf(membership), { [alice]: 1 })
    assert.strictEqual(membership.title, "")
  })

  it("equal stamps fold by op id", () => {
    const promote = { ...add(2, alice, [bob], 1), id: idOf(10) }
    const invite = { ...add(2, bob, [carol]), id: idOf(11) }
    assert.deepStrictEqual(rolesOf(from(create(1), promote, invite)), { [alice]: 1, [bob]: 1, [carol]: 0 })
    const early = { ...invite, id: idOf(9) }
    assert.deepStrictEqual(rolesOf(from(create(1), promote, early)), { [alice]: 1, [bob]: 1 })
  })

  it("a variant that wins moves the op, and what it observed", () => {
    const invite = add(9, alice, [bob])
    const kick = remove(10, alice, [bob], [])
    const membership = from(create(1), invite, kick)
    assert.isTrue(membership.isMember(bob))
    membership.insert([{ ...kick, node: "n0" as NodeId, observed: [given(invite, bob)] }])
    assert.isFalse(membership.isMember(bob))
    membership.insert([{ ...invite, hlc: at(4) }, { ...kick, hlc: at(11), observed: [] }])
    assert.deepStrictEqual(membership.intervals(bob), [{ from: at(5), to: at(10) }])
    assert.strictEqual(membership.size, 3)
  })

  it("an op of another group is a defect", () => {
    assert.throws(() => from({ ...create(1), chatId: "00".repeat(32) as ChatId }), /is of group/)
  })
})

describe("rule 3: dots", () => {
  it("a removal kills what it observed of its own targets, and nothing else", () => {
    const first = add(2, alice, [bob, carol])
    const second = add(3, alice, [bob])
    const both = [given(first, bob), given(first, carol)].sort()
    const membership = from(create(1), first, second, remove(4, alice, [bob], both))
    assert.deepStrictEqual(membership.liveDots([bob, carol]), [given(first, carol), given(second, bob)].sort())
    assert.strictEqual(membership.joinedAt(bob), at(3))
  })

  it("a removal does not kill an add above it, though it names it", () => {
    const later = add(5, alice, [bob])
    assert.isTrue(from(create(1), later, remove(4, alice, [bob], [given(later, bob)])).isMember(bob))
  })

  it("a leave kills all, observed or not; a removal that finds nothing changes nothing", () => {
    const membership = from(create(1, [bob]), add(2, alice, [bob], 1), add(3, bob, [carol]), leave(4, bob))
    assert.deepStrictEqual(rolesOf(membership), { [alice]: 1, [carol]: 0 })
    const { refolds } = membership
    membership.insert([remove(3, alice, [carol], [])])
    assert.deepStrictEqual(rolesOf(membership), { [alice]: 1, [carol]: 0 })
    assert.strictEqual(membership.refolds, refolds)
  })

  it("liveDots ascends, is bounded, and takes the lowest", () => {
    const adds = Array.from(
      { length: observedMax + 10 },
      (_, i) => ({ ...add(2 + i, alice, [bob]), id: idOf(9e6 - i) })
    )
    const membership = from(create(1), ...adds)
    const dots = membership.liveDots([bob, bob])
    assert.strictEqual(dots.length, observedMax)
    assert.isTrue(dots.every((dot, i) => i === 0 || dots[i - 1]! < dot))
    assert.strictEqual(dotOpId(dots[0]!), idOf(9e6 - observedMax - 9))
  })
})

describe("rule 4: role and since", () => {
  it("the highest live dot gives the role, the earliest gives since", () => {
    const low = add(2, alice, [bob], 0)
    const high = add(4, alice, [bob], 1)
    const membership = from(create(1), low, high)
    assert.deepStrictEqual(membership.members()[1], { address: bob, role: 1, since: at(2) })
    membership.insert([remove(5, alice, [bob], [given(low, bob)])])
    assert.deepStrictEqual(membership.members()[1], { address: bob, role: 1, since: at(4) })
    membership.insert([add(6, alice, [bob], 0)])
    assert.strictEqual(membership.roleOf(bob), 0)
  })

  it("losing the highest dot brings the role of the one below it back", () => {
    const high = add(4, alice, [bob], 1)
    const membership = from(create(1), add(2, alice, [bob], 0), high, remove(5, alice, [bob], [given(high, bob)]))
    assert.strictEqual(membership.roleOf(bob), 0)
  })

  it("what happens among ops of one stamp is seen by no message", () => {
    const gone = { ...leave(5, bob), id: idOf(1) }
    const back = { ...add(5, alice, [bob]), id: idOf(2) }
    assert.deepStrictEqual(from(create(1, [bob]), gone, back).intervals(bob), [{ from: at(2), to: undefined }])
    const never = from(create(1), { ...back, id: idOf(0) }, gone)
    assert.deepStrictEqual(never.intervals(bob), [])
    assert.isFalse(never.memberThroughout(bob, at(5), at(6)))
  })
})

describe("rule 5: never members without an admin", () => {
  it("the last admin cannot leave members behind, nor demote herself, nor be half removed", () => {
    const promote = add(2, alice, [bob], 1)
    const base = [create(1, [carol]), promote, leave(3, alice)]
    for (
      const last of [
        leave(4, bob),
        add(4, bob, [bob], 0),
        add(4, bob, [bob, dave], 0),
        remove(4, bob, [bob, carol], [given(promote, bob)])
      ]
    ) {
      assert.deepStrictEqual(rolesOf(from(...base, last)), { [bob]: 1, [carol]: 0 })
      assert.strictEqual(
        from(...base).ingestProblem(last.targets.includes(carol) ? remove(4, bob, [bob], []) : last, limits)?.reason,
        "last-admin"
      )
    }
  })

  it("the last member may leave: an empty group stays empty", () => {
    const membership = from(create(1), leave(2, alice), add(3, alice, [bob]), create(4, [bob]))
    assert.deepStrictEqual(membership.members(), [])
    assert.strictEqual(membership.memberCount, 0)
  })
})

describe("rule 6: the title", () => {
  it("is that of the highest effective op with a title; the empty one clears", () => {
    const membership = from(create(1, [bob], "one"), setTitle(5, alice, "five"), setTitle(9, bob, "no"))
    assert.strictEqual(membership.title, "five")
    membership.insert([setTitle(3, alice, "three")])
    assert.strictEqual(membership.title, "five")
    membership.insert([setTitle(6, alice, "")])
    assert.strictEqual(membership.title, "")
    assert.strictEqual(from(create(1)).title, "")
  })
})

describe("ingest", () => {
  const membership = from(create(1, [carol], "title"), add(2, alice, [bob], 1))
  const reason = (o: Op, max = 10_000) => membership.ingestProblem(o, { groupMembersMax: max })?.reason

  it("FAILURES 26: refuses what would change nothing; a part that changes is enough", () => {
    assert.strictEqual(reason(add(9, alice, [bob], 1)), "no-change")
    assert.strictEqual(reason(add(9, alice, [bob, carol], 1)), undefined)
    assert.strictEqual(reason(remove(9, alice, [dave], [])), "no-change")
    assert.strictEqual(reason(remove(9, alice, [carol, dave], [])), undefined)
    assert.strictEqual(reason(setTitle(9, alice, "title")), "no-change")
    assert.strictEqual(reason(setTitle(9, alice, "")), undefined)
    assert.strictEqual(reason(add(9, bob, [alice], 1)), "no-change")
  })

  it("knows who may do what", () => {
    assert.strictEqual(reason(setTitle(9, carol, "x")), "forbidden")
    assert.strictEqual(reason(leave(9, dave)), "forbidden")
    assert.strictEqual(reason(leave(9, carol)), undefined)
    assert.strictEqual(reason(leave(9, alice)), undefined)
    assert.strictEqual(reason(remove(9, bob, [alice], [])), "creator")
    assert.strictEqual(reason(remove(9, alice, [alice, bob], [])), "creator")
    assert.strictEqual(reason(add(9, bob, [alice], 0)), "creator")
  })

  it("bounds members where they grow", () => {
    assert.strictEqual(reason(add(9, alice, [dave], 0), 3), "too-many-members")
    assert.strictEqual(reason(add(9, alice, [carol], 1), 3), undefined)
    assert.strictEqual(reason(add(9, alice, [carol], 1), 2), undefined)
    assert.strictEqual(reason(create(9, [bob, carol]), 2), "too-many-members")
    assert.strictEqual(reason(create(9, [bob, carol]), 3), undefined)
  })
})

describe("cost", () => {
  const people = Array.from({ length: 10_000 }, (_, i) => address(1000 + i))

  it("10 000 members come in order without a refold, and memory grows with effects only", () => {
    const membership = from(create(1))
    for (let i = 0; i < people.length; i += targetsMax) {
      membership.insert([add(2 + i, alice, people.slice(i, i + targetsMax))])
    }
    assert.strictEqual(membership.memberCount, 10_001)
    assert.strictEqual(membership.refolds, 0)
    // A dot and a change of role each.
    assert.strictEqual(membership.retained, 2 * people.length)
    const one = from(create(1))
    for (const [i, user] of people.entries()) one.insert([add(2 + i, alice, [user])])
    assert.strictEqual(one.refolds, 0)
    assert.strictEqual(one.retained, 2 * people.length)
    assert.strictEqual(one.members().length, 10_001)
  })

  it("a batch that lands earlier is one refold, from its lowest place", () => {
    const membership = from(create(1), ...people.map((user, i) => add(2 + i, alice, [user])))
    const late = [5_000, 7_000, 9_000].map((n) => add(n, alice, [bob, carol]))
    membership.insert(late)
    assert.strictEqual(membership.refolds, 1)
    assert.strictEqual(membership.refolded, 10_000 - 4_999)
    assert.strictEqual(membership.joinedAt(bob), at(5_000))
    assert.strictEqual(membership.retained, 2 * people.length + 3 * 2 + 2)
  })

  it("a crowd of ops without effect forces nothing", () => {
    const membership = from(create(1), ...people.slice(0, 2_000).map((user, i) => add(2 + i, alice, [user])))
    for (let i = 0; i < 500; i++) membership.insert([add(3 + i, people[i]!, [bob], 1), leave(1, people[i]!)])
    assert.strictEqual(membership.refolds, 0)
    assert.strictEqual(membership.size, 3_001)
    assert.strictEqual(membership.memberCount, 2_001)
  })

  it("joining and leaving over and over costs what it did, not what came before", () => {
    const membership = from(create(1))
    for (let i = 0; i < 5_000; i++) {
      const invite = add(2 + 2 * i, alice, [bob])
      membership.insert([invite])
      membership.insert([remove(3 + 2 * i, alice, [bob], [given(invite, bob)])])
    }
    assert.strictEqual(membership.refolds, 0)
    assert.strictEqual(membership.retained, 3 * 5_000)
    assert.strictEqual(membership.intervals(bob).length, 5_000)
    assert.isTrue(membership.wasMemberAt(bob, at(5_001)))
    assert.isFalse(membership.wasMemberAt(bob, at(5_000)))
  })
})
