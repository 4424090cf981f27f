/** Groups over HTTP: who may do what, what makes no sense, and what those outside are told (SPEC §5.2, §5.3, §8). */
import { assert, describe, it } from "@effect/vitest"
import * as Hlc from "../../src/domain/hlc.ts"
import * as Ids from "../../src/domain/ids.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import {
  type Answer,
  type Call,
  call,
  dm,
  freshTs,
  groupMessage,
  mark,
  newGroup,
  op,
  type User,
  user
} from "./fixture.ts"
import {
  assertRefused,
  conflict,
  forbidden,
  invalid,
  notFound,
  shared,
  steered,
  unauthenticated,
  using
} from "./steered-node.ts"

const [alice, bob, carol, dave] = [user(1), user(2), user(3), user(4)]
const node = shared(steered())

const ok = (answer: Answer, status = 202): Answer => {
  assert.strictEqual(answer.status, status, JSON.stringify(answer.body))
  return answer
}
const as = (who: User, request: Call) => call(node(), who, request)
const get = (who: User, path: string) => as(who, { method: "GET", path })
const leave = (who: User, chatId: Ids.ChatId): Call => {
  const { body: _body, ...signed } = op(node(), who, chatId, { op: "remove", targets: [who.address] })
  return { ...signed, method: "DELETE", path: `/groups/${chatId}/membership` }
}

let nonce = 0
/** A new group of alice with `members`, of whom `admins` are admins. */
const group = async (members: ReadonlyArray<User> = [], admins: ReadonlyArray<User> = []): Promise<Ids.ChatId> => {
  const sorted = (users: ReadonlyArray<User>) => users.map(({ address }) => address).sort()
  const { chatId, create } = newGroup(node(), alice, ++nonce, { targets: sorted(members) })
  ok(await as(alice, create))
  if (admins.length > 0)
    ok(await as(alice, op(node(), alice, chatId, { op: "add", role: "admin", targets: sorted(admins) })))
  return chatId
}
type Draft = Parameters<typeof op>[3]
const change = (who: User, chatId: Ids.ChatId, draft: Draft) => as(who, op(node(), who, chatId, draft))
const roles = async (who: User, chatId: Ids.ChatId): Promise<{ readonly [address: string]: string }> => {
  const { members } = ok(await get(who, `/groups/${chatId}/members`), 200).body
  return Object.fromEntries(
    members.map((each: { address: string; role: string }) => [each.address.slice(2), each.role])
  )
}

describe("who may change a group", () => {
  it("nobody outside, no mere member, no former admin; a member may leave", async () => {
    const chatId = await group([bob], [carol])
    const drafts: ReadonlyArray<Draft> = [
      { op: "add", targets: [dave.address] },
      { op: "add", role: "admin", targets: [bob.address] },
      { op: "remove", targets: [carol.address] },
      { op: "set-title", title: "mine" }
    ]
    for (const who of [bob, dave]) {
      for (const draft of drafts) assertRefused(await change(who, chatId, draft), 403, forbidden, draft.op)
    }
    assertRefused(await as(dave, leave(dave, chatId)), 403, forbidden)
    assertRefused(await change(dave, chatId, { op: "remove", targets: [dave.address] }), 403, forbidden)
    ok(await change(carol, chatId, { op: "set-title", title: "hers" }))
    ok(await change(alice, chatId, { op: "remove", targets: [carol.address] }))
    for (const draft of drafts) assertRefused(await change(carol, chatId, draft), 403, forbidden, draft.op)
    ok(await change(bob, chatId, { op: "remove", targets: [bob.address] }))
    assert.deepStrictEqual(await roles(alice, chatId), { [alice.address]: "admin" })
  })

  it("the creator is not removed or demoted, and may leave and be added again", async () => {
    const chatId = await group([], [bob])
    assertRefused(await change(bob, chatId, { op: "remove", targets: [alice.address] }), 409, conflict("creator"))
    assertRefused(await change(bob, chatId, { op: "add", targets: [alice.address] }), 409, conflict("creator"))
    assertRefused(await change(alice, chatId, { op: "add", targets: [alice.address] }), 409, conflict("creator"))
    ok(await as(alice, leave(alice, chatId)))
    assertRefused(await get(alice, `/groups/${chatId}/messages`), 403, forbidden)
    assertRefused(await change(alice, chatId, { op: "add", targets: [carol.address] }), 403, forbidden)
    ok(await change(bob, chatId, { op: "add", targets: [alice.address] }))
    assert.deepStrictEqual(await roles(alice, chatId), { [alice.address]: "member", [bob.address]: "admin" })
    // now she is a member like others
    ok(await change(bob, chatId, { op: "remove", targets: [alice.address] }))
    assert.deepStrictEqual(await roles(bob, chatId), { [bob.address]: "admin" })
  })

  it("a group keeps an admin as long as it has members", async () => {
    const chatId = await group([carol], [bob])
    ok(await as(alice, leave(alice, chatId)))
    // bob is the last admin now
    assertRefused(await as(bob, leave(bob, chatId)), 409, conflict("last-admin"))
    assertRefused(await change(bob, chatId, { op: "add", targets: [bob.address] }), 409, conflict("last-admin"))
    assertRefused(await change(bob, chatId, { op: "remove", targets: [bob.address] }), 409, conflict("last-admin"))
    ok(await change(bob, chatId, { op: "remove", targets: [carol.address] }))
    ok(await as(bob, leave(bob, chatId)))
    assertRefused(await as(bob, leave(bob, chatId)), 403, forbidden)
    assertRefused(await get(bob, `/groups/${chatId}/members`), 403, forbidden)
  })

  it("leaving: as a member, and no second time", async () => {
    const chatId = await group([bob, carol].sort((a, b) => a.address < b.address ? -1 : 1))
    assertRefused(await as(alice, leave(alice, chatId)), 409, conflict("last-admin"))
    const request = leave(bob, chatId)
    const first = ok(await as(bob, request))
    assert.deepStrictEqual(first.body.op_id, `0x${request.digest}`)
    // the very same call has its first answer, a new one finds her gone
    assert.deepStrictEqual((await as(bob, request)).body, first.body)
    assertRefused(await as(bob, leave(bob, chatId)), 403, forbidden)
    // signed as something else than the removal of oneself
    const { purpose: _purpose, digest: _digest, ...asRequest } = leave(carol, chatId)
    assertRefused(await as(carol, asRequest), 401, unauthenticated("bad-signature"))
  })
})

