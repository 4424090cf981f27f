/** Ids in paths, queries and cursors; and that what comes back is what was sent (SPEC §2, §8). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Ids from "../../src/domain/ids.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import {
  type Answer,
  type Call,
  call,
  dm,
  freshTs,
  identity,
  newGroup,
  send,
  start,
  temporaryDirectory,
  user
} from "./fixture.ts"
import { assertRefused, invalid, notFound, shared, unhurried } from "./steered-node.ts"

const [alice, bob] = [user(1), user(2)]
const node = shared(Effect.flatMap(temporaryDirectory, (dataDir) => start({ dataDir, limits: unhurried })))

const path = `/dialogs/0x${bob.address}/messages`
const ask = (method: string, path: string) => call(node(), alice, { method, path })

const ok = (answer: Answer, status: number, of = ""): Answer => {
  assert.strictEqual(answer.status, status, `${of} ${JSON.stringify(answer.body)}`)
  return answer
}

describe("paths and queries", () => {
  it("ids in paths are hex of their length, in any case, with or without 0x", async () => {
    const id = "ab".repeat(32)
    const good = [
      id,
      id.toUpperCase(),
      `0x${id}`,
      `0X${id}`,
      `0x${id.toUpperCase()}`,
      `%30x${id}`,
      id.replace("ab", "%61b")
    ]
    for (const each of good) {
      assertRefused(await ask("GET", `/groups/${each}/members`), 404, notFound, each)
      assertRefused(await ask("GET", `${path}/${each}`), 404, notFound, each)
    }
    const bad = [
      id.slice(1),
      `${id}a`,
      `0x${id.slice(1)}`,
      `0x${id}a`,
      `${id}ab`,
      `${id.slice(1)}g`,
      `0x0x${id}`,
      "0x",
      `${id}%20`,
      `%00${id}`,
      `${id.slice(2)}%C3%A9`,
      "%F0%9F%98%80",
      `0b${id}`
    ]
    for (const each of bad) {
      assertRefused(await ask("GET", `/groups/${each}/members`), 400, invalid("chat_id"), each)
      assertRefused(await ask("GET", `${path}/${each}`), 400, invalid("msg_id"), each)
    }
    const { address } = bob
    for (const each of [address.slice(1), `${address}0`, `${address.slice(1)}g`, `${address}00`, id]) {
      assertRefused(await ask("GET", `/identity/${each}`), 400, invalid("address"), each)
      assertRefused(await ask("GET", `/dialogs/${each}/messages`), 400, invalid("peer"), each)
    }
    // the router gives up on what is far too long
    assertRefused(await ask("GET", `/identity/${"a".repeat(5_000)}`), 404, notFound)
  })

  it("limit is a whole number from 1 to 500", async () => {
    for (const each of ["/conversations", path]) {
      for (const limit of ["1", "500", "050"]) {
        const answer = await ask("GET", `${each}?limit=${limit}`)
        if (limit !== "050") ok(answer, 200, limit)
        else assertRefused(answer, 400, invalid("limit"))
      }
      for (
        const limit of ["0", "501", "-1", "1.5", "1e2", "abc", "", "0x10", "+1", "%201", "9".repeat(30), "1&limit=2"]
      ) {
        const answer = await ask("GET", `${each}?limit=${limit}`)
        assert.match(String(answer.body.field), /^limit/, limit)
        assert.strictEqual(answer.status, 400, limit)
        assert.strictEqual(answer.body._tag, "InvalidRequest")
      }
    }
  })

  it("a cursor is one that a node gave; both directions at once are refused", async () => {
    const from = dm(alice, user(40), { content: "1" })
    const chat = `/dialogs/${user(40).address}/messages`
    ok(await call(node(), alice, from), 202)
    ok(await call(node(), alice, dm(alice, user(40), { content: "2" })), 202)
    const cursor = ok(await ask("GET", `${chat}?limit=1`), 200).body.next as string
    assert.strictEqual(ok(await ask("GET", `${chat}?before=${cursor}`), 200).body.messages[0].content, "1")
    assertRefused(await ask("GET", `${chat}?before=${cursor}&after=${cursor}`), 400, invalid("after"))
    assertRefused(await ask("GET", `${chat}?before=&after=`), 400, invalid("after"))
    for (
      const junk of [
        "x",
        "0",
        cursor.slice(1),
        `${cursor}0`,
        cursor.replace(/.$/, "g"),
        "%00",
        "null",
        "a".repeat(10_000)
      ]
    ) {
      assertRefused(await ask("GET", `${chat}?before=${junk}`), 400, invalid("before"), junk)
      assertRefused(await ask("GET", `${chat}?after=${junk}`), 400, invalid("after"), junk)
      assertRefused(await ask("GET", `/conversations?after=${junk}`), 400, invalid("after"), junk)
    }
    // an empty cursor is the start
    assert.deepStrictEqual(
      ok(await ask("GET", `${chat}?after=`), 200).body.messages.map((each: { content: string }) => each.content),
      ["1", "2"]
    )
    ok(await ask("GET", "/conversations?after="), 200)
    // well formed but later than any stamp
    const never = "ff".repeat(40)
    assertRefused(await ask("GET", `${chat}?after=${never}`), 400, invalid("after"))
    assertRefused(await ask("GET", `/conversations?after=8${"0".repeat(79)}`), 400, invalid("after"))
    // well formed but of nothing: the end, not a failure
    const end = `7${"f".repeat(79)}`
    assert.deepStrictEqual(ok(await ask("GET", `${chat}?after=${end}`), 200).body.messages, [])
    assert.lengthOf(ok(await ask("GET", `${chat}?before=${end}`), 200).body.messages, 2)
    ok(await ask("GET", `/conversations?after=${end}`), 200)
  })

  it("unknown query parameters are refused and named, on every signed call", async () => {
    const { chatId, create } = newGroup(node(), alice, 120)
    const known: ReadonlyArray<Call> = [
      { method: "GET", path },
      { method: "GET", path: "/conversations" },
      { method: "GET", path: `${path}/${"11".repeat(32)}` },
      { method: "GET", path: `/identity/${alice.address}` },
      { method: "GET", path: `/groups/${chatId}/members` },
      { method: "DELETE", path: `/groups/${chatId}/membership` },
      dm(alice, bob, { content: "x" }),
      identity(alice, ""),
      create
    ]
    for (const request of known) {
      for (const key of ["extra", "Limit", "__proto__"]) {
        const answer = await call(node(), alice, { ...request, path: `${request.path}?${key}=1` })
        assertRefused(answer, 400, invalid(key), `${request.method} ${request.path}?${key}`)
      }
    }
    assertRefused(await send(node(), { method: "GET", path: "/node?extra=1" }), 400, invalid("extra"))
    for (const challenge of ["", "11", "11".repeat(31), "11".repeat(33), "zz".repeat(32)]) {
      assertRefused(
        await send(node(), { method: "GET", path: `/node?challenge=${challenge}` }),
        400,
        invalid("challenge")
      )
    }
    for (
      const odd of [
        "/conversations?%",
        "/conversations?%zz=1",
        "/conversations?=",
        "/conversations?&&",
        "/conversations?limit"
      ]
    ) {
      assert.include([200, 400], (await ask("GET", odd)).status, odd)
    }
  })
})

describe("what comes back is what was sent, byte for byte", () => {
  it("every type, any control bytes, any text", async () => {
    const peer = user(41)
    const texts = [
      "",
      "\0",
      "a\0b",
      "😀👩‍👩‍👧‍👦",
      "e\u0301",
      "\u00e9",
      "\ufeffbom",
      "\u2028\u2029",
      "\"\\/\b\f\n\r\t",
      "\u{10ffff}\uffff",
      "مرحبا",
      " x "
    ]
    const sent: Array<{ readonly content: string; readonly msg_type: number; readonly control?: string }> = []
    for (let type = 0; type < 256; type++) {
      const bytes = Uint8Array.from({ length: type }, (_, i) => (i * 31 + type) & 255)
      sent.push({
        content: texts[type % texts.length]!,
        msg_type: type,
        ...(type % 3 === 2 ? {} : { control: bytes.toBase64() })
      })
    }
    for (let i = 0; i < sent.length; i += 16) {
      const drafts = sent.slice(i, i + 16).map((draft) => dm(alice, peer, draft, freshTs()))
      for (const answer of await Promise.all(drafts.map((each) => call(node(), alice, each)))) ok(answer, 202)
    }
    const page = await call(node(), peer, { method: "GET", path: `/dialogs/${alice.address}/messages?limit=500` })
    const shape = (each: { content: string; msg_type: number; control?: string }) => ({
      content: each.content,
      msg_type: each.msg_type,
      ...("control" in each ? { control: each.control } : {})
    })
    assert.deepStrictEqual(
      page.body.messages.map(shape).sort((a: { msg_type: number }, b: { msg_type: number }) => a.msg_type - b.msg_type),
      sent
    )
    const chatId = Ids.dmChatId(noble, alice.address, peer.address)
    assert.isTrue(page.body.messages.every((each: { chat_id: string }) => each.chat_id === `0x${chatId}`))
  })
})
