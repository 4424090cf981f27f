/**
 * The terminal taken over, and given back: however the program ends, but by SIGKILL, the screen, the cursor and the line
 * discipline are as they were.
 */
import * as NodeTerminal from "@effect/platform-node/NodeTerminal"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { Terminal } from "effect/Terminal"
import { writeSync } from "node:fs"
import { enter, leave } from "./frame.ts"

/** Whether a whole screen can be drawn and keys be read. */
export const isPossible = (): boolean =>
  process.stdin.isTTY === true && process.stdout.isTTY === true && process.env["TERM"] !== "dumb"

const stdout = 1

/** At once, whatever is still under way: there may be no time for more. A terminal that is gone needs nothing. */
const writeNow = (text: string): void => void Result.try(() => writeSync(stdout, text))

export interface FullScreen {
  readonly terminal: Terminal
  /** Gives the terminal back to the shell, as Ctrl-Z does, and takes it over again when the shell lets us go on. */
  readonly suspend: Effect.Effect<void>
}

/** After a stop, or where nobody could stop us, until we draw again, ms. */
const resumeMs = 50

/** The whole group stops, the program that started us with it. In a group that no shell looks after nothing happens. */
const suspend = Effect.gen(function*() {
  writeNow(leave)
  process.stdin.setRawMode(false)
  process.kill(0, "SIGTSTP")
  yield* Effect.sleep(resumeMs)
  process.stdin.setRawMode(true)
  writeNow(enter)
})

/**
 * Takes the terminal over for as long as the scope lives. Keys come unprocessed, Ctrl-C too; nothing is echoed. An end that
 * runs no finalizers (`process.exit`, an uncaught exception) gives it back as well.
 */
export const takeOver: Effect.Effect<FullScreen, never, Scope.Scope> = Effect.gen(function*() {
  const terminal = yield* NodeTerminal.make(() => false)
  let isOurs = true
  const giveBack = () => {
    if (isOurs) writeNow(leave)
    isOurs = false
    process.off("exit", giveBack)
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      process.on("exit", giveBack)
      writeNow(enter)
    }),
    () => Effect.sync(giveBack)
  )
  return { terminal, suspend }
})

/** Ends when the terminal goes away: its window was closed, or its connection. */
export const hangup: Effect.Effect<void> = Effect.callback((resume) => {
  const ended = () => resume(Effect.void)
  process.once("SIGHUP", ended)
  return Effect.sync(() => process.off("SIGHUP", ended))
})