describe("ops that make no sense", () => {
  it("what would change nothing is a conflict", async () => {
    const chatId = await group([bob], [carol])
    ok(await change(alice, chatId, { op: "set-title", title: "t" }))
    const drafts: ReadonlyArray<Draft> = [
      { op: "add", targets: [bob.address] },
      { op: "add", role: "admin", targets: [carol.address] },
      { op: "add", role: "admin", targets: [alice.address] },
      { op: "remove", targets: [dave.address] },
      { op: "set-title", title: "t" }
    ]
    for (const draft of drafts) assertRefused(await change(alice, chatId, draft), 409, conflict("no-change"), draft.op)
    ok(await change(alice, chatId, { op: "set-title", title: "" }))
    assertRefused(await change(alice, chatId, { op: "set-title", title: "" }), 409, conflict("no-change"))
  })

  it("a group is created once", async () => {
    const { chatId, create } = newGroup(node(), alice, 200)
    ok(await as(alice, create))
    assertRefused(await as(alice, newGroup(node(), alice, 200).create), 409, conflict("group-exists"))
    assertRefused(await as(alice, newGroup(node(), alice, 200, { title: "new" }).create), 409, conflict("group-exists"))
    // the same nonce of another creator is another group
    const others = newGroup(node(), bob, 200)
    assert.notStrictEqual(others.chatId, chatId)
    ok(await as(bob, others.create))
  })

  it("an op has the fields of its type, and the wrong one is named", async () => {
    const chatId = await group([], [bob])
    const nonce = "c8".repeat(16)
    const [low, high] = [bob.address, carol.address].sort() as [Ids.Address, Ids.Address]
    const cases: ReadonlyArray<readonly [Draft, string]> = [
      [{ op: "add", targets: [high, low] }, "targets"],
      [{ op: "add", targets: [low, low] }, "targets"],
      [{ op: "add", targets: [] }, "targets"],
      [{ op: "add" }, "targets"],
      [{ op: "remove", targets: [] }, "targets"],
      [{ op: "remove" }, "targets"],
      [{ op: "remove", targets: [high, low] }, "targets"],
      [{ op: "remove", role: "admin", targets: [bob.address] }, "role"],
      [{ op: "set-title", role: "admin", title: "x" }, "role"],
      [{ op: "create", nonce, role: "admin" }, "role"],
      [{ op: "add", targets: [carol.address], title: "x" }, "title"],
      [{ op: "remove", targets: [bob.address], title: "" }, "title"],
      [{ op: "set-title" }, "title"],
      [{ op: "set-title", title: "x", targets: [bob.address] }, "targets"],
      [{ op: "add", targets: [carol.address], nonce }, "nonce"],
      [{ op: "remove", targets: [bob.address], nonce }, "nonce"],
      [{ op: "set-title", title: "x", nonce }, "nonce"],
      [{ op: "create" }, "nonce"],
      [{ op: "create", nonce }, "chat_id"],
      [{ op: "create", nonce, targets: [alice.address] }, "targets"]
    ]
    for (const [draft, field] of cases) {
      assertRefused(await change(alice, chatId, draft), 400, invalid(field), JSON.stringify(draft))
      // told before the signature is looked at
      const unsigned = { ...op(node(), alice, chatId, draft), headers: { "X-Sig": `${"11".repeat(64)}00` } }
      assertRefused(await as(alice, unsigned), 400, invalid(field), JSON.stringify(draft))
    }
    assert.deepStrictEqual(await roles(alice, chatId), { [alice.address]: "admin", [bob.address]: "admin" })
    // a group of someone else cannot be created, whatever the nonce says
    assertRefused(
      await as(dave, { ...newGroup(node(), dave, 201).create, path: `/groups/${chatId}/ops` }),
      400,
      invalid("chat_id")
    )
  })
})

