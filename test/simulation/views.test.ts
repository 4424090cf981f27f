/** The oracles of views: green on nodes that show what they must, and red on every way to show something else. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { opTypes } from "../../src/domain/record.ts"
import type { NodeServices, SimulatedNode } from "../../src/testing/cluster.ts"
import { Cluster, Random, Users } from "../../src/testing/index.ts"
import { ModelFolds } from "../../src/testing/model/fold.ts"
import { ModelViews, type ShownChat } from "../../src/testing/model/views.ts"
import type { Finding } from "../../src/testing/observer.ts"
import { sampleViews, viewProblems } from "../../src/testing/oracle/views.ts"
import {
  httpAt,
  type Seen,
  type SeenPage,
  viewsAt,
  type Window,
  type WindowAt
} from "../../src/testing/oracle/windows.ts"
import { settled, Town } from "./town.ts"

const timeoutMs = 120_000

const told = (findings: ReadonlyArray<Finding>): string =>
  findings.map(({ oracle, text }) => `${oracle}: ${text}`).join("\n")
const oraclesOf = (findings: ReadonlyArray<Finding>): ReadonlyArray<string> =>
  [...new Set(findings.map(({ oracle }) => oracle))].sort()

describe("the oracles of views are green", () => {
  it.effect(
    "on a cluster that shows what it must, at the end and in the midst, through services and HTTP",
    () =>
      Effect.gen(function*() {
        const { cluster, group, hidden, town } = yield* settled
        const model = new ModelViews(
          cluster.node(0).disk.records(),
          cluster.node(0).clock.wallMs,
          new ModelFolds()
        )
        const message = model.messages(group.chatId).find(({ id }) => id === hidden.id)
        assert.match(model.hidden(message!)!, /was no member/)
        assert.isAbove(model.history(town.user(0).address, group).length, 8)
        for (const window of [undefined, viewsAt, httpAt]) {
          const findings = yield* viewProblems(cluster, town.users, window)
          assert.strictEqual(told(findings), "")
        }
        const random = new Random("looks")
        let looked = 0
        for (let i = 0; i < 150; i++) {
          const sample = yield* sampleViews(random.pick(cluster.nodes), town.users, random)
          assert.strictEqual(told(sample.findings), "")
          if (sample.looked) looked++
        }
        assert.strictEqual(looked, 150)
      }),
    timeoutMs
  )

  it.effect(
    "on clusters that are written to while they are looked at, cut apart, killed and slow to read",
    () =>
      Effect.gen(function*() {
        let looked = 0
        let records = 0
        for (const seed of [1, 2, 3]) {
          const cluster = yield* Cluster.make({ seed: `busy ${seed}`, nodes: 3 })
          const town = new Town(cluster)
          const random = new Random(`busy ${seed}`)
          const groups = [yield* town.found(0, 0, [1, 2, 3]), yield* town.found(1, 1, [0, 4], "title")]
          if (seed === 3) {
            const { disk } = cluster.node(1)
            disk.conditions = { ...disk.conditions, readMsMax: 15 }
          }
          for (let step = 0; step < 60; step++) {
            if (step % 20 === 5) cluster.partition([step % 3], [(step + 1) % 3, (step + 2) % 3])
            if (step % 20 === 12) cluster.heal()
            if (step % 20 === 15) cluster.node(step % 3).crash()
            if (step % 20 === 18) { for (const node of cluster.nodes) node.begin() }
            const user = random.between(0, 4)
            const other = random.between(0, 4)
            const group = random.pick(groups)
            const fields = { role: random.pick([0, 1] as const), targets: town.addresses(other) }
            const { index } = random.pick(cluster.up)
            const draft = random.weighted<() => Users.Draft>([
              [4, () => town.message(user, group, `g${step}`)],
              [4, () => town.message(user, town.dm(user, other), `d${step}`)],
              [4, () => town.change(index, user, group.chatId, fields)],
              [2, () => town.change(index, user, group.chatId, { ...fields, role: 0, op: opTypes.remove })],
              [2, () => town.mark(user, group, BigInt(Math.floor(cluster.time.now)) << 16n)]
            ])()
            cluster.node(index).fork(Users.write(town.user(user), draft))
            cluster.time.advance(random.between(0, 40))
            for (let i = 0; i < 4; i++) {
              const sample = yield* sampleViews(random.pick(cluster.nodes), town.users, random)
              assert.strictEqual(told(sample.findings), "", `seed ${seed}, step ${step}`)
              if (sample.looked) looked++
            }
          }
          cluster.heal()
          cluster.time.advance(120_000)
          assert.strictEqual(told(yield* viewProblems(cluster, town.users)), "")
          records += cluster.node(0).disk.records().length
        }
        assert.isAbove(looked, 200)
        assert.isAbove(records, 60)
      }),
    timeoutMs
  )
})

/** What a window shows otherwise than the one behind it. */
type Lies = Partial<Window<NodeServices>>
const lying = (lies: (honest: Window<NodeServices>, node: SimulatedNode) => Lies): WindowAt => (node) => {
  const honest = viewsAt(node)
  return { ...honest, ...lies(honest, node) }
}

