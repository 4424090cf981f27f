/** Log lines about others: they may come as often as others like, so that each kind of line is written once in a while. */
import * as Effect from "effect/Effect"
import { complaintMs } from "./bounds.ts"
import { steadyMs } from "./steady-clock.ts"

/** Kinds remembered, and so lines written in that while: whoever likes may bring new kinds of trouble. */
const kindsMax = 512

export interface Complaints {
  /** Logs a warning, unless one of this kind was logged a short while ago. */
  readonly warn: (kind: string, message: string, details?: Readonly<Record<string, unknown>>) => void
}

export const make: Effect.Effect<Complaints> = Effect.map(Effect.context<never>(), (context) => {
  const run = Effect.runForkWith(context)
  const last = new Map<string, number>()
  return {
    warn: (kind, message, details = {}) => {
      const now = steadyMs()
      // in order of time: a Map keeps the order of insertion
      for (const [old, ms] of last) {
        if (now - ms < complaintMs) break
        last.delete(old)
      }
      if (last.has(kind) || last.size >= kindsMax) return
      last.set(kind, now)
      run(Effect.logWarning(message).pipe(Effect.annotateLogs(details)))
    }
  }
})

/** What went wrong, in words; of several errors, those that say something. */
export const wordsOf = (cause: unknown): string => {
  if (cause instanceof AggregateError && cause.errors.length > 0) {
    return [...new Set(cause.errors.map(wordsOf))].slice(0, 3).join("; ")
  }
  if (!(cause instanceof Error)) return String(cause)
  return cause.message === "" ? cause.name : cause.message
}
