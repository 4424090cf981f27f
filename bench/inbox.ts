/**
 * What do an inbox and a page of history cost, beside what they could cost at least: the same rows read by statements
 * written for them, in the calling thread, and made JSON by `JSON.stringify`?
 *
 * Ours is `Views` over the store in SQLite as a node has it (a reading thread, membership, own writes first) and the text
 * that the server sends. One user has 200 direct conversations of 20 messages with 5 unread each and asks for 50; another
 * is in 3 000 groups. Neither HTTP nor signatures are in it: `http.ts` has those.
 */
import { Context, Effect, Layer } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Hashes } from "../src/domain/hashing.ts"
import * as Hlc from "../src/domain/hlc.ts"
import * as Ids from "../src/domain/ids.ts"
import { defaultIngestLimits, pageDefault } from "../src/domain/limits.ts"
import { opTypes, type Record, roles } from "../src/domain/record.ts"
import * as Hashing from "../src/layers/crypto/hashing.ts"
import { inboxAnswer } from "../src/layers/http/answers.ts"
import * as Groups from "../src/layers/node/groups.ts"
import * as HybridClock from "../src/layers/node/hybrid-clock.ts"
import * as ViewsLive from "../src/layers/node/views.ts"
import * as Writer from "../src/layers/node/writer.ts"
import { layerSqlite } from "../src/layers/store/sqlite.ts"
import { Store } from "../src/services/Store.ts"
import { Trees } from "../src/services/Trees.ts"
import { Views } from "../src/services/Views.ts"
import { byHand } from "./nodes/by-hand.ts"
import { alternate, cpuOf, isQuick, type Row, table, writeResults } from "./report/measure.ts"

const chatCount = 200
const messagesAChat = 20
const unreadAChat = 5
const groupCount = isQuick ? 300 : 3_000
const calls = isQuick ? 20 : 100
const runs = isQuick ? 1 : 5
const node = "12D3KooWGRUzVgkGbtAdVg7oFbuzDtQYMDxXJfYXxKJAXmQ1Vv1Z" as Ids.NodeId
const startMs = Date.now() - 3_600_000

const user = (n: number) => n.toString(16).padStart(40, "0") as Ids.Address
const [reader, joiner] = [user(1), user(2)]
const peer = (n: number) => user(1_000 + n)
const content = "x".repeat(300)

const envelope = (tick: number) => ({
  node,
  sig: new Uint8Array(65),
  sigVersion: 1 as const,
  hlc: Hlc.make(startMs + tick, 0)
})

const messageOf = (
  hashes: Hashes,
  tick: number,
  chatId: Ids.ChatId,
  sender: Ids.Address,
  to: Ids.Address | undefined
): Record => {
  const fields = { chatId, sender, ts: startMs + tick, msgType: 0, content }
  const id = Ids.messageId(hashes, fields)
  return { kind: "message", id, ...fields, ...envelope(tick), ...(to === undefined ? {} : { peer: to }) }
}

/** The chats take turns, so that their messages lie apart as they do in a node. */
const dialogs = (hashes: Hashes): ReadonlyArray<Record> => {
  const chats = Array.from({ length: chatCount }, (_, n) => Ids.dmChatId(hashes, reader, peer(n)))
  const records: Array<Record> = []
  for (let turn = 0; turn < messagesAChat; turn++) {
    for (const [n, chatId] of chats.entries()) {
      const tick = turn * chatCount + n
      const isOwn = turn < messagesAChat - unreadAChat && turn % 2 === 0
      records.push(messageOf(hashes, tick, chatId, isOwn ? reader : peer(n), isOwn ? peer(n) : reader))
    }
  }
  for (const [n, chatId] of chats.entries()) {
    const upTo = Hlc.make(startMs + (messagesAChat - unreadAChat - 1) * chatCount + n, 0)
    const fields = { chatId, reader, ts: startMs + n, upTo }
    records.push({ kind: "read", id: Ids.readId(hashes, fields), ...fields, ...envelope(10_000 + n), peer: peer(n) })
  }
  return records
}

