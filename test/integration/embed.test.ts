/**
 * A node inside another Effect app: its routes beside the app's own, at the root or under a prefix; its services in the
 * app's layers, one instance for both; and a whole node in memory for the app's tests, with the time under control.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, PubSub, Ref } from "effect"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { createServer } from "node:http"
import * as P2pMes from "../../src/index.ts"
import { TestNode } from "../../src/testing/index.ts"
import { call, dm, identity, send, sign, temporaryDirectory, user } from "../http/fixture.ts"

const { Authenticator, Bytes, Hashing, HybridClock, Ids, Ingest, NodeKey, Signature, Store, Trees, Views, Writer } =
  P2pMes
const [alice, bob] = [user(1), user(2)]

/** A service of the app over services of the node: counts what is committed, and shows an inbox. */
class Desk extends Context.Service<Desk, {
  readonly seen: Effect.Effect<ReadonlyArray<string>>
  readonly unread: (address: P2pMes.Ids.Address) => Effect.Effect<number>
}>()("test/Desk") {}

const layerDesk = Layer.effect(
  Desk,
  Effect.gen(function*() {
    const writer = yield* Writer
    const views = yield* Views
    const seen = yield* Ref.make<ReadonlyArray<string>>([])
    const commits = yield* PubSub.subscribe(writer.commits)
    yield* PubSub.take(commits).pipe(
      Effect.flatMap((batch) => Ref.update(seen, (before) => [...before, ...batch.map(({ record }) => record.id)])),
      Effect.forever,
      Effect.forkScoped
    )
    return Desk.of({
      seen: Ref.get(seen),
      unread: (address) =>
        views.conversations(address, { limit: 10 }).pipe(
          Effect.orDie,
          Effect.map(({ conversations }) => conversations.reduce((sum, each) => sum + each.unread, 0))
        )
    })
  })
)

/** The app's own route, with its service. */
const layerDeskRoute = HttpRouter.use(Effect.fnUntraced(function*(router) {
  const desk = yield* Desk
  yield* router.add(
    "GET",
    "/desk",
    Effect.gen(function*() {
      const [seen, unread] = yield* Effect.all([desk.seen, desk.unread(bob.address)])
      return HttpServerResponse.jsonUnsafe({ seen, unread })
    })
  )
}))

/** Routes added inside get `prefix`. */
const underPrefix = (prefix: string) =>
  Layer.effect(HttpRouter.HttpRouter, Effect.map(HttpRouter.HttpRouter, (router) => router.prefixed(prefix)))

const layerServer = NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })
const quiet = { disableLogger: true, disableListenLog: true }

const layerApp = (dataDir: string, prefix?: string) => {
  const options = { dataDir, network: "desk" }
  const routes = P2pMes.layerRoutes(options)
  return HttpRouter.serve(
    Layer.mergeAll(layerDeskRoute, prefix === undefined ? routes : routes.pipe(Layer.provide(underPrefix(prefix)))),
    quiet
  ).pipe(
    Layer.provideMerge(layerDesk),
    Layer.provideMerge(P2pMes.layerServices(options)),
    Layer.provideMerge(layerServer)
  )
}

const running = Effect.gen(function*() {
  return { url: HttpServer.formatAddress((yield* HttpServer.HttpServer).address), id: (yield* NodeKey).id }
})

const startApp = Effect.fnUntraced(function*(prefix?: string) {
  const context = yield* Layer.build(layerApp(yield* temporaryDirectory, prefix))
  const node = yield* Effect.provideContext(running, context)
  return { context, url: node.url, node: { ...node, url: node.url + (prefix ?? "") }, id: node.id }
})

/** The writers of two nodes in one app. */
class Left extends Context.Service<Left, P2pMes.Writer["Service"]>()("test/Left") {}
class Right extends Context.Service<Right, P2pMes.Writer["Service"]>()("test/Right") {}