const changed = <A>(seen: Effect.Effect<Seen<A>, never, NodeServices>, change: (value: A) => A) =>
  Effect.map(seen, (each): Seen<A> => each._tag === "Shown" ? { _tag: "Shown", value: change(each.value) } : each)

const items = <A>(change: (items: ReadonlyArray<A>) => ReadonlyArray<A>) => (page: SeenPage<A>): SeenPage<A> => ({
  ...page,
  items: change(page.items)
})

/** Histories of one chat are other ones. */
const otherHistory = (
  chatId: string,
  change: (page: SeenPage<{ readonly id: string; readonly hlc: bigint; readonly text: string }>) => typeof page
): WindowAt =>
  lying((honest) => ({
    history: (user, place, page) =>
      place.chatId === chatId ? changed(honest.history(user, place, page), change) : honest.history(user, place, page)
  }))

const otherInbox = (change: (line: ShownChat) => ShownChat): WindowAt =>
  lying((honest) => ({
    inbox: (user, page) => changed(honest.inbox(user, page), items((lines) => lines.map(change)))
  }))

describe("the oracles of views go red", () => {
  it.effect("one by one, each on its own kind of wrong", () =>
    Effect.gen(function*() {
      const { cluster, group, hidden, town } = yield* settled
      const { chatId } = group
      const swapped = <A>(list: ReadonlyArray<A>) => [...list.slice(1, 2), ...list.slice(0, 1), ...list.slice(2)]
      const records = cluster.node(0).disk.records()
      const stored = records.find((record) => record.kind === "message" && record.id === hidden.id)!
      const leaked = {
        id: stored.id,
        hlc: stored.hlc as bigint,
        text: "anything"
      }
      const empty = { _tag: "Shown", value: { items: [], next: undefined } } as const
      const wrong: ReadonlyArray<
        readonly [name: string, window: WindowAt, oracles: ReadonlyArray<string>, text: RegExp]
      > = [
        ["a message is left out", otherHistory(chatId, items((list) => list.slice(1))), ["hidden"], /not shown/],
        ["two change places", otherHistory(chatId, items(swapped)), ["order"], /comes after/],
        [
          "one comes twice",
          otherHistory(chatId, items((list) => [...list, ...list.slice(-1)])),
          ["order"],
          /comes twice/
        ],
        [
          "a message of one who was no member",
          otherHistory(chatId, items((list) => [...list, leaked])),
          ["hidden", "order"],
          /shows .* but .* was no member at its place/
        ],
        [
          "another text",
          otherHistory(chatId, items((list) => list.map((each) => ({ ...each, text: `${each.text}!` })))),
          ["content"],
          /is ….*!, and not/
        ],
        [
          "a list without end",
          otherHistory(chatId, (page) => ({ ...page, next: page.next ?? "" as never })),
          ["order"],
          /./
        ],
        [
          "a cut list",
          lying((honest) => ({
            history: (user, place, page) =>
              changed(honest.history(user, place, page), (whole) => ({ ...whole, next: undefined }))
          })),
          ["hidden"],
          /not shown/
        ],
        [
          "one unread too many",
          otherInbox((line) => ({ ...line, unread: line.unread + 1 })),
          ["unread"],
          /counted are/
        ],
        ["a cap that is none", otherInbox((line) => ({ ...line, capped: true })), ["unread"], /\+, counted/],
        ["no newest", otherInbox((line) => ({ ...line, newest: undefined })), ["inbox"], /as newest …none/],
        ["another title", otherInbox((line) => ({ ...line, title: "third" })), ["inbox"], /third/],
        [
          "an inbox in another order",
          lying((honest) => ({ inbox: (user, page) => changed(honest.inbox(user, page), items(swapped)) })),
          ["inbox"],
          /in the order/
        ],
        [
          "a chat left out",
          lying((honest) => ({
            inbox: (user, page) => changed(honest.inbox(user, page), items((all) => all.slice(1)))
          })),
          ["inbox"],
          /lacks/
        ],
        [
          "no admin",
          lying((honest) => ({
            members: (user, id) =>
              changed(honest.members(user, id), (all) => ({
                ...all,
                members: all.members.map((member) => ({ ...member, role: 0 }))
              }))
          })),
          ["admin", "members"],
          /members and no admin/
        ],
        [
          "one who was added is no member",
          lying((honest) => ({
            members: (user, id) =>
              changed(honest.members(user, id), (all) => ({
                ...all,
                members: all.members.filter(({ address }) => address !== town.user(2).address)
              }))
          })),
          ["addwins", "members"],
          /no removal has seen that/
        ],
        [
          "another since",
          lying((honest) => ({
            members: (user, id) =>
              changed(honest.members(user, id), (all) => ({
                ...all,
                members: all.members.map((member) => ({ ...member, since: member.since + 1n }))
              }))
          })),
          ["members"],
          /since/
        ],
        [
          "an older identity",
          lying((honest) => ({
            identity: (reader, address) =>
              changed(honest.identity(reader, address), (each) => ({ ...each, blob: "00" }))
          })),
          ["identity"],
          / 00 /
        ],
        [
          "a stranger may look into a group",
          lying((honest) => ({
            history: (user, place, page) =>
              Effect.map(honest.history(user, place, page), (seen) => seen._tag === "Refused" ? empty : seen)
          })),
          ["access"],
          /shown, must be Forbidden/
        ],
        [
          "a member may not",
          lying(() => ({ members: () => Effect.succeed({ _tag: "Refused", why: "Forbidden" }) })),
          ["access"],
          /Forbidden, must be shown/
        ],
        [
          "a hidden message can be asked for by its id",
          lying((honest) => ({
            message: (user, place, id) =>
              Effect.map(
                honest.message(user, place, id),
                (seen) => seen._tag === "Refused" ? { _tag: "Shown", value: leaked } : seen
              )
          })),
          ["access"],
          /message .* shown, must be NotFound/
        ],
        ["a look ends in a defect", lying(() => ({ inbox: () => Effect.die("broken") })), ["read"], /broken/],
        [
          "a node that is always busy",
          lying(() => ({ inbox: () => Effect.succeed({ _tag: "Refused", why: "Overloaded queue" }) })),
          ["busy"],
          /in peace/
        ]
      ]
      for (const [name, window, oracles, text] of wrong) {
        const findings = yield* viewProblems(cluster, town.users, window)
        assert.deepStrictEqual(oraclesOf(findings), oracles, `${name}: ${told(findings)}`)
        assert.match(told(findings), text, name)
        if (name === "a node that is always busy") continue
        const random = new Random(name)
        const seen: Array<Finding> = []
        for (let i = 0; i < 200 && seen.length === 0; i++) {
          seen.push(...(yield* sampleViews(cluster.node(0), town.users, random, window)).findings)
        }
        assert.include(oracles, seen[0]?.oracle, `samples: ${name}`)
      }
    }), timeoutMs)

  it.effect("when records differ between nodes, while each shows what it has", () =>
    Effect.gen(function*() {
      const { cluster, group, town } = yield* settled
      cluster.partition([0], [1], [2])
      yield* town.say(0, 0, group, "only here")
      const findings = yield* viewProblems(cluster, town.users)
      assert.deepStrictEqual(oraclesOf(findings), ["views"])
      assert.match(told(findings), /views of n0 and n1: inbox u0/)
      assert.notMatch(told(findings), /views of n1 and n2/)
    }), timeoutMs)
})

