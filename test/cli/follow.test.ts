/** What `tail` prints: each kind of event as a line for people and as JSON, of all conversations or of one. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { follow, type FollowOptions } from "../../src/cli/follow.ts"
import { calledOf, nameOf } from "../../src/cli/names.ts"
import { Chat, type NodeClient } from "../../src/client/index.ts"
import type { ClientEvent, Message } from "../../src/client/values.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import type { Address, ChatId, MessageId, OpId } from "../../src/domain/ids.ts"

const self = "aa".repeat(20) as Address
const bob = `${"bb".repeat(18)}0b0b` as Address
const eve = "ee".repeat(20) as Address
const group = "cc".repeat(32) as ChatId
const dmId = Chat.idOf(Chat.dm(bob), self)
const ms = new Date(2026, 10, 23, 10, 5, 7).getTime()
const hlc = Hlc.make(ms, 1)

const message = (chat_id: ChatId, sender: Address, content: string): Message => ({
  msg_id: "11".repeat(32) as MessageId,
  chat_id,
  sender,
  ts: ms,
  hlc,
  msg_type: 0,
  content
})

const membership = (more: object): ClientEvent => ({
  type: "membership",
  chat_id: group,
  op_id: "22".repeat(32) as OpId,
  op: "add",
  actor: eve,
  targets: [bob],
  ts: ms,
  hlc,
  ...more
})

const events: ReadonlyArray<ClientEvent> = [
  { type: "connection", state: "open", url: "http://n" },
  { type: "message", chat: Chat.dm(bob), message: message(dmId, bob, "two\nlines \x1b[2J"), eventId: "0-1" },
  { type: "message", chat: Chat.group(group), message: message(group, self, "hi") },
  membership({ role: "admin" }),
  membership({ op: "remove", targets: [eve] }),
  membership({ op: "remove", targets: [self] }),
  membership({ op: "create", actor: self, targets: [], title: "pl\u202ean" }),
  membership({ op: "set-title", title: "" }),
  { type: "connection", state: "lost", url: "http://n", error: "cut \x07 off" },
  { type: "connection", state: "lost", url: "http://n", error: "still" },
  { type: "connection", state: "open", url: "http://m" },
  { type: "reset" },
  { type: "read", kind: "dm", chat_id: dmId, peer: bob, reader: bob, up_to: hlc, ts: ms, hlc },
  { type: "identity", address: bob, identity: new TextEncoder().encode("Robert"), hlc }
]

/** Prints the events of a client that is played, one user of which has a name. */
const tail = (options: Partial<FollowOptions>) =>
  Effect.gen(function*() {
    const written = { stdout: "", stderr: "" }
    const restore = (["stdout", "stderr"] as const).map((name) => {
      const own = process[name].write
      process[name].write = ((text: string, done?: () => void) => {
        written[name] += text
        done?.()
        return true
      }) as typeof own
      return () => void (process[name].write = own)
    })
    const client = {
      address: self,
      events: () => Stream.fromIterable(events),
      identity: {
        get: (address: Address) =>
          address === bob
            ? Effect.succeed({ address, identity: new TextEncoder().encode("Bob"), hlc })
            : Effect.fail("none")
      },
      groups: { members: (chat_id: ChatId) => Effect.succeed({ chat_id, title: "plan", members: [] }) }
    } as unknown as NodeClient.NodeClient
    yield* follow(client, { json: false, chat: undefined, resume: undefined, events: undefined, ...options }).pipe(
      Effect.ensuring(Effect.sync(() => restore.forEach((each) => each())))
    )
    return { ...written, lines: written.stdout.split("\n").slice(0, -1) }
  })

