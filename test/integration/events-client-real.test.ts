/**
 * The client's stream of events over two whole nodes that are killed in turn while messages go on (SPEC §8;
 * FAILURES 14, 16).
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { type AddressInfo, connect, createServer } from "node:net"
import { Chat, NodeClient, Signer } from "../../src/client/index.ts"
import { layer, until, watch } from "../http/events-watch.ts"
import { temporaryDirectory, user } from "../http/fixture.ts"
import { nodeProcess } from "./processes.ts"

const [alice, bob] = [user(1), user(2)]

const clientOf = (who: { readonly key: Uint8Array }, url: string, alternates: ReadonlyArray<string> = []) =>
  NodeClient.make({ url, signer: Result.getOrThrow(Signer.fromPrivateKey(who.key)), alternates }).pipe(
    Effect.provide(layer)
  )

/** One address for a node that has another port after each start. */
const front = Effect.acquireRelease(
  Effect.promise(async () => {
    const at = { port: 0 }
    const server = createServer((client) => {
      const node = connect(at.port, "127.0.0.1")
      for (const [from, to] of [[client, node], [node, client]] as const) {
        from.on("error", () => undefined)
        from.on("close", () => to.destroy())
        from.pipe(to)
      }
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    return { server, at, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
  }),
  ({ server }) => Effect.sync(() => server.close())
)

describe("two nodes of which one or the other is killed", () => {
  it.live("tell one stream every message once", () =>
    Effect.gen(function*() {
      const [homeA, homeB] = [yield* temporaryDirectory, yield* temporaryDirectory]
      const listening = ["--listen", "/ip4/127.0.0.1/tcp/0"]
      const a = yield* nodeProcess(homeA, ...listening)
      const { at, url } = yield* front
      const portOf = (node: { readonly url: string }) => Number(new URL(node.url).port)
      at.port = portOf(a)
      const { addresses } = yield* Effect.flatMap(clientOf(bob, a.url), (client) => client.node)
      const b = yield* nodeProcess(homeB, ...listening, "--bootstrap", addresses[0]!)
      const { addresses: addressesOfB } = yield* Effect.flatMap(clientOf(bob, b.url), (client) => client.node)

      const watched = yield* watch((yield* clientOf(bob, url, [b.url])).events())
      yield* until("a stream", () => watched.connections().length === 1)
      const sent: Array<string> = []
      const send = Effect.fnUntraced(function*(at: NodeClient.NodeClient, count: number) {
        for (let i = 0; i < count; i++) {
          const content = `${sent.length}`
          yield* at.send(Chat.dm(bob.address), content, { wait: 5 })
          sent.push(content)
        }
      })
      const all = () => watched.contents().length >= sent.length
      const [aliceAtA, aliceAtB] = [yield* clientOf(alice, url), yield* clientOf(alice, b.url)]
      yield* send(aliceAtB, 20)
      yield* send(aliceAtA, 20)
      yield* until("messages of both nodes", all)

      // the node that tells dies, messages go on at the other
      yield* Effect.all([
        send(aliceAtB, 200),
        Effect.andThen(Effect.sleep(100), Effect.promise(() => a.end("SIGKILL")))
      ], {
        concurrency: 2
      })
      yield* until("all of the other node", all)

      // it comes back, and the other dies
      at.port = portOf(yield* nodeProcess(homeA, ...listening, "--bootstrap", addressesOfB[0]!))
      const bobAtA = yield* clientOf(bob, url)
      let known = 0
      for (let i = 0; i < 200 && known < sent.length; i++) {
        known = (yield* bobAtA.history(Chat.dm(alice.address), { limit: 500 })).messages.length
        yield* Effect.sleep(100)
      }
      assert.strictEqual(known, sent.length)
      yield* Effect.all(
        [send(aliceAtA, 100), Effect.andThen(Effect.sleep(50), Effect.promise(() => b.end("SIGKILL")))],
        {
          concurrency: 2
        }
      )
      yield* until("all after the return", all)
      yield* Effect.sleep(500)
      assert.deepStrictEqual([...watched.contents()].sort((x, y) => Number(x) - Number(y)), sent)
      assert.deepStrictEqual(
        watched.connections().filter((connection) => connection.startsWith("open")),
        [url, b.url, url].map((url) => `open ${portOf({ url })}`)
      )
    }), 300_000)
})
