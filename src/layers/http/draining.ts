/**
 * That a server is about to end. Who waits for a commit on behalf of a caller then waits no longer: an accepted write gets
 * its answer before the connection is broken off.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** From the signal until who waits gives up, ms: most commits come sooner, and the server breaks off later. */
const graceMs = 2_000

/** `begun`: the server begins to end; `over`: soon after. Without a server that says so: never. */
export class Draining
  extends Context.Reference<{ readonly begun: Effect.Effect<void>; readonly over: Effect.Effect<void> }>(
    "p2p-mes/layers/http/Draining",
    { defaultValue: () => ({ begun: Effect.never, over: Effect.never }) }
  )
{}

/** Gives `server` the signal, which begins when this layer ends: before anything of the server does. */
export const layer = <A, E, R>(server: Layer.Layer<A, E, R>): Layer.Layer<A, E, R> =>
  Layer.unwrap(Effect.sync(() => {
    const begun = Deferred.makeUnsafe<void>()
    const ending = Effect.addFinalizer(() => Deferred.succeed(begun, undefined))
    const signal = Deferred.await(begun)
    return Layer.effectDiscard(ending).pipe(
      Layer.provideMerge(server),
      Layer.provide(Layer.succeed(Draining, { begun: signal, over: Effect.andThen(signal, Effect.sleep(graceMs)) }))
    )
  }))