describe("a host app", () => {
  it.live("serves the node's routes beside its own, over the same services", () =>
    Effect.gen(function*() {
      const { context, node } = yield* startApp()
      const sent = yield* Effect.promise(() =>
        call(node, alice, { ...dm(alice, bob, { content: "hello" }), headers: { Prefer: "wait=10" } })
      )
      assert.strictEqual(sent.status, 201, JSON.stringify(sent.body))
      const own = yield* Effect.promise(() => send(node, { method: "GET", path: "/desk" }))
      assert.deepStrictEqual(own.body, { seen: [sent.body.msg_id.slice(2)], unread: 1 })
      const described = yield* Effect.promise(() => send(node, { method: "GET", path: "/node" }))
      assert.strictEqual(described.body.network, "desk")
      assert.strictEqual(described.body.peer_id, node.id)
      // and straight through the services, without HTTP
      const place = {
        kind: "dm",
        chatId: Ids.dmChatId(Context.get(context, Hashing), alice.address, bob.address),
        peer: bob.address
      } as const
      const page = yield* Context.get(context, Views).history(alice.address, place, { direction: "before", limit: 10 })
      assert.deepStrictEqual(page.messages.map(({ content }) => content), ["hello"])
    }).pipe(Effect.scoped))

  it.live("serves the node under a prefix, which signatures cover", () =>
    Effect.gen(function*() {
      const { node, url } = yield* startApp("/mes")
      const read = `/dialogs/0x${alice.address}/messages?limit=5`
      const written = yield* Effect.promise(() => call(node, alice, dm(alice, bob, { content: "prefixed" })))
      assert.strictEqual(written.status, 202, JSON.stringify(written.body))
      // `node.url` ends in the prefix, so this signs the path without it
      const short = yield* Effect.promise(() => call(node, bob, { method: "GET", path: read }))
      assert.deepStrictEqual([short.status, short.body.reason], [401, "bad-signature"])
      const outside = { ...node, url }
      const page = yield* Effect.promise(() => call(outside, bob, { method: "GET", path: `/mes${read}` }))
      assert.strictEqual(page.status, 200, JSON.stringify(page.body))
      assert.deepStrictEqual(page.body.messages.map((each: { content: string }) => each.content), ["prefixed"])

      const bare = yield* Effect.promise(() => send(outside, { method: "GET", path: "/node" }))
      assert.strictEqual(bare.status, 404)
      const wrong = yield* Effect.promise(() => send(outside, { method: "PUT", path: "/mes/conversations" }))
      assert.deepStrictEqual([wrong.status, wrong.body.allowed], [405, ["GET", "HEAD"]])
      const own = yield* Effect.promise(() => send(outside, { method: "GET", path: "/desk" }))
      assert.strictEqual(own.body.unread, 1)
      const openapi = yield* Effect.promise(() => send(outside, { method: "GET", path: "/mes/openapi.json" }))
      assert.strictEqual(openapi.status, 200)
    }).pipe(Effect.scoped))

  it.live("runs two nodes in one process that share nothing", () =>
    Effect.gen(function*() {
      const [first, second] = yield* Effect.all([startApp(), startApp()])
      assert.notStrictEqual(first.id, second.id)
      const put = yield* Effect.promise(() =>
        call(first.node, alice, { ...identity(alice, "AQID"), headers: { Prefer: "wait=10" } })
      )
      assert.strictEqual(put.status, 201, JSON.stringify(put.body))
      const ask = (node: typeof first.node) =>
        Effect.promise(() => call(node, bob, { method: "GET", path: `/identity/0x${alice.address}` }))
      assert.strictEqual((yield* ask(first.node)).status, 200)
      assert.strictEqual((yield* ask(second.node)).status, 404)
      const stats = (context: typeof first.context) => Context.get(context, Store).stats
      assert.strictEqual((yield* stats(first.context)).identities, 1)
      assert.strictEqual((yield* stats(second.context)).identities, 0)
    }).pipe(Effect.scoped))

  it.live("gets two nodes from one layer value only when it asks for fresh ones", () =>
    Effect.gen(function*() {
      const one = TestNode.layerServices(1)
      const pair = (left: typeof one, right: typeof one) =>
        Effect.map(
          Layer.build(Layer.merge(
            Layer.effect(Left, Effect.map(Writer, (writer) => writer)).pipe(Layer.provide(left)),
            Layer.effect(Right, Effect.map(Writer, (writer) => writer)).pipe(Layer.provide(right))
          )),
          (context) => [Context.get(context, Left), Context.get(context, Right)] as const
        )
      const [left, right] = yield* pair(one, one)
      assert.strictEqual(left, right)
      const fresh = Layer.fresh(one)
      const [first, second] = yield* pair(fresh, fresh)
      assert.notStrictEqual(first, second)
    }).pipe(Effect.scoped))
})

