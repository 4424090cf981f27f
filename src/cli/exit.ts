/** How the process ends. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"

let interruptedCode = 130

/** From now on a signal asks for an orderly end, which is what is wanted of a node: exit code 0. */
export const drainsOnSignal: Effect.Effect<void> = Effect.sync(() => {
  interruptedCode = 0
})

/** Whoever reads our output may stop reading, as `head` does: there is nothing more to do then. */
export const endWithReader = (): void => {
  process.stdout.on("error", () => process.exit(0))
}

export const teardown: Runtime.Teardown = (exit, onExit) =>
  Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
    ? onExit(interruptedCode)
    : Runtime.defaultTeardown(exit, onExit)
