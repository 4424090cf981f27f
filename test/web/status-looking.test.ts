/** How the operator page asks a node, and what it makes of the answers and of their absence. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Latch, Layer, Result } from "effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { Entropy } from "../../src/client/index.ts"
import { condition, notices } from "../../src/web/status/condition.ts"
import { type Interval, type Look, watch } from "../../src/web/status/looking.ts"
import { advance, type State } from "../../src/web/status/state.ts"
import * as Scripted from "../http/scripted-node.ts"

const readiness = { ready: true, problems: [], warnings: [], trees: 1 }
const standing = {
  records: { identity: 0, members: 0, messages: 0 },
  clock: { median_ms: 0, peers: 0, off: false },
  waiting: { records: 0, bytes: 0 },
  gossip_queued: 0,
  peers: []
}

interface World {
  readonly node: Scripted.ScriptedNode
  readonly looks: ReadonlyArray<Look>
  /** What was asked, with the time, ms since the start. */
  readonly asked: ReadonlyArray<readonly [path: string, atMs: number]>
  /** What the node does: answers these instead, or takes this long, ms. */
  readonly answers: Map<string, () => Response>
  takesMs: number
  /** Most requests of one kind under way at once. */
  readonly together: () => number
  readonly mayLook: Latch.Latch
  seconds: Interval
}

/** A node behind the page's client, and a page that looks at it while `test` runs. */
const looking = (test: (world: World) => Effect.Effect<void>) =>
  Effect.gen(function*() {
    const { http, node } = Scripted.make()
    const looks: Array<Look> = []
    const asked: Array<readonly [string, number]> = []
    const underWay = new Map<string, number>()
    let together = 0
    const world: World = {
      node,
      looks,
      asked,
      answers: new Map([
        ["/readyz", () => Response.json(readiness)],
        ["/node/peers", () => Response.json(standing)],
        ["/metrics", () => new Response("p2p_mes_resident_bytes 5\np2p_mes_http_requests_total{status=\"2xx\"} 7\n")]
      ]),
      takesMs: 0,
      together: () => together,
      mayLook: Latch.makeUnsafe(true),
      seconds: 2
    }
    const count = (path: string, by: number): void => {
      underWay.set(path, (underWay.get(path) ?? 0) + by)
      together = Math.max(together, underWay.get(path)!)
    }
    const client = HttpClient.make((request, url) =>
      Effect.gen(function*() {
        asked.push([url.pathname, yield* Clock.currentTimeMillis])
        count(url.pathname, 1)
        yield* Effect.sleep(world.takesMs)
        const answer = world.answers.get(url.pathname)
        return answer === undefined
          ? yield* http.execute(request)
          : HttpClientResponse.fromWeb(request, answer())
      }).pipe(Effect.ensuring(Effect.sync(() => count(url.pathname, -1))))
    )
    const page = watch({
      url: "http://node:1",
      mayLook: world.mayLook,
      seconds: () => world.seconds,
      tell: (look) => looks.push(look)
    })
    yield* Effect.forkScoped(
      page.pipe(Effect.provide(Layer.merge(Entropy.layer, Layer.succeed(HttpClient.HttpClient, client))))
    )
    yield* test(world)
  }).pipe(Effect.scoped)

const paths = (world: World): ReadonlyArray<string> => world.asked.map(([path]) => path)
const states = (world: World): ReadonlyArray<State> => {
  const all: Array<State> = []
  for (const look of world.looks) all.push(advance(all.at(-1), look))
  return all
}