/** What a client signs. */
const claimOf = (
  hashes: P2pMes.Hashes,
  node: P2pMes.Ids.NodeId,
  who: typeof alice,
  purpose: P2pMes.Signature.Purpose,
  ts: number,
  digest: string
): P2pMes.Claim => {
  const text = Signature.stringToSign(purpose, ts, node, digest)
  const sig = Bytes.fromHex(sign(who.key, Signature.signedDigest(hashes, 1, text)))
  sig[64]! -= 27
  return { user: who.address, ts, sig, sigVersion: 1 }
}

const place = (hashes: P2pMes.Hashes, mine: typeof alice, theirs: typeof alice): P2pMes.Place => ({
  kind: "dm",
  chatId: Ids.dmChatId(hashes, mine.address, theirs.address),
  peer: theirs.address
})

const say = Effect.fnUntraced(function*(content: string, ts: number) {
  const hashes = yield* Hashing
  const node = yield* NodeKey
  const ingest = yield* Ingest
  const authenticator = yield* Authenticator
  const where = place(hashes, alice, bob)
  const fields = { chatId: where.chatId, sender: alice.address, ts, msgType: 0, content }
  const digest = Ids.messageId(hashes, fields)
  const claim = claimOf(hashes, node.id, alice, "message", ts, digest)
  yield* authenticator.check({ ts, node: node.id })
  const receipt: P2pMes.Receipt<string> = yield* authenticator.write(
    claim,
    "message",
    digest,
    (proof) => ingest.message(where, fields, proof),
    ingest.receipt({ kind: "message", id: digest })
  )
  return receipt
})

const startMs = 1_900_000_000_000

describe("a node in memory", () => {
  it.effect("takes proven writes and shows them, at the time that the test sets", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(startMs)
      yield* Effect.gen(function*() {
        const hashes = yield* Hashing
        const views = yield* Views
        const clock = yield* HybridClock
        const receipt = yield* say("one", startMs)
        assert.strictEqual(P2pMes.Hlc.physicalMs(receipt.hlc), startMs)
        yield* TestClock.adjust("5 seconds")
        const second = yield* say("two", startMs + 4_000)
        assert.strictEqual(P2pMes.Hlc.physicalMs(second.hlc), startMs + 5_000)
        assert.strictEqual(clock.wall(), startMs + 5_000)
        yield* (yield* Writer).committed(second.ticket)

        const history = yield* views.history(bob.address, place(hashes, bob, alice), { direction: "before", limit: 10 })
        assert.deepStrictEqual(history.messages.map(({ content }) => content), ["two", "one"])
        const inbox = yield* views.conversations(bob.address, { limit: 10 })
        assert.deepStrictEqual(inbox.conversations.map(({ newest, unread }) => [newest?.content, unread]), [["two", 2]])

        // the same write again is the same receipt, and a second one is not stored
        assert.strictEqual((yield* say("two", startMs + 4_000)).hlc, second.hlc)
        assert.strictEqual((yield* (yield* Store).stats).messages, 2)

        // a call that is not hers, and one whose time has passed
        const authenticator = yield* Authenticator
        const { id } = yield* NodeKey
        const digest = Ids.requestId(hashes, "GET", "/conversations")
        const hers = claimOf(hashes, id, alice, "request", startMs + 5_000, digest)
        const forged = yield* Effect.flip(authenticator.request({ ...hers, user: bob.address }, digest))
        assert.strictEqual(forged._tag === "Unauthenticated" && forged.reason, "bad-signature")
        yield* authenticator.request(hers, digest)
        const again = yield* Effect.flip(authenticator.request(hers, digest))
        assert.strictEqual(again._tag === "Unauthenticated" && again.reason, "replayed")
        yield* TestClock.adjust("31 seconds")
        const late = yield* Effect.flip(say("three", startMs + 5_000))
        assert.deepInclude(late, { _tag: "Unauthenticated", reason: "expired" })

        // the node goes on by itself: what was just written is compared with others some seconds later
        const trees = yield* Trees
        assert.strictEqual(trees.at(trees.horizonMs()!)!.count("messages"), 2)
      }).pipe(Effect.provide(TestNode.layerServices(3)))
    }))

  it.effect("has the key of its seed, so that a test may know its name", () =>
    Effect.gen(function*() {
      const id = (seed: number) =>
        Effect.map(NodeKey, ({ id }) => id).pipe(Effect.provide(Layer.fresh(TestNode.layerServices(seed))))
      const [first, again, other] = yield* Effect.all([id(7), id(7), id(8)])
      assert.strictEqual(first, again)
      assert.notStrictEqual(first, other)
    }))
})
