/** Lines of a log for people: what peers and users said may be in them. */
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { harmless } from "./harmless.ts"

/** Writes to stderr, after `before`: what stands where a line is to be. */
export const logger = (before: Effect.Effect<void> = Effect.void): Logger.Logger<unknown, void> =>
  Logger.make((options) => {
    Effect.runSync(before)
    console.error(harmless(Logger.formatSimple.log(options)))
  })
