/** What happens to real node processes (FAILURES 15, 19, 21): killed, stopped, started twice, out of disk, damaged. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { openSync, readFileSync, writeFileSync, writeSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { type Answer, call, dm, type Running, temporaryDirectory, type User, user } from "../http/fixture.ts"
import { nodeProcess, run } from "./processes.ts"

const [alice, bob] = [user(1), user(2)]
const processMsMax = 90_000
const limits = ["--user-rate", "100000", "--user-burst", "100000"]

const say = (node: Running, content: string, prefer?: string): Promise<Answer> =>
  call(node, alice, { ...dm(alice, bob, { content }), headers: prefer === undefined ? {} : { Prefer: prefer } })

/** All that bob can read, by id. */
const history = async (
  node: Running
): Promise<ReadonlyMap<string, { readonly hlc: string; readonly content: string }>> => {
  const found = new Map<string, { readonly hlc: string; readonly content: string }>()
  let cursor = ""
  for (let pages = 0; pages < 100; pages++) {
    const path = `/dialogs/0x${alice.address}/messages?limit=500${cursor}`
    const page = await call(node, bob as User, { method: "GET", path })
    assert.strictEqual(page.status, 200, JSON.stringify(page.body))
    for (const message of page.body.messages) {
      assert.isFalse(found.has(message.msg_id), "a message came twice")
      found.set(message.msg_id, message)
    }
    if (page.body.next === null) break
    cursor = `&before=${page.body.next}`
  }
  return found
}

describe("a node process", () => {
  it.live(
    "killed in a burst of writes keeps every write answered 201, and its clock goes on",
    () =>
      Effect.gen(function*() {
        const dataDir = yield* temporaryDirectory
        const first = yield* nodeProcess(dataDir, ...limits)
        const committed: Array<{ msg_id: string; hlc: string }> = []
        const writers = Array.from({ length: 8 }, async (_, writer) => {
          for (let i = 0; i < 1_000; i++) {
            const answer = await say(first, `${writer}/${i}`, i % 3 === 0 ? undefined : "wait=10")
            if (answer.status === 201) committed.push(answer.body)
          }
        })
        // the writers end when their connections break
        const broken = Promise.allSettled(writers)
        yield* Effect.promise(async () => {
          for (let turns = 0; committed.length < 100 && turns < 2_000; turns++)
            await new Promise((next) => setTimeout(next, 10))
          await first.end("SIGKILL")
          await broken
        })
        assert.isAtLeast(committed.length, 100)

        const second = yield* nodeProcess(dataDir, ...limits)
        const found = yield* Effect.promise(() => history(second))
        for (const { hlc, msg_id } of committed) assert.strictEqual(found.get(msg_id)?.hlc, hlc, `${msg_id} is lost`)
        const last = [...found.values()].map((message) => message.hlc).sort().at(-1)!
        const next = yield* Effect.promise(() => say(second, "after"))
        assert.isTrue(next.body.hlc > last, "the clock went back")
        const verified = yield* Effect.promise(() => run("verify", "--data", dataDir))
        assert.strictEqual(verified.code, 0, verified.stdout + verified.stderr)
      }).pipe(Effect.scoped),
    processMsMax
  )

  it.live("told to stop writes down all that it accepted, and exits 0", () =>
    Effect.gen(function*() {
      const dataDir = yield* temporaryDirectory
      const first = yield* nodeProcess(dataDir, ...limits)
      const accepted = yield* Effect.promise(() =>
        Promise.all(Array.from({ length: 300 }, (_, i) => say(first, `queued ${i}`)))
      )
      const ended = yield* Effect.promise(() => first.end("SIGTERM"))
      assert.strictEqual(ended.code, 0, ended.stderr)
      const second = yield* nodeProcess(dataDir, ...limits)
      const found = yield* Effect.promise(() => history(second))
      for (const { body, status } of accepted) {
        assert.strictEqual(status, 202)
        assert.isTrue(found.has(body.msg_id), `${body.msg_id} is lost`)
      }
      const interrupted = yield* Effect.promise(() => second.end("SIGINT"))
      assert.strictEqual(interrupted.code, 0, interrupted.stderr)
    }).pipe(Effect.scoped), processMsMax)

  it.live("says in one line why it cannot start", () =>
    Effect.gen(function*() {
      const dataDir = yield* temporaryDirectory
      const running = yield* nodeProcess(dataDir)
      const twice = yield* Effect.promise(() => run("node", "--data", dataDir, "--http", "127.0.0.1:0"))
      assert.strictEqual(twice.code, 1)
      assert.include(twice.stderr, `in use by process ${running.pid}`)

      const taken = yield* Effect.acquireRelease(
        Effect.promise(() =>
          new Promise<ReturnType<typeof createServer>>((ready) => {
            const server = createServer().listen(0, "127.0.0.1", () => ready(server))
          })
        ),
        (server) => Effect.sync(() => server.close())
      )
      const { port } = taken.address() as AddressInfo
      const elsewhere = yield* temporaryDirectory
      const busy = yield* Effect.promise(() => run("node", "--data", elsewhere, "--http", `127.0.0.1:${port}`))
      assert.strictEqual(busy.code, 1)
      assert.include(busy.stderr, String(port))
      assert.include(busy.stderr, "in use")

      const file = join(elsewhere, "file")
      writeFileSync(file, "")
      const nowhere = yield* Effect.promise(() => run("node", "--data", join(file, "data"), "--http", "127.0.0.1:0"))
      assert.strictEqual(nowhere.code, 1)
      assert.include(nowhere.stderr, join(file, "data"))
      // where a directory can never be made, recursive mkdir would not come back
      const never = yield* Effect.promise(() => run("node", "--data", "/proc/none/data", "--http", "127.0.0.1:0"))
      assert.strictEqual(never.code, 1)
      assert.include(never.stderr, "/proc/none")
      for (const { stderr } of [twice, busy, nowhere, never]) {
        assert.notInclude(stderr, "    at ", "a stack trace is for programmers")
      }
    }).pipe(Effect.scoped), processMsMax)

  it.live("does not hide a flipped byte from verify", () =>
    Effect.gen(function*() {
      const dataDir = yield* temporaryDirectory
      yield* Effect.scoped(Effect.gen(function*() {
        const running = yield* nodeProcess(dataDir)
        const answer = yield* Effect.promise(() => say(running, "a text to find in the file", "wait=10"))
        assert.strictEqual(answer.status, 201)
        yield* Effect.promise(() => running.end("SIGTERM"))
      }))
      const clean = yield* Effect.promise(() => run("verify", "--data", dataDir))
      assert.strictEqual(clean.code, 0, clean.stdout + clean.stderr)
      const file = join(dataDir, "messages.sqlite")
      const at = readFileSync(file).indexOf("text to find")
      assert.isAbove(at, 0)
      writeSync(openSync(file, "r+"), "T", at)
      const damaged = yield* Effect.promise(() => run("verify", "--data", dataDir))
      assert.strictEqual(damaged.code, 1, damaged.stdout + damaged.stderr)
      assert.match(damaged.stdout + damaged.stderr, /message/)
    }).pipe(Effect.scoped), processMsMax)
})
