/**
 * The node against a client that shares nothing with it: another language, hashes and curves of its own, written from
 * the text of the protocol. What both have wrong in the same way would have to be in that text.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile, spawnSync } from "node:child_process"
import { join } from "node:path"
import { start, temporaryDirectory } from "../http/fixture.ts"

const script = join(import.meta.dirname, "client.py")
const vectors = join(import.meta.dirname, "..", "vectors", "shared.json")

const hasPython = spawnSync("python3", ["-c", "import sys; sys.exit(sys.version_info < (3, 9))"]).status === 0

/** Runs the client, and gives its exit code and all that it printed. */
const runClient = (...args: ReadonlyArray<string>) =>
  Effect.callback<{ readonly code: number | string | null | undefined; readonly output: string }>((resume) => {
    const child = execFile("python3", ["-B", script, ...args], { timeout: 100_000 }, (error, stdout, stderr) => {
      resume(Effect.succeed({ code: error === null ? 0 : error.code, output: stdout + stderr }))
    })
    return Effect.sync(() => child.kill())
  })

describe("an independent client, in Python", () => {
  const title = hasPython
    ? "agrees with the shared vectors and with a running node"
    : "skipped: there is no python3 (3.9 or later) on this machine"

  it.live.skipIf(!hasPython)(title, () =>
    Effect.gen(function*() {
      const node = yield* Effect.flatMap(temporaryDirectory, (dataDir) => start({ dataDir }))
      const { code, output } = yield* runClient(node.url, vectors)
      const wrong = output.split("\n").filter((line) => !line.startsWith("ok "))
      assert.strictEqual(code, 0, wrong.join("\n"))
      // a client that stops early, or checks nothing, is not a client that agrees
      const total = /^(\d+) checks, 0 failed$/m.exec(output)
      assert.isAtLeast(Number(total?.[1]), 285, wrong.join("\n"))
    }).pipe(Effect.scoped), 120_000)
})
