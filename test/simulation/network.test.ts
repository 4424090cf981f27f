/** The simulated network keeps what the port promises, and does to messages what a test asks for. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Scope } from "effect"
import type { NodeId } from "../../src/domain/ids.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { type Channel, Network } from "../../src/services/Network.ts"
import { Random, SimulatedNetwork, VirtualTime } from "../../src/testing/index.ts"
import { Trace } from "../../src/testing/trace.ts"
import { Life, MachineClock } from "../../src/testing/virtual-time.ts"

const world = (names: ReadonlyArray<string>) => {
  const time = new VirtualTime(1_000_000)
  const network = new SimulatedNetwork({ time, hashes: noble, random: new Random("w"), trace: new Trace(time, noble) })
  const machines = names.map((name) => {
    const id = name as NodeId
    const life = new Life(time, new MachineClock(time))
    let port: Network["Service"] | undefined
    life.fork(Layer.buildWithScope(network.layer(id, life), Scope.makeUnsafe()), Context.empty(), (exit) => {
      if (exit._tag === "Success") port = Context.get(exit.value, Network)
    })
    time.settle()
    const run = (effect: Effect.Effect<unknown, unknown, Scope.Scope>) =>
      life.fork(effect, Context.make(Scope.Scope, Scope.makeUnsafe()))
    return { id, life, port: port!, run }
  })
  time.advance(1_000)
  return { time, network, machines }
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const bytes = (word: string) => new TextEncoder().encode(word)

describe("gossip", () => {
  it("floods to all once, and goes on only where it was accepted", () => {
    const { machines, time } = world(["a", "b", "c"])
    const heard: Array<string> = []
    for (const { id, port, run } of machines) {
      run(port.judge((payload, from) => Effect.sync(() => (heard.push(`${from}>${id} ${text(payload)}`), "accept"))))
    }
    machines[0]!.run(machines[0]!.port.publish(bytes("x")))
    time.advance(1_000)
    assert.deepStrictEqual(heard.map((each) => each.slice(2)).sort(), ["b x", "c x"])
  })

  it("is lost on a way that is cut, one way only", () => {
    const { machines, network, time } = world(["a", "b"])
    const [a, b] = [machines[0]!, machines[1]!]
    const heard: Array<string> = []
    for (const { id, port, run } of machines) {
      run(port.judge((payload) => Effect.sync(() => (heard.push(`${id} ${text(payload)}`), "ignore"))))
    }
    network.cut(a.id, b.id)
    a.run(a.port.publish(bytes("there")))
    b.run(b.port.publish(bytes("back")))
    time.advance(1_000)
    assert.deepStrictEqual(heard, ["a back"])
  })
})

describe("streams", () => {
  const serveAll = (machine: ReturnType<typeof world>["machines"][number], got: Array<string>) =>
    machine.run(machine.port.serve((channel: Channel) =>
      channel.receive.pipe(
        Effect.tap((frame) => Effect.sync(() => got.push(text(frame)))),
        Effect.forever,
        Effect.catch((error) => Effect.sync(() => void got.push(error.reason)))
      )
    ))

  it("keep the order, wait while the way is cut, and end after what was sent", () => {
    const { machines, network, time } = world(["a", "b"])
    const [a, b] = [machines[0]!, machines[1]!]
    const got: Array<string> = []
    serveAll(b, got)
    a.run(Effect.scoped(Effect.gen(function*() {
      const channel = yield* a.port.open(b.id)
      for (const word of ["1", "2", "3"]) yield* channel.send(bytes(word))
      yield* Effect.sleep(500)
      network.cut(a.id, b.id)
      yield* channel.send(bytes("4"))
      yield* Effect.sleep(1_000)
      assert.deepStrictEqual(got, ["1", "2", "3"])
      network.heal(a.id, b.id)
    })))
    time.advance(5_000)
    assert.deepStrictEqual(got, ["1", "2", "3", "4", "closed"])
  })

  it("are closed when the peer is killed; a peer that is away is unreachable", () => {
    const { machines, network, time } = world(["a", "b"])
    const [a, b] = [machines[0]!, machines[1]!]
    const got: Array<string> = []
    serveAll(b, got)
    const outcome: Array<string> = []
    a.run(
      Effect.flatMap(a.port.open(b.id), ({ receive }) => receive).pipe(
        Effect.catch((error) => Effect.sync(() => outcome.push(error.reason))),
        Effect.andThen(a.port.open(b.id).pipe(Effect.catch((error) => Effect.sync(() => outcome.push(error.reason)))))
      )
    )
    time.advance(1_000)
    assert.deepStrictEqual(outcome, [])
    b.life.end()
    network.detach(b.id)
    time.advance(1_000)
    assert.deepStrictEqual(outcome, ["closed", "unreachable"])
    assert.deepStrictEqual(a.port.peers(), [])
  })

  it("are refused by a peer that serves none", () => {
    const { machines, time } = world(["a", "b"])
    const [a, b] = [machines[0]!, machines[1]!]
    const outcome: Array<string> = []
    a.run(a.port.open(b.id).pipe(Effect.catch((error) => Effect.sync(() => outcome.push(error.reason)))))
    time.advance(1_000)
    assert.deepStrictEqual(outcome, ["unsupported"])
  })
})
