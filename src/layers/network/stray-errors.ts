/**
 * Errors inside libp2p that nobody handles: promises that fail with no one waiting. Node ends the process for these by
 * default, so that one odd peer could end a node. They are counted and logged instead; those of anybody else end the process as
 * before.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Packages of libp2p's, by their place in a stack. */
const places =
  /[\\/]node_modules[\\/](?:@libp2p|libp2p|@multiformats|@chainsafe|it-[a-z-]+|p-event|race-signal|multicast-dns)[\\/]/

const isOurs = (reason: unknown): boolean => reason instanceof Error && places.test(reason.stack ?? "")

export const guard = (onStray: (reason: unknown) => void): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const listener = (reason: unknown): void => {
        if (isOurs(reason)) return onStray(reason)
        // somebody else may want to deal with it; if not, what Node does
        if (process.listeners("unhandledRejection").every((one) => guards.has(one))) throw reason
      }
      guards.add(listener)
      process.on("unhandledRejection", listener)
      return listener
    }),
    (listener) =>
      Effect.sync(() => {
        process.off("unhandledRejection", listener)
        guards.delete(listener)
      })
  ).pipe(Effect.asVoid)

/** The listeners of all nodes in this process. */
const guards = new Set<unknown>()