describe("those outside", () => {
  const id = "11".repeat(32) as Ids.ChatId
  const endpoints = (who: User, chatId: Ids.ChatId): ReadonlyArray<Call> => [
    groupMessage(who, chatId, { content: "x" }),
    mark(who, chatId, `/groups/${chatId}/messages`, Hlc.toText(Hlc.make(1, 0))),
    op(node(), who, chatId, { op: "add", targets: [dave.address] }),
    op(node(), who, chatId, { op: "set-title", title: "x" }),
    leave(who, chatId),
    { method: "GET", path: `/groups/${chatId}/messages` },
    { method: "GET", path: `/groups/${chatId}/messages?after=` },
    { method: "GET", path: `/groups/${chatId}/messages/${id}` },
    { method: "GET", path: `/groups/${chatId}/members` }
  ]

  it("an unknown group is 404 everywhere, a dm's id is no group", async () => {
    ok(await as(alice, dm(alice, bob, { content: "x" })))
    for (const chatId of [id, Ids.dmChatId(noble, alice.address, bob.address)]) {
      for (const request of endpoints(alice, chatId)) {
        assertRefused(await as(alice, request), 404, notFound, `${request.method} ${request.path}`)
      }
    }
  })

  it("who was never in it, was removed, or left, gets 403 everywhere", async () => {
    const chatId = await group([], [bob, carol])
    for (const who of [bob, carol]) ok(await as(who, groupMessage(who, chatId, { content: "here" })))
    ok(await change(alice, chatId, { op: "remove", targets: [bob.address] }))
    ok(await as(carol, leave(carol, chatId)))
    for (const who of [bob, carol, dave]) {
      for (const request of endpoints(who, chatId)) {
        assertRefused(await as(who, request), 403, forbidden, `${request.method} ${request.path}`)
      }
      const inbox = ok(await get(who, "/conversations?limit=500"), 200).body.conversations as Array<{ chat_id: string }>
      assert.isFalse(inbox.some((each) => each.chat_id === `0x${chatId}`))
    }
    // what they wrote while they were members stays
    assert.lengthOf(ok(await get(alice, `/groups/${chatId}/messages`), 200).body.messages, 2)
  })

  it("a message is found in its own conversation only", async () => {
    const [first, second] = [await group([bob]), await group([bob])]
    const sent = ok(await as(alice, groupMessage(alice, first, { content: "x" }))).body.msg_id
    const direct = ok(await as(alice, dm(alice, bob, { content: "x" }))).body.msg_id
    assert.strictEqual(ok(await get(bob, `/groups/${first}/messages/${sent}`), 200).body.msg_id, sent)
    assert.strictEqual(ok(await get(bob, `/dialogs/${alice.address}/messages/${direct}`), 200).body.msg_id, direct)
    for (
      const path of [
        `/groups/${second}/messages/${sent}`,
        `/dialogs/${alice.address}/messages/${sent}`,
        `/groups/${first}/messages/${direct}`,
        `/dialogs/${carol.address}/messages/${direct}`
      ]
    ) {
      assertRefused(await get(bob, path), 404, notFound, path)
    }
    // no third party reads a dm by its id
    assertRefused(await get(carol, `/dialogs/${alice.address}/messages/${direct}`), 404, notFound)
    assertRefused(await get(carol, `/dialogs/${bob.address}/messages/${direct}`), 404, notFound)
  })
})

