/**
 * `chat`, `tail` and `bench` as people meet them, with a real node: in a terminal, in a pipe, with signals. And what a
 * shell completes.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { FetchHttpClient } from "effect/http"
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import { Chat, Entropy, NodeClient, Signer } from "../../src/client/index.ts"
import { hasPython, inProcess, inTerminal } from "./in-terminal.ts"
import { nodeProcess, start } from "./processes.ts"

const timeout = 120_000
const main = join(import.meta.dirname, "..", "..", "src", "main.ts")
const directory = mkdtempSync(join(tmpdir(), "p2p-mes-terminal-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const userOf = (name: string, byte: number) => {
  const hex = byte.toString(16).repeat(64)
  const key = join(directory, `${name}.key`)
  writeFileSync(key, hex, { mode: 0o600 })
  const signer = Result.getOrThrow(Signer.fromPrivateKey(hex))
  return { key, signer, address: `0x${signer.address}`, dm: Chat.dm(signer.address) }
}
const [alice, bob] = [userOf("alice", 1), userOf("bob", 2)]

/** A node, and a client of each user. */
const stage = Effect.fnUntraced(function*(name: string) {
  const { url } = yield* nodeProcess(join(directory, name), "--offline")
  const [alices, bobs] = yield* Effect.forEach([alice, bob], ({ signer }) => NodeClient.make({ url, signer })).pipe(
    Effect.provide([FetchHttpClient.layer, Entropy.layer])
  )
  return { url, alices: alices!, bobs: bobs!, asBob: ["--node", url, "--key", bob.key] }
})

/** Everything that was changed is as before: other screen, pasting, wrapping, cursor. */
const assertGivenBack = (written: string) => {
  for (const [on, off] of [["?1049h", "?1049l"], ["?2004h", "?2004l"], ["?7l", "?7h"], ["?25l", "?25h"]] as const) {
    assert.isAbove(written.lastIndexOf(`\x1b[${off}`), written.lastIndexOf(`\x1b[${on}`), `${on} ${off}`)
  }
}

describe("chat", () => {
  const story = Effect.gen(function*() {
    const { alices, asBob, bobs } = yield* stage("chat")
    yield* alices.send(bob.dm, "before", { wait: 5 })
    const chat = yield* inTerminal(12, 70, "chat", ...asBob, alice.address)
    yield* chat.shows(/before[^]*live/)
    yield* alices.send(bob.dm, "good \x1b]0;morning\x07 Bob")
    yield* chat.shows(/good \ufffd\]0;morning\ufffd Bob/)
    chat.steer({ type: "helo 世界\x1b[D\x1b[D\x1b[D\x1b[Dl\r" })
    yield* chat.shows(/you +hello 世界 ✓/)
    assert.strictEqual((yield* alices.history(bob.dm)).messages[0]?.content, "hello 世界")

    chat.steer({ size: [6, 30] })
    yield* chat.shows(/^(.*\n){5}> $/)
    for (const line of chat.screen().split("\n")) assert.isAtMost(line.length, 30)
    // what was shown is marked as read, within a moment
    for (let i = 0; (yield* bobs.conversations()).conversations[0]?.unread !== 0; i++) {
      assert.isBelow(i, 200, "nothing was marked as read")
      yield* Effect.sleep(50)
    }
    chat.steer({ type: "\x03" })
    assert.deepStrictEqual(yield* chat.ended, { code: 0, restored: true })
    assertGivenBack(chat.written())

    yield* Effect.forEach(["SIGTERM", "SIGHUP"] as const, (signal) =>
      Effect.gen(function*() {
        const other = yield* inTerminal(24, 80, "chat", ...asBob, alice.address)
        yield* other.shows(/live/)
        other.steer({ signal })
        assert.isTrue((yield* other.ended).restored)
        assertGivenBack(other.written())
      }), { concurrency: "unbounded" })
  })

  it.live.skipIf(!hasPython)(
    "shows what comes, sends, follows the size, and gives the terminal back however it ends",
    () => Effect.scoped(story),
    timeout
  )

  it("says what to use where there is no terminal", async () => {
    const { code, stderr } = await inProcess("chat", bob.address)
    assert.strictEqual(code, 2)
    assert.match(stderr, /^p2p-mes: chat needs a terminal; follow with `p2p-mes tail`, write with `p2p-mes send`\n$/)
  })
})