describe("names", () => {
  const named = (text: string) => nameOf(new TextEncoder().encode(text))

  it("are what an identity says, in either form, and one harmless line", () => {
    assert.strictEqual(named("Alice"), "Alice")
    assert.strictEqual(named(`{"n":"Alice","x":1}`), "Alice")
    assert.strictEqual(named(`{"x":1}`), "")
    assert.strictEqual(named("\u202eA\x1b[2J\n  b\u200b"), "A [2J b")
    assert.strictEqual(nameOf(Uint8Array.of(0xff, 0xfe)), "")
    assert.strictEqual(named("x".repeat(100)).length, 40)
  })

  it("never stand alone: the end of the address is beside them", () => {
    assert.strictEqual(calledOf(self, new Map([[bob, "Bob"]]), bob), "Bob …0b0b")
    assert.strictEqual(calledOf(self, new Map([[bob, ""]]), bob), "0xbbbbbb…0b0b")
    assert.strictEqual(calledOf(self, new Map([[self, "Me"]]), self), "you")
  })
})

describe("tail", () => {
  it.effect("prints a line an event: when, where, who, what", () =>
    Effect.gen(function*() {
      const { lines, stderr } = yield* tail({})
      assert.deepStrictEqual(lines.map((line) => line.slice("2026-11-23 ".length)), [
        "10:05:07  Bob …0b0b           Bob …0b0b         two ↵ lines \ufffd[2J",
        "10:05:07  plan                you               hi",
        "10:05:07  plan                * 0xeeeeee…eeee added Bob …0b0b as admin",
        "10:05:07  plan                * 0xeeeeee…eeee left",
        "10:05:07  plan                * 0xeeeeee…eeee removed you",
        "10:05:07  plan                * you made the group \"pl\ufffdan\"",
        "10:05:07  plan                * 0xeeeeee…eeee cleared the title",
        "10:05:07  Bob …0b0b           * Bob …0b0b read everything up to 2026-11-23 10:05:07",
        "10:05:07  Robert …0b0b        * the identity of 0xbbbbbb…0b0b changed"
      ])
      // once for each loss, whatever is tried meanwhile
      assert.deepStrictEqual(stderr.split("\n"), [
        "reconnecting: cut \ufffd off",
        "connected again: http://m",
        "other events than messages may have been missed; missed messages follow",
        ""
      ])
    }))

  it.effect("prints what the API has as JSON, ids with 0x, and nothing that steers a terminal", () =>
    Effect.gen(function*() {
      const { lines } = yield* tail({ json: true })
      const [first, second, added] = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
      assert.deepStrictEqual(first, {
        type: "message",
        kind: "dm",
        peer: `0x${bob}`,
        message: {
          msg_id: `0x${"11".repeat(32)}`,
          chat_id: `0x${dmId}`,
          sender: `0x${bob}`,
          ts: ms,
          hlc: Hlc.toText(hlc),
          msg_type: 0,
          content: "two\nlines \x1b[2J"
        },
        event_id: "0-1"
      })
      assert.deepStrictEqual(Object.keys(second!), ["type", "kind", "message"])
      assert.deepInclude(added, { type: "membership", actor: `0x${eve}`, targets: [`0x${bob}`], role: "admin" })
      assert.deepStrictEqual(lines.map((line) => (JSON.parse(line) as { type: string }).type), [
        "message",
        "message",
        "membership",
        "membership",
        "membership",
        "membership",
        "membership",
        "reset",
        "read",
        "identity"
      ])
      assert.notMatch(lines.join(""), /[\p{Cc}\u202e]/u)
    }))

  it.effect("prints one conversation", () =>
    Effect.gen(function*() {
      const direct = yield* tail({ chat: Chat.dm(bob) })
      assert.deepStrictEqual(direct.lines.map((line) => /Bob|Robert|plan/.exec(line)![0]), ["Bob", "Bob", "Robert"])
      const ofGroup = yield* tail({ chat: Chat.group(group) })
      assert.strictEqual(ofGroup.lines.length, 6)
      assert.strictEqual((yield* tail({ chat: Chat.group(group), events: 2 })).lines.length, 2)
    }))
})
