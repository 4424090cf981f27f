/** Example programs as processes of their own, against a node of the test's, in a directory of their own. */
import { assert } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { call, dm, type Running, start, type User } from "../http/fixture.ts"

export const root = join(import.meta.dirname, "..", "..")

/** A Python that has what Debian's packages bring: that on the path, or Debian's own. */
export const python = ["python3", "/usr/bin/python3"].find((program) =>
  spawnSync(program, ["-c", "import Cryptodome.Hash.keccak, ecdsa, sys; sys.exit(sys.version_info < (3, 10))"])
    .status === 0
)
const hasBlake3 = spawnSync("b3sum", ["--version"]).status === 0

/** Why Python examples cannot run here, if so. */
export const pythonLacks: string | undefined = python === undefined
  ? "there is no python3 (3.10 or later) with python3-ecdsa and python3-pycryptodome"
  : hasBlake3
  ? undefined
  : "there is no b3sum"

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Program {
  readonly child: ChildProcess
  /** What it printed so far, a line each. */
  readonly lines: ReadonlyArray<string>
  readonly errors: () => string
  readonly ended: Promise<Ran>
}

/** Starts a program; killed with the scope if it still runs then. */
export const startProgram = (
  command: ReadonlyArray<string>,
  cwd: string,
  env: Readonly<Record<string, string>>,
  input?: string
) =>
  Effect.acquireRelease(
    Effect.sync((): Program => {
      const [file = "", ...args] = command
      const child = spawn(file, args, { cwd, env: { ...process.env, NO_COLOR: "1", ...env }, stdio: "pipe" })
      const lines: Array<string> = []
      let stderr = ""
      createInterface(child.stdout).on("line", (line) => lines.push(line))
      child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text)
      child.stdin.end(input)
      const ended = new Promise<Ran>((resolve, reject) => {
        child.on("error", reject)
        child.on("close", (code) => resolve({ code, stdout: lines.map((line) => `${line}\n`).join(""), stderr }))
      })
      return { child, lines, errors: () => stderr, ended }
    }),
    ({ child, ended }) =>
      Effect.promise(() => {
        child.kill("SIGKILL")
        return ended
      })
  )

/** Runs a program to its end. */
export const runProgram = (...args: Parameters<typeof startProgram>): Effect.Effect<Ran> =>
  startProgram(...args).pipe(Effect.flatMap(({ ended }) => Effect.promise(() => ended)), Effect.scoped)

const pollMs = 50

/** Waits until `holds`; fails with what `shown` tells after `msMax`. */
export const eventually = Effect.fnUntraced(
  function*(what: string, holds: () => boolean, shown: () => unknown, msMax = 60_000) {
    for (let waited = 0; !holds(); waited += pollMs) {
      if (waited >= msMax) throw new Error(`${what}: not within ${msMax} ms; there is ${JSON.stringify(shown())}`)
      yield* Effect.sleep(pollMs)
    }
  }
)

/** A node that can be stopped, and started again on the same data: give it the port that it had. */
export const stoppable = Effect.fnUntraced(function*(dataDir: string, port = 0) {
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
  const node = yield* Scope.provide(start({ dataDir, http: { host: "127.0.0.1", port } }), scope)
  return { ...node, port: Number(new URL(node.url).port), stop: Scope.close(scope, Exit.void) }
})

/** A direct message, committed. */
export const say = (node: Running, from: User, to: User, content: string) =>
  Effect.map(
    Effect.promise(() => call(node, from, { ...dm(from, to, { content }), headers: { Prefer: "wait=10" } })),
    ({ body, status }) => assert.strictEqual(status, 201, JSON.stringify(body))
  )

/** What a user reads at `path`. */
export const ask = (node: Running, who: User, path: string) =>
  Effect.map(Effect.promise(() => call(node, who, { method: "GET", path })), ({ body, status }) => {
    assert.strictEqual(status, 200, JSON.stringify(body))
    return body
  })
