/** Streams of the typed client to a whole node over connections that are cut at random, 500 times (FAILURES 5, 6). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import { Chat, Entropy, NodeClient, Signer } from "../../src/client/index.ts"
import { Dice } from "../domain/records.ts"
import { start, temporaryDirectory, user } from "./fixture.ts"

const streams = 10
const cutsOfEach = 50
/** A connection is cut within so many bytes from the node: in a head, an event or between two. */
const cutBytesMax = 6_000
const [alice, bob] = [user(1), user(2)]

/** A way to `port` that resets each of its first `cuts` connections in the middle of what the node says. */
const fragile = (port: number, cuts: number, dice: Dice) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const sockets = new Set<Socket>()
      const counted = { cuts: 0 }
      const server = createServer((client) => {
        const node = connect(port, "127.0.0.1")
        const isCut = counted.cuts < cuts
        let left = dice.below(cutBytesMax)
        for (const socket of [client, node]) {
          sockets.add(socket)
          socket.on("error", () => undefined)
          socket.on("close", () => {
            sockets.delete(socket)
            client.destroy()
            node.destroy()
          })
        }
        client.pipe(node)
        node.on("data", (bytes: Buffer) => {
          if (!isCut || bytes.length < left) {
            left -= bytes.length
            return client.write(bytes)
          }
          if (counted.cuts < cuts) counted.cuts++
          client.write(bytes.subarray(0, left), () => client.resetAndDestroy())
        })
      })
      server.listen(0, "127.0.0.1")
      await once(server, "listening")
      return { server, sockets, counted, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
    }),
    ({ server, sockets }) =>
      Effect.sync(() => {
        server.close()
        for (const socket of sockets) socket.destroy()
      })
  )

const clientOf = Effect.fnUntraced(function*(url: string, { key }: { readonly key: Uint8Array }) {
  const signer = yield* Effect.fromResult(Signer.fromPrivateKey(key))
  return yield* NodeClient.make({ url, signer })
})

describe("streams that are cut 500 times", () => {
  it.live("end with exactly the messages sent, each once and in order", () =>
    Effect.gen(function*() {
      const node = yield* start({
        dataDir: yield* temporaryDirectory,
        limits: { userRequestsPerSecond: 10_000, userRequestsBurst: 10_000 }
      })
      const port = Number(new URL(node.url).port)
      const ways = yield* Effect.forEach(
        Array.from({ length: streams }, (_, i) => i),
        (i) => fragile(port, cutsOfEach, new Dice(i + 1))
      )
      const cuts = () => ways.reduce((sum, { counted }) => sum + counted.cuts, 0)
      const sent: Array<string> = []
      const readers = yield* Effect.forEach(ways, ({ url }) =>
        Effect.gen(function*() {
          const client = yield* clientOf(url, bob)
          const seen: Array<string> = []
          let opened: () => void = () => undefined
          const isOpen = new Promise<void>((resolve) => {
            opened = resolve
          })
          const fiber = yield* Effect.forkScoped(Stream.runForEach(client.events(), (event) =>
            Effect.sync(() => {
              if (event.type === "connection" && event.state === "open") opened()
              if (event.type === "message") seen.push(event.message.msg_id)
            })))
          return { seen, fiber, isOpen }
        }))
      yield* Effect.promise(() => Promise.all(readers.map(({ isOpen }) => isOpen)))

      const sender = yield* clientOf(node.url, alice)
      // as long as it takes until all were cut, and some more
      for (let after = 0; after < 20;) {
        if (cuts() === streams * cutsOfEach) after++
        assert.isBelow(sent.length, 20_000, `only ${cuts()} cuts`)
        const { msg_id } = yield* sender.send(Chat.dm(bob.address), `${sent.length} ${"ä".repeat(sent.length % 100)}`)
        sent.push(msg_id)
      }
      for (const { fiber, seen } of readers) {
        for (let i = 0; i < 1_000 && seen.length < sent.length; i++) yield* Effect.sleep(20)
        assert.deepStrictEqual(seen, sent)
        assert.isUndefined(fiber.pollUnsafe(), "a stream ended")
      }
      yield* Fiber.interruptAll(readers.map(({ fiber }) => fiber))
    }).pipe(Effect.scoped, Effect.provide([FetchHttpClient.layer, Entropy.layer])), 120_000)
})