describe("read marks and unread", () => {
  const inboxOf = async (who: User, chatId: string) => {
    const { conversations } = ok(await get(who, "/conversations?limit=500"), 200).body
    return conversations.find((each: { chat_id: string }) => each.chat_id === `0x${chatId}`)
  }

  it("up to 60 000 ms ahead, and stamped above what it marks", () => {
    const now = 1_900_000_000_000
    return using(steered({ atMs: now }), async (still) => {
      const chatId = Ids.dmChatId(noble, alice.address, bob.address)
      let ts = now
      const put = (upTo: Hlc.Hlc) =>
        call(still, bob, mark(bob, chatId, `/dialogs/${alice.address}/messages`, Hlc.toText(upTo), ++ts))
      for (const [physical, logical] of [[now + 60_001, 0], [now + 3_600_000, 0], [2 ** 48 - 1, 0xffff]] as const) {
        assertRefused(await put(Hlc.make(physical, logical)), 400, invalid("up_to"), String(physical))
      }
      // a stamp above the last of the allowed would be early
      for (const logical of [0xffff, 0xfffe]) {
        assertRefused(await put(Hlc.make(now + 60_000, logical)), 400, invalid("up_to"), String(logical))
      }
      // and that moved no clock
      const sent = ok(await call(still, bob, dm(bob, carol, { content: "x" }, ++ts)))
      assert.strictEqual(sent.body.hlc.slice(0, 12), now.toString(16).padStart(12, "0"))
      const highest = Hlc.make(now + 60_000, 0xfffc)
      const answer = ok(await put(highest))
      assert.isTrue(answer.body.hlc > Hlc.toText(highest), answer.body.hlc)
      // others can still write, as soon as the clock has gone on
      still.clock.atMs = now + 1
      ok(await call(still, bob, dm(bob, carol, { content: "x" }, ++ts)))
    })
  })

  it("a mark that goes back changes nothing, and messages of one's own are not unread", async () => {
    const erin = user(5)
    const chatId = Ids.dmChatId(noble, alice.address, erin.address)
    const path = `/dialogs/${alice.address}/messages`
    const stamps: Array<string> = []
    for (const content of ["1", "2", "3"]) stamps.push(ok(await as(alice, dm(alice, erin, { content }))).body.hlc)
    ok(await as(erin, dm(erin, alice, { content: "mine" })))
    const unread = async (who: User) => (await inboxOf(who, chatId)).unread
    assert.deepStrictEqual([await unread(erin), await unread(alice)], [3, 1])
    ok(await as(erin, mark(erin, chatId, path, stamps[1]!)))
    assert.strictEqual(await unread(erin), 1)
    for (const back of [stamps[0]!, "0000000000000000", stamps[1]!]) {
      ok(await as(erin, mark(erin, chatId, path, back)))
      assert.strictEqual(await unread(erin), 1, back)
    }
    ok(await as(erin, mark(erin, chatId, path, stamps[2]!)))
    assert.deepStrictEqual([await unread(erin), await unread(alice)], [0, 1])
  })

  it("what was there before one joined is not unread; it can be read", async () => {
    const chatId = await group([bob])
    for (const content of ["1", "2"]) ok(await as(bob, groupMessage(bob, chatId, { content })))
    ok(await change(alice, chatId, { op: "add", targets: [carol.address] }))
    assert.strictEqual((await inboxOf(carol, chatId)).unread, 0)
    assert.strictEqual((await inboxOf(alice, chatId)).unread, 2)
    ok(await as(bob, groupMessage(bob, chatId, { content: "3" })))
    ok(await as(carol, groupMessage(carol, chatId, { content: "hello" })))
    assert.strictEqual((await inboxOf(carol, chatId)).unread, 1)
    assert.strictEqual((await inboxOf(alice, chatId)).unread, 4)
    assert.lengthOf(ok(await get(carol, `/groups/${chatId}/messages`), 200).body.messages, 4)
    // removed and added again, she starts anew
    ok(await change(alice, chatId, { op: "remove", targets: [carol.address] }))
    ok(await as(bob, groupMessage(bob, chatId, { content: "without her" })))
    ok(await change(alice, chatId, { op: "add", targets: [carol.address] }))
    assert.strictEqual((await inboxOf(carol, chatId)).unread, 0)
  })

  it("is counted up to 999", async () => {
    const frank = user(6)
    const chatId = Ids.dmChatId(noble, alice.address, frank.address)
    const write = async (count: number) => {
      for (let left = count; left > 0; left -= 50) {
        const batch = Array.from({ length: Math.min(left, 50) }, () => dm(alice, frank, { content: "" }, freshTs()))
        for (const answer of await Promise.all(batch.map((each) => as(alice, each)))) ok(answer)
      }
    }
    // freshTs runs ahead of the clock by at most as many ms as there are messages
    await write(998)
    const seen = async () => {
      const { unread, unread_capped } = await inboxOf(frank, chatId)
      return [unread, unread_capped]
    }
    assert.deepStrictEqual(await seen(), [998, undefined])
    await write(1)
    assert.deepStrictEqual(await seen(), [999, undefined])
    await write(1)
    assert.deepStrictEqual(await seen(), [999, true])
  })
})