const groups = (hashes: Hashes): ReadonlyArray<Record> =>
  Array.from({ length: groupCount }, (_, n): ReadonlyArray<Record> => {
    const nonce = n.toString(16).padStart(32, "0") as Ids.Nonce
    const chatId = Ids.groupChatId(hashes, peer(n), nonce)
    const fields = {
      chatId,
      actor: peer(n),
      ts: startMs + n,
      op: opTypes.create,
      role: roles.member,
      targets: [joiner],
      nonce,
      node
    }
    const op: Record = {
      kind: "op",
      id: Ids.opId(hashes, fields),
      ...fields,
      ...envelope(n),
      stamp: new Uint8Array(64)
    }
    return [op, messageOf(hashes, 20_000 + n, chatId, peer(n), undefined)]
  }).flat()

/** Views ask no tree. */
const layerNoTrees = Layer.succeed(Trees, {
  apply: () => undefined,
  horizonMs: () => undefined,
  at: () => undefined,
  count: () => 0,
  built: () => 0,
  rebuild: () => undefined
})

const layer = (directory: string) =>
  ViewsLive.layer.pipe(
    Layer.provideMerge(Groups.layer),
    Layer.provideMerge(Writer.layer(defaultIngestLimits)),
    Layer.provideMerge(Layer.merge(layerNoTrees, HybridClock.layer)),
    Layer.provideMerge(Layer.merge(layerSqlite({ directory }), Hashing.layer))
  )

const textOf = (body: string | Uint8Array): string => typeof body === "string" ? body : new TextDecoder().decode(body)

const repeated = (name: string, call: (i: number) => unknown): Row => ({
  name,
  run: async () => {
    const latenciesMs: Array<number> = []
    const { cpuMs, wallMs } = await cpuOf(async () => {
      for (let i = 0; i < calls; i++) {
        const start = performance.now()
        await call(i)
        latenciesMs.push(performance.now() - start)
      }
    })
    return { units: calls, cpuMs, wallMs, latenciesMs }
  }
})

const bench = Effect.gen(function*() {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "p2p-mes-bench-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const context = yield* Layer.build(layer(directory))
  const [store, views] = [Context.get(context, Store), Context.get(context, Views)]
  const hashes = yield* Hashing.loadWasm
  // a chat for pages, as full as one, among the others
  const full = Ids.dmChatId(hashes, user(3), user(4))
  const long = Array.from(
    { length: pageDefault * 2 },
    (_, i) => messageOf(hashes, 9_000 + i, full, user(3 + (i % 2)), user(4 - (i % 2)))
  )
  const records = [...dialogs(hashes), ...long, ...groups(hashes)]
  for (let at = 0; at < records.length; at += 1_000) yield* store.commit(records.slice(at, at + 1_000), Hlc.zero)

  const inbox = (of: Ids.Address) =>
    Effect.runPromise(
      Effect.map(views.conversations(of, { limit: pageDefault }), (page) => textOf(inboxAnswer(page).body))
    )
  const history = () => {
    const place = { kind: "dm", chatId: full, peer: user(4) } as const
    return Effect.runPromise(
      Effect.map(
        views.historyJson(user(3), place, { direction: "before", limit: pageDefault }),
        textOf
      )
    )
  }
  const hand = byHand(join(directory, "messages.sqlite"))
  return yield* Effect.promise(async () => {
    const told = (text: string) => (JSON.parse(text) as { readonly [key: string]: ReadonlyArray<unknown> })
    for (
      const [key, ours, theirs] of [
        ["conversations", await inbox(reader), hand.inbox(reader)],
        ["messages", await history(), hand.history(full)]
      ] as const
    ) {
      if (JSON.stringify(told(ours)[key]) !== JSON.stringify(told(theirs)[key])) throw new Error(`${key} differ`)
    }
    const { cpuMs: coldMs } = await cpuOf(() => inbox(joiner))
    const rows = await alternate([
      repeated("inbox of 200 chats: views", () => inbox(reader)),
      repeated("inbox of 200 chats: by hand", () => hand.inbox(reader)),
      repeated("page of 50 messages: views", history),
      repeated("page of 50 messages: by hand", () => hand.history(full)),
      repeated(`inbox of ${groupCount} groups: views`, () => inbox(joiner))
    ], runs)
    console.log(table(
      ["answer", "CPU µs each", "p50 µs", "p99 µs"],
      rows.map((row) => [row.name, row.cpuMicros, row.p50Micros, row.p99Micros])
    ))
    console.log(`The first inbox of ${groupCount} groups took ${coldMs.toFixed(1)} ms of CPU.`)
    console.log(writeResults("inbox", ["effect", "node"], { coldMs, rows }))
  })
})

await Effect.runPromise(Effect.scoped(bench))
