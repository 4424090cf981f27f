/** The program in a terminal (`terminal.py` plays one), steered from a test; or in this process, its output kept. */
import { assert } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { Ended, program } from "../../src/cli/program.ts"

const main = join(import.meta.dirname, "..", "..", "src", "main.ts")
const script = join(import.meta.dirname, "terminal.py")
/** Until something is on the screen. */
const shownMsMax = 30_000
const lookMs = 20

/** Whether there is a Python with terminals. */
export const hasPython = spawnSync("python3", ["-c", "import pty"]).status === 0

/** Places, other sequences, text. */
// oxlint-disable-next-line no-control-regex -- escape sequences are what is read
const sequences = /\x1b\[(\d+);\d+H|\x1b\[([?\d;]*)([A-Za-z])|([^\x1b]+)/g

/** What a terminal shows after this output, row by row: our programs place every line, and nothing scrolls. */
const screenOf = (output: string): string => {
  let rows: Array<string> = []
  let row = 0
  for (const [, line, digits, letter, text] of output.matchAll(sequences)) {
    if (line !== undefined) row = Number(line) - 1
    else if (letter === "J") rows = []
    else if (letter === "K" && digits === "2") rows[row] = ""
    else if (text !== undefined) rows[row] = (rows[row] ?? "") + text
  }
  return Array.from(rows, (each) => each ?? "").join("\n")
}

/** A program in a terminal of so many rows and columns, killed with the scope. */
export const inTerminal = (rows: number, columns: number, ...args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn("python3", ["-B", script, String(rows), String(columns), process.execPath, main, ...args], {
        env: { ...process.env, TERM: "xterm-256color", NO_COLOR: "1" },
        stdio: "pipe"
      })
      const out = { written: "", end: "" }
      child.stdout.setEncoding("utf8").on("data", (text: string) => out.written += text)
      child.stderr.setEncoding("utf8").on("data", (text: string) => out.end += text)
      const closed = once(child, "close")
      const shows = async (pattern: RegExp) => {
        const endMs = Date.now() + shownMsMax
        while (!pattern.test(screenOf(out.written))) {
          if (Date.now() > endMs || child.exitCode !== null) {
            assert.fail(`${pattern} is not on the screen:\n${screenOf(out.written)}\n${out.end}`)
          }
          await new Promise((resolve) => setTimeout(resolve, lookMs))
        }
      }
      const end = async () => {
        await closed
        return JSON.parse(out.end.trim().split("\n").at(-1)!) as { readonly code: number; readonly restored: boolean }
      }
      return {
        child,
        /** Types, resizes or signals. */
        steer: (
          command: { readonly type: string } | { readonly size: readonly [rows: number, columns: number] } | {
            readonly signal: NodeJS.Signals
          }
        ) => void child.stdin.write(`${JSON.stringify(command)}\n`),
        /** Everything that was written to the terminal. */
        written: () => out.written,
        screen: () => screenOf(out.written),
        /** Waits until the screen shows it. */
        shows: (pattern: RegExp) => Effect.promise(() => shows(pattern)),
        /** How the program ended, and whether the line discipline was as before. */
        ended: Effect.promise(end)
      }
    }),
    ({ child }) => Effect.sync(() => void child.kill("SIGKILL"))
  )

/** The program in this process. One at a time. */
export const inProcess = async (...args: ReadonlyArray<string>) => {
  const written = { stdout: "", stderr: "" }
  const restore = (["stdout", "stderr"] as const).map((name) => {
    const own = process[name].write
    process[name].write = ((text: string, done?: () => void) => {
      written[name] += text
      done?.()
      return true
    }) as typeof own
    return () => void (process[name].write = own)
  })
  const exit = await Effect.runPromiseExit(program(args)).finally(() => restore.forEach((each) => each()))
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  return { code: error === undefined ? 0 : error instanceof Ended ? error.code : -1, ...written }
}
