import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, PubSub } from "effect"
import { judgedBytesMax } from "../../src/layers/network/bounds.ts"
import type { Verdict } from "../../src/services/Network.ts"
import { inside } from "./insides.ts"
import { bytes, eventually, isConnected, joined, listen, mesh, start } from "./nodes.ts"

/** Three nodes, of which the first and the last are not connected. */
const line = Effect.gen(function*() {
  const a = yield* start({ seed: 1 })
  const b = yield* start({ seed: 2, bootstrap: a.network.addresses() })
  const c = yield* start({ seed: 3 })
  yield* a.network.shun(c.id, 600_000, "the ends of a line")
  yield* c.network.shun(a.id, 600_000, "the ends of a line")
  yield* joined(a, b)
  const c2 = yield* start({ seed: 4, bootstrap: b.network.addresses() })
  yield* c.stop
  yield* a.network.shun(c2.id, 600_000, "the ends of a line")
  yield* c2.network.shun(a.id, 600_000, "the ends of a line")
  yield* joined(b, c2)
  return [a, b, c2] as const
})

describe("gossip over libp2p", () => {
  it.live("a message goes on only when it is accepted, and not before", () =>
    Effect.gen(function*() {
      const [a, b, c] = yield* line
      assert.isFalse(isConnected(a, c, false))
      const verdicts = new Map<string, Deferred.Deferred<Verdict>>()
      for (const text of ["good", "odd", "bad"]) verdicts.set(text, yield* Deferred.make<Verdict>())
      const judged: Array<string> = []
      yield* b.network.judge((payload) =>
        Effect.suspend(() => {
          const text = new TextDecoder().decode(payload)
          judged.push(text)
          return Deferred.await(verdicts.get(text)!)
        })
      )
      const heard = yield* listen(c)
      for (const text of verdicts.keys()) {
        assert.deepStrictEqual(yield* a.network.publish(bytes(text)), { recipients: 1 })
      }
      yield* eventually("all are under judgement", () => judged.length === 3)
      yield* Effect.sleep(300)
      assert.deepStrictEqual(heard, [])
      yield* Deferred.succeed(verdicts.get("bad")!, "reject")
      yield* Deferred.succeed(verdicts.get("odd")!, "ignore")
      yield* Effect.sleep(300)
      yield* Deferred.succeed(verdicts.get("good")!, "accept")
      yield* eventually("it went on", () => heard.length > 0)
      yield* Effect.sleep(500)
      assert.deepStrictEqual(heard, [{ text: "good", from: b.id }])
    }).pipe(Effect.scoped))

  it.live("without peers a message is handed to nobody, and that is no failure", () =>
    Effect.gen(function*() {
      const a = yield* start({ seed: 1 })
      assert.deepStrictEqual(yield* a.network.publish(bytes("x")), { recipients: 0 })
    }).pipe(Effect.scoped))

  it.live("FAILURES 9: what was seen is not judged again", () =>
    Effect.gen(function*() {
      const [a, b, c] = yield* mesh(3)
      const heard = yield* listen(c!)
      yield* listen(b!)
      for (let n = 0; n < 3; n++) {
        yield* a!.network.publish(bytes("same"))
        yield* b!.network.publish(bytes("same"))
      }
      yield* b!.network.publish(bytes("end"))
      yield* eventually("the last one came", () => heard.some(({ text }) => text === "end"))
      yield* Effect.sleep(200)
      assert.deepStrictEqual(heard.map(({ text }) => text).sort(), ["end", "same"])
    }).pipe(Effect.scoped))

  it.live("FAILURES 5: what is under judgement is bounded; the rest is let go and told of", () =>
    Effect.gen(function*() {
      const [a, b] = yield* mesh(2)
      const drops = yield* PubSub.subscribe(b!.ready.drops)
      let held = 0
      let heldMax = 0
      const free = yield* Deferred.make<void>()
      yield* b!.network.judge((payload) =>
        Effect.gen(function*() {
          held += payload.length
          heldMax = Math.max(heldMax, held)
          yield* Deferred.await(free)
          held -= payload.length
          return "ignore" as const
        })
      )
      for (let n = 0; n < 40; n++) {
        yield* a!.network.publish(new Uint8Array(512 * 1024).fill(n))
        yield* Effect.sleep(5)
      }
      assert.strictEqual(yield* PubSub.take(drops), a!.id)
      assert.isAtMost(heldMax, judgedBytesMax)
      assert.isAtLeast(heldMax, judgedBytesMax - 512 * 1024)
      yield* Deferred.succeed(free, undefined)
      yield* eventually("all are judged", () => held === 0)
      const heard = yield* listen(b!)
      yield* a!.network.publish(bytes("after"))
      yield* eventually("there is room again", () => heard.length > 0)
    }).pipe(Effect.scoped))

  it.live("who keeps passing on what is invalid is dropped", () =>
    Effect.gen(function*() {
      const [a, b] = yield* mesh(2)
      yield* listen(b!, () => "reject")
      for (let n = 0; n < 15; n++) yield* a!.network.publish(bytes(`bad ${n}`))
      yield* eventually("it is dropped", () => b!.network.peers().length === 0)
      yield* Effect.sleep(1_500)
      assert.deepStrictEqual(b!.network.peers(), [])
    }).pipe(Effect.scoped))

  it.live("a few invalid messages are forgiven", () =>
    Effect.gen(function*() {
      const [a, b] = yield* mesh(2)
      const heard = yield* listen(b!, (payload) => payload[0] === 33 ? "reject" : "accept")
      for (let n = 0; n < 3; n++) yield* a!.network.publish(bytes(`! ${n}`))
      yield* Effect.sleep(1_500)
      yield* a!.network.publish(bytes("good"))
      yield* eventually("it is still listened to", () => heard.some(({ text }) => text === "good"))
    }).pipe(Effect.scoped))

  it.live("FAILURES 10, 18: gossip that stopped on a living connection is mended", () =>
    Effect.gen(function*() {
      const { node } = yield* inside({ seed: 1 })
      const b = yield* start({ seed: 2, bootstrap: node.libp2p.getMultiaddrs().map(String) })
      const heard = yield* listen(b)
      const topic = "p2p-mes/commands"
      const subscribed = () => node.gossip.getSubscribers(topic).length === 1
      yield* eventually("they are joined", () => subscribed() && b.network.peers().some(({ gossips }) => gossips))
      // whatever still goes on after connecting is over
      yield* Effect.sleep(1_500)
      const connection = node.libp2p.getConnections()[0]!
      // the list changes while they are reset
      for (const stream of connection.streams.slice()) {
        if (stream.protocol.startsWith("/meshsub/")) stream.abort(new Error("a test"))
      }
      let n = 0
      const tell = () => node.gossip.publish(topic, bytes(`${++n}`))
      yield* Effect.promise(tell)
      yield* Effect.sleep(500)
      assert.deepStrictEqual(heard, [], "the test has to break gossip")
      yield* Effect.gen(function*() {
        while (heard.length === 0) {
          yield* Effect.promise(tell)
          yield* Effect.sleep(100)
        }
      }).pipe(Effect.timeout("12 seconds"))
      assert.strictEqual(connection.status, "open", "by the same connection")
    }).pipe(Effect.scoped))
})
