/** Requests of a simulation reach a node through its own HTTP handlers, and are answered on the node's time. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import type { Hlc } from "../../src/domain/hlc.ts"
import type * as Ids from "../../src/domain/ids.ts"
import { contentBytesMax, defaultIngestLimits, requestMsMax } from "../../src/domain/limits.ts"
import { opTypes, roles } from "../../src/domain/record.ts"
import { goodDisk } from "../../src/testing/disk.ts"
import * as Users from "../../src/testing/users.ts"
import { accepted, found, refused, timeoutMs, verySlow, world } from "./http-world.ts"

describe("through the door of a simulated node", () => {
  it.effect("every kind of write is taken, and every read shows it", () =>
    Effect.gen(function*() {
      const { alice, bob, carol, create, dm, group, message, node, op, read, targets, ts, write } = yield* world()
      const direct = message(alice, dm(alice, bob), "hi ✓", Uint8Array.of(1, 2))
      const sent = accepted(yield* write(alice, direct, { wait: true }))
      assert.isTrue(sent.committed)
      const marked = accepted(yield* write(bob, read(bob, dm(bob, alice), sent.hlc)))
      assert.strictEqual(marked.status, 202)
      accepted(yield* write(alice, create(bob)))
      accepted(
        yield* write(
          alice,
          op(alice, group.chatId, {
            op: opTypes.add,
            role: roles.admin,
            targets: targets(carol)
          }),
          { sigVersion: 2 }
        )
      )
      accepted(yield* write(carol, op(carol, group.chatId, { op: opTypes.setTitle, title: "all" })))
      const inGroup = accepted(yield* write(bob, message(bob, group, "here")))
      accepted(yield* write(alice, read(alice, group, inGroup.hlc)))
      accepted(yield* write(alice, op(alice, group.chatId, { op: opTypes.remove, targets: targets(bob) })))
      const identity: Users.Draft = {
        kind: "identity",
        fields: { address: carol.address, ts: ts(), blob: Uint8Array.of(9) }
      }
      accepted(yield* write(carol, identity))

      const page = found(yield* node.run(Users.readHistory(bob, dm(bob, alice), { ts: ts() })))
      assert.deepStrictEqual(page, {
        messages: [{
          msg_id: sent.id as Ids.MessageId,
          chat_id: dm(alice, bob).chatId,
          sender: alice.address,
          ts: direct.fields.ts,
          hlc: sent.hlc,
          msg_type: 7,
          content: "hi ✓",
          control: Uint8Array.of(1, 2)
        }],
        next: null
      })
      const one = found(yield* node.run(Users.readMessage(alice, dm(alice, bob), page.messages[0]!.msg_id)))
      assert.deepStrictEqual(one, page.messages[0])
      const inbox = found(yield* node.run(Users.readConversations(alice, { ts: ts() })))
      assert.deepStrictEqual(
        inbox.conversations.map(({ kind, newest, title, unread }) => [kind, newest?.msg_id, title, unread]),
        [["group", inGroup.id, "all", 0], ["dm", sent.id, undefined, 0]]
      )
      const { members, title } = found(yield* node.run(Users.readMembers(carol, group.chatId)))
      assert.strictEqual(title, "all")
      assert.deepStrictEqual(
        members.map(({ address, role }) => [address, role]).toSorted(),
        [[alice.address, "admin"], [carol.address, "admin"]].toSorted()
      )
      const { identity: blob } = found(yield* node.run(Users.readIdentity(alice, carol.address)))
      assert.deepStrictEqual(blob, Uint8Array.of(9))
      assert.strictEqual(node.disk.records().length, 9)
    }), timeoutMs)

  it.effect("history comes in pages, from either end", () =>
    Effect.gen(function*() {
      const { alice, bob, cluster, dm, message, node, ts, write } = yield* world()
      for (const content of ["1", "2", "3", "4", "5"]) {
        accepted(yield* write(alice, message(alice, dm(alice, bob), content)))
      }
      const walk = Effect.fnUntraced(function*(direction: "before" | "after") {
        const pages: Array<string> = []
        let cursor: string | null = ""
        while (cursor !== null) {
          const from: { readonly before?: string; readonly after?: string } = direction === "before" && cursor === ""
            ? {}
            : { [direction]: cursor }
          const page: Users.ReadOutcome<{
            readonly messages: ReadonlyArray<{ readonly content: string }>
            readonly next: string | null
          }> = yield* node.run(Users.readHistory(bob, dm(bob, alice), { ts: ts(), limit: 2, ...from }))
          const { messages, next } = found(page)
          if (messages.length === 0) break
          pages.push(messages.map(({ content }) => content).join(""))
          cursor = next
        }
        return pages
      })
      assert.deepStrictEqual(yield* walk("before"), ["54", "32", "1"])
      assert.deepStrictEqual(yield* walk("after"), ["12", "34", "5"])
      assert.deepStrictEqual(cluster.findings, [])
    }), timeoutMs)

  it.effect(
    "a group that was just founded can be written to, before anything is on the disk",
    () =>
      Effect.gen(function*() {
        const { alice, bob, cluster, create, group, message, node } = yield* world()
        node.disk.conditions = verySlow
        const outcomes: Array<Users.WriteOutcome> = []
        const done = (exit: { readonly _tag: string; readonly value?: Users.WriteOutcome }) =>
          outcomes.push(exit.value!)
        node.fork(Users.write(alice, create(bob)), done)
        node.fork(Users.write(bob, message(bob, group, "first")), done)
        cluster.time.advance(5)
        assert.deepStrictEqual(outcomes.map((each) => accepted(each).status), [202, 202])
        assert.strictEqual(node.disk.records().length, 0)
      }),
    timeoutMs
  )

  it.effect("one leaves by either way, and it is the same op", () =>
    Effect.gen(function*() {
      const { alice, bob, carol, cluster, create, group, hashes, node, op, targets, write } = yield* world()
      accepted(yield* write(alice, create(bob, carol)))
      for (const [user, leaveBy, method] of [[bob, "membership", "DELETE"], [carol, "ops", "POST"]] as const) {
        const draft = op(user, group.chatId, { op: opTypes.remove, targets: targets(user) })
        const request = yield* Users.requestOf(hashes, node.id, user, draft, { leaveBy })
        assert.strictEqual(request.method, method)
        const taken = accepted(yield* write(user, draft, { leaveBy, wait: true }))
        assert.strictEqual(taken.id, Users.idOf(hashes, draft))
        refused(yield* node.run(Users.readMembers(user, group.chatId)), 403, "Forbidden")
      }
      const { members } = found(yield* node.run(Users.readMembers(alice, group.chatId)))
      assert.deepStrictEqual(members.map(({ address }) => address), [alice.address])
      cluster.time.advance(1_000)
    }), timeoutMs)

  it.effect("the same signature again gets its first answer", () =>
    Effect.gen(function*() {
      const { alice, bob, cluster, dm, message, node, write } = yield* world()
      const draft = message(alice, dm(alice, bob), "once")
      const first = accepted(yield* write(alice, draft))
      cluster.time.advance(3_000)
      assert.deepStrictEqual(accepted(yield* write(alice, draft)), first)
      assert.deepStrictEqual(accepted(yield* write(alice, draft, { wait: true })), {
        ...first,
        status: 201,
        committed: true
      })
      node.stop()
      node.start()
      assert.strictEqual(accepted(yield* write(alice, draft)).hlc, first.hlc)
      assert.strictEqual(node.disk.records().length, 1)
    }), timeoutMs)

  it.effect("who asks without a signature is told how the node is", () =>
    Effect.gen(function*() {
      const { cluster, node } = yield* world()
      assert.deepStrictEqual(found(yield* node.run(Users.readHealth)), { status: "ok" })
      const info = found(yield* node.run(Users.readNode("11".repeat(32))))
      assert.strictEqual(info.peer_id, node.id)
      assert.strictEqual(info.time, node.clock.wallMs)
      assert.lengthOf(info.signature!, 2 + 128)
      cluster.time.advance(10_000)
      assert.isTrue(found(yield* node.run(Users.readReadiness)).ready)
      node.disk.conditions = { ...goodDisk, readMsMax: 1e9 }
      cluster.time.advance(2_000)
      const unready = found(yield* node.run(Users.readReadiness), 503)
      assert.deepStrictEqual(unready.problems, ["reading hangs", "writing hangs"])
    }), timeoutMs)
})

describe("what a node refuses", () => {
  it.effect("comes with its status, tag and reason", () =>
    Effect.gen(function*() {
      const { alice, bob, carol, cluster, create, dm, group, message, node, op, read, targets, ts, write } =
        yield* world()
      const place = dm(alice, bob)
      const early = message(alice, place, "x")
      cluster.time.advance(requestMsMax + 1_000)
      const late = refused(yield* write(alice, early), 401, "Unauthenticated expired")
      assert.strictEqual(late.refusal._tag === "Unauthenticated" ? late.refusal.time : 0, node.clock.wallMs)
      refused(yield* write(bob, message(alice, place, "x")), 401, "Unauthenticated bad-signature")
      refused(yield* write(alice, message(alice, group, "x")), 404, "NotFound")
      refused(yield* node.run(Users.readIdentity(alice, bob.address)), 404, "NotFound")
      accepted(yield* write(alice, create(bob)))
      refused(yield* write(alice, create(bob)), 409, "Conflict group-exists")
      refused(yield* write(carol, message(carol, group, "x")), 403, "Forbidden")
      const change = (actor: Users.User, fields: Partial<Ids.OpFields>) => write(actor, op(actor, group.chatId, fields))
      refused(yield* change(bob, { op: opTypes.setTitle, title: "mine" }), 403, "Forbidden")
      refused(yield* change(alice, { op: opTypes.setTitle, title: "friends" }), 409, "Conflict no-change")
      refused(yield* change(alice, { op: opTypes.remove, targets: targets(alice) }), 409, "Conflict last-admin")
      const admin = { op: opTypes.add, role: roles.admin, targets: targets(bob) } as const
      accepted(yield* change(alice, admin))
      refused(yield* change(bob, { op: opTypes.remove, targets: targets(alice) }), 409, "Conflict creator")
      refused(yield* change(alice, { op: opTypes.create }), 400, "InvalidRequest")
      const huge = message(alice, place, "x".repeat(contentBytesMax + 1))
      const tooLong = refused(yield* write(alice, huge), 400, "InvalidRequest")
      assert.strictEqual(tooLong.refusal._tag === "InvalidRequest" ? tooLong.refusal.field : "", "content")
      refused(yield* write(alice, message(alice, place, "x".repeat(300_000))), 413, "TooLarge")
      const ahead = (BigInt(node.clock.wallMs + 61_000) << 16n) as Hlc
      refused(yield* write(alice, read(alice, place, ahead)), 400, "InvalidRequest")
      const at = ts()
      found(yield* node.run(Users.readConversations(alice, { ts: at })))
      refused(yield* node.run(Users.readConversations(alice, { ts: at })), 401, "Unauthenticated replayed")
      refused(yield* node.run(Users.readHistory(alice, place, { before: "x" })), 400, "InvalidRequest")
      assert.deepStrictEqual(cluster.findings, [])
    }), timeoutMs)

  it.effect("tells a user who asks too often when to come back", () =>
    Effect.gen(function*() {
      const { alice, bob, cluster, dm, message, node } = yield* world()
      const outcomes = new Map<string, number>()
      for (let i = 0; i <= defaultIngestLimits.userRequestsBurst; i++) {
        node.fork(Users.write(alice, message(alice, dm(alice, bob), "x")), (exit) => {
          const outcome = exit._tag === "Success" ? exit.value : undefined
          const why = outcome?.kind === "accepted" ? "taken" : outcome === undefined ? "defect" : Users.whyOf(outcome)
          outcomes.set(why, (outcomes.get(why) ?? 0) + 1)
        })
      }
      cluster.time.settle()
      assert.deepStrictEqual(outcomes, new Map([["taken", 1000], ["RateLimited", 1]]))
    }), timeoutMs)
})

describe("an answer that is waited for", () => {
  it.effect("comes after the commit, 201", () =>
    Effect.gen(function*() {
      const { alice, bob, dm, hashes, message, node, ask } = yield* world()
      node.disk.conditions = { ...goodDisk, commitMsMax: 9_000 }
      const request = yield* Users.requestOf(hashes, node.id, alice, message(alice, dm(alice, bob), "x"), {
        wait: true
      })
      const answer = yield* ask(request)
      assert.strictEqual(answer.status, 201)
      assert.strictEqual(answer.headers["preference-applied"], "wait=10")
      assert.strictEqual(node.disk.records().length, 1)
    }), timeoutMs)

  it.effect("comes after 10 s from a disk that is slower, 202", () =>
    Effect.gen(function*() {
      const { alice, bob, cluster, dm, message, node, write } = yield* world()
      node.disk.conditions = verySlow
      const start = cluster.time.now
      const outcome = accepted(yield* write(alice, message(alice, dm(alice, bob), "x"), { wait: true }))
      assert.deepStrictEqual([outcome.status, outcome.committed], [202, false])
      assert.strictEqual(Math.round(cluster.time.now - start), 10_000)
      assert.strictEqual(node.disk.records().length, 0)
    }), timeoutMs)

  it.effect(
    "never comes from a node that was killed; and one may hang up: the write is seen through",
    () =>
      Effect.gen(function*() {
        const { alice, bob, cluster, dm, message, node } = yield* world()
        node.disk.conditions = { ...goodDisk, commitMsMax: 4_000 }
        const answers: Array<string> = []
        const patient = Users.write(alice, message(alice, dm(alice, bob), "1"), { wait: true })
        const hasty = Users.write(alice, message(alice, dm(alice, bob), "2"), { wait: true })
        node.fork(patient, () => answers.push("patient"))
        assert.isTrue(Option.isNone(yield* node.run(Effect.timeoutOption(hasty, 1))))
        cluster.time.advance(10_000)
        assert.deepStrictEqual(answers, ["patient"])
        assert.strictEqual(node.disk.records().length, 2)
        node.fork(Users.write(bob, message(bob, dm(bob, alice), "3"), { wait: true }), () => answers.push("killed"))
        cluster.time.advance(1)
        node.crash()
        cluster.time.advance(60_000)
        assert.deepStrictEqual(answers, ["patient"])
        assert.deepStrictEqual(cluster.findings, [])
      }),
    timeoutMs
  )

  it.effect("still comes when the node is told to stop, which takes no new requests", () =>
    Effect.gen(function*() {
      const { alice, bob, cluster, dm, message, node } = yield* world()
      node.disk.conditions = { ...goodDisk, commitMsMax: 1_500 }
      const outcomes: Array<Users.WriteOutcome> = []
      node.fork(Users.write(alice, message(alice, dm(alice, bob), "1"), { wait: true }), (exit) => {
        if (exit._tag === "Success") outcomes.push(exit.value)
      })
      cluster.time.settle()
      assert.deepStrictEqual(outcomes, [])
      node.stop()
      assert.deepStrictEqual(outcomes.map((each) => accepted(each).status), [201])
      assert.deepStrictEqual(cluster.findings, [])
    }), timeoutMs)

  it.effect(
    "is waited for 5 s at most by a node that stops, and not at all once its client hung up",
    () =>
      Effect.gen(function*() {
        const { alice, bob, cluster, dm, message, node } = yield* world()
        const stopMs = () => {
          const start = cluster.time.now
          node.stop()
          return cluster.time.now - start
        }
        const read = Users.readHistory(alice, dm(alice, bob))
        node.disk.conditions = { ...verySlow, readMsMax: 1e9 }
        let answers = 0
        node.fork(read, () => answers++)
        cluster.time.advance(100)
        assert.isAtLeast(stopMs(), 5_000)
        assert.strictEqual(answers, 1)
        node.disk.conditions = goodDisk
        node.start()
        node.disk.conditions = { ...verySlow, readMsMax: 1e9 }
        assert.isTrue(Option.isNone(yield* node.run(Effect.timeoutOption(read, 100))))
        assert.isBelow(stopMs(), 5_000)
        node.disk.conditions = goodDisk
        node.start()
        accepted(yield* node.run(Users.write(alice, message(alice, dm(alice, bob), "x"))))
      }),
    timeoutMs
  )
})