describe("a look counts only at peace", () => {
  it.effect("a node whose disk is slow to commit, or that is down, teaches nothing", () =>
    Effect.gen(function*() {
      const cluster = yield* Cluster.make({ seed: "busy", nodes: 1 })
      const town = new Town(cluster)
      const group = yield* town.found(0, 0, [1])
      const node = cluster.node(0)
      node.disk.conditions = { ...node.disk.conditions, full: true }
      node.fork(Users.write(town.user(0), {
        kind: "message",
        place: group,
        fields: { chatId: group.chatId, sender: town.user(0).address, ts: town.ts(), msgType: 0, content: "waits" }
      }))
      cluster.time.advance(1_000)
      const random = new Random("busy")
      const look = sampleViews(node, town.users, random)
      assert.deepStrictEqual(yield* look, { looked: false, findings: [] })
      assert.deepStrictEqual(oraclesOf(yield* viewProblems(cluster, town.users)), ["busy"])
      node.disk.conditions = { ...node.disk.conditions, full: false }
      cluster.time.advance(60_000)
      assert.isTrue((yield* look).looked)
      assert.strictEqual(told(yield* viewProblems(cluster, town.users)), "")
      node.crash()
      assert.deepStrictEqual(yield* look, { looked: false, findings: [] })
    }), timeoutMs)
})