describe("tail and bench", () => {
  const story = Effect.gen(function*() {
    const { alices, asBob, url } = yield* stage("tail")
    const pipe = `"$0" "$@" | head -1`
    const piped = spawn("bash", ["-c", pipe, process.execPath, main, "tail", "--json", ...asBob], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    const signalled = start(["tail", ...asBob])
    const printed = { piped: "", signalled: "" }
    piped.stdout.on("data", (text) => printed.piped += String(text))
    signalled.stdout!.on("data", (text) => printed.signalled += String(text))
    const ends = [once(piped, "close"), once(signalled, "close")]
    // until they follow, they do not see what is sent; and one learns of the end of its reader with the next line
    for (let i = 0; i < 200 && (piped.exitCode === null || printed.signalled === ""); i++) {
      yield* alices.send(bob.dm, `number ${i}`)
      yield* Effect.sleep(100)
    }
    signalled.kill("SIGINT")
    const codes = yield* Effect.promise(() => Promise.all(ends))
    assert.deepStrictEqual(codes.map(([code]) => code as unknown), [0, 0])
    assert.match(printed.signalled, /^[\d-]{10} [\d:]{8} {2}0x.{6}….{4} +0x.{6}….{4} +number \d+\n/)
    const [line, ...rest] = printed.piped.split("\n")
    assert.deepStrictEqual(rest, [""])
    const event = JSON.parse(line!) as { readonly type: string; readonly message: { readonly sender: string } }
    assert.deepStrictEqual([event.type, event.message.sender], ["message", alice.address])

    const args = ["--node", url, "--users", "2", "--count", "10", "--committed", "--json"]
    const bench = yield* Effect.promise(() => inProcess("bench", ...args))
    assert.strictEqual(bench.code, 0, bench.stderr)
    assert.match(bench.stderr, /^writing real messages to http:.*: at most 10, /)
    const { failed, latency_ms, rate, written } = JSON.parse(bench.stdout) as {
      readonly written: number
      readonly rate: number
      readonly failed: object
      readonly latency_ms: { readonly p50: number; readonly max: number }
    }
    assert.deepStrictEqual([written, failed], [10, {}])
    assert.isAbove(rate, 0)
    assert.isAtLeast(latency_ms.max, latency_ms.p50)
  })

  it.live("end with their reader, with a signal, and with their number", () => Effect.scoped(story), timeout)
})

describe("completion", () => {
  const hasBash = spawnSync("bash", ["-c", "true"]).status === 0
  const cases: ReadonlyArray<readonly [words: string, found: string]> = [
    ["ta", "tail"],
    ["group re", "remove"],
    ["chat --al", "--also"],
    ["inbox --key ali", "alice.key"],
    ["send --config scr", "script.bash"],
    ["sim --profile ho", "hostile"],
    ["--completions z", "zsh"]
  ]

  it.skipIf(!hasBash)("knows commands, options, files and values, in a real bash", async () => {
    const { stdout: script } = await inProcess("--completions", "bash")
    writeFileSync(join(directory, "script.bash"), script)
    // what bash does when somebody presses Tab
    const tab = `
      set -u
      source ./script.bash
      try() {
        COMP_WORDS=(p2p-mes "$@"); COMP_CWORD=$#; COMP_LINE="p2p-mes $*"; COMP_POINT=\${#COMP_LINE}; COMPREPLY=()
        _p2p_mes p2p-mes "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD-1]}"
        echo "\${COMPREPLY[*]}"
      }
      ${cases.map(([words]) => `try ${words}`).join("\n")}
    `
    const { status, stderr, stdout } = spawnSync("bash", ["--norc", "-c", tab], { cwd: directory, encoding: "utf8" })
    assert.deepStrictEqual([status, stderr], [0, ""])
    assert.deepStrictEqual(stdout.trim().split("\n"), cases.map(([, found]) => found))
  })
})