describe("the operator page", () => {
  it.effect("asks everything at each interval", () =>
    looking((world) =>
      Effect.gen(function*() {
        yield* TestClock.adjust(4_000)
        assert.strictEqual(world.looks.length, 3)
        assert.deepStrictEqual(paths(world).slice(0, 4).toSorted(), ["/metrics", "/node", "/node/peers", "/readyz"])
        world.seconds = 5
        yield* TestClock.adjust(2_000 + 10_000)
        assert.deepStrictEqual(world.looks.map(({ atMs }) => atMs), [0, 2_000, 4_000, 6_000, 11_000, 16_000])
        const last = states(world).at(-1)!
        assert.strictEqual(last.node.value?.peer_id, world.node.id)
        assert.deepStrictEqual(last.readiness.value, { ...readiness })
        assert.strictEqual(last.silentSinceMs, undefined)
      })
    ))

  it.effect("never has two requests of a kind under way, however slow the node is", () =>
    looking((world) =>
      Effect.gen(function*() {
        world.takesMs = 3_000
        yield* TestClock.adjust(30_000)
        assert.strictEqual(world.together(), 1)
        assert.isAtLeast(world.looks.length, 3)
        // past the bound of one answer, all is given up and asked again
        world.takesMs = 60_000
        yield* TestClock.adjust(40_000)
        assert.strictEqual(world.together(), 1)
        assert.isTrue(Result.isFailure(world.looks.at(-1)!.node))
      })
    ))

  it.effect("asks nothing while nobody looks, and at once when somebody does again", () =>
    looking((world) =>
      Effect.gen(function*() {
        yield* TestClock.adjust(1_000)
        world.mayLook.closeUnsafe()
        yield* TestClock.adjust(3_600_000)
        assert.strictEqual(world.looks.length, 1)
        world.mayLook.openUnsafe()
        yield* TestClock.adjust(0)
        assert.strictEqual(world.looks.length, 2)
      })
    ))

  it.effect("says since when there is no answer, keeps what it knew, and goes on when the node is back", () =>
    looking((world) =>
      Effect.gen(function*() {
        yield* TestClock.adjust(2_000)
        const answers = [...world.answers]
        world.answers.clear()
        world.node.fault = () => "lose-request"
        yield* TestClock.adjust(6_000)
        world.node.fault = () => undefined
        for (const [path, answer] of answers) world.answers.set(path, answer)
        yield* TestClock.adjust(2_000)
        const all = states(world)
        assert.deepStrictEqual(
          all.map(({ silentSinceMs }) => silentSinceMs),
          [undefined, undefined, 2_000, 2_000, 2_000, undefined]
        )
        assert.deepStrictEqual(Object.keys(all.at(-1)!.node), ["value"])
        const silent = all[4]!
        assert.deepStrictEqual(all.map((state) => condition(state).kind), ["good", "good", "bad", "bad", "bad", "good"])
        assert.match(condition(silent).text, /^no answer since \d/)
        const [notice, ...others] = notices(silent)
        assert.deepStrictEqual(others, [])
        assert.match(notice!.text, /^The node has not answered for 6 s \(.*connection reset\).* old\.$/)
        assert.deepStrictEqual(notices(all.at(-1)!), [])
        assert.strictEqual(silent.node.value?.peer_id, world.node.id)
        assert.match(silent.node.problem!, /connection reset/)
        assert.deepStrictEqual(silent.peers.value, standing)
        assert.deepStrictEqual(silent.history.times, [0, 2_000, 4_000, 6_000, 8_000])
        assert.deepStrictEqual(silent.history.columns.get("memory")![0], [5, 5, null, null, null])
      })
    ))

  it.effect("shows what a node answers that keeps its figures to itself", () =>
    looking((world) =>
      Effect.gen(function*() {
        world.answers.set("/metrics", () => new Response("no", { status: 403 }))
        world.answers.set("/readyz", () =>
          Response.json({ ...readiness, ready: false, problems: ["p"] }, { status: 503 }))
        yield* TestClock.adjust(2_000)
        const last = states(world).at(-1)!
        assert.strictEqual(last.silentSinceMs, undefined)
        assert.deepStrictEqual(last.readiness.value?.problems, ["p"])
        assert.deepStrictEqual(last.peers.value, standing)
        assert.strictEqual(last.metrics.value, undefined)
        assert.deepStrictEqual(condition(last), { kind: "bad", text: "not ready" })
        const [problem, figures, ...others] = notices(last)
        assert.deepStrictEqual(problem, { kind: "bad", text: "p" })
        assert.match(figures!.text, /^No figures: /)
        assert.deepStrictEqual(others, [])
      })
    ))

  it.effect("begins anew when another node answers at the same address, and believes none without its key", () =>
    looking((world) =>
      Effect.gen(function*() {
        yield* TestClock.adjust(2_000)
        const first = world.node.id
        world.node.lie = true
        yield* TestClock.adjust(2_000)
        assert.match(states(world).at(-1)!.node.problem!, /no node to trust/)
        world.node.lie = false
        world.node.rekey(9)
        yield* TestClock.adjust(4_000)
        const last = states(world).at(-1)!
        assert.notStrictEqual(world.node.id, first)
        assert.strictEqual(last.node.value?.peer_id, world.node.id)
        assert.deepStrictEqual(last.history.times, [8_000])
      })
    ))

  it.effect("says what is odd: a line that cannot be read, a clock, a restart, an answer that is missing", () =>
    looking((world) =>
      Effect.gen(function*() {
        yield* TestClock.adjust(0)
        world.node.skewMs = -60_000
        world.answers.set("/metrics", () => new Response("what is this?\n"))
        world.answers.set("/readyz", () => new Response("", { status: 500 }))
        yield* TestClock.adjust(2_000)
        const last = states(world).at(-1)!
        assert.deepStrictEqual(condition(last), { kind: "", text: "not known" })
        assert.deepStrictEqual(
          notices(last).map(({ kind, text }) => [kind, text.slice(0, 24)]),
          [
            ["warn", "No readiness: no answer "],
            ["warn", "The node's clock is 60 s"],
            ["warn", "/metrics has 1 line that"],
            ["", "The node was started aga"]
          ]
        )
      })
    ))

  it.effect("knows by how much the node's clock is ahead", () =>
    looking((world) =>
      Effect.gen(function*() {
        world.node.skewMs = 90_000
        world.takesMs = 400
        yield* TestClock.adjust(1_000)
        // the clock was read at the end of the 400 ms, and is taken for one of their middle
        assert.strictEqual(states(world).at(-1)!.aheadMs, 90_200)
      })
    ))

  it.effect("reads how many comparisons found a difference after it learnt how the peers stand", () =>
    looking((world) =>
      Effect.gen(function*() {
        world.takesMs = 400
        yield* TestClock.adjust(1_000)
        const asked = Object.fromEntries(world.asked)
        assert.deepStrictEqual(asked, { "/node": 0, "/readyz": 0, "/node/peers": 0, "/metrics": 400 })
      })
    ))
})
