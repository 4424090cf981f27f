/** Tells anti-entropy of gossip that the network let go unjudged, since too much came at once. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import type { NodeId } from "../../domain/ids.ts"
import { Gaps } from "../../services/Gaps.ts"
import { NetworkReady } from "./ready.ts"

export const layer: Layer.Layer<never, never, Gaps | NetworkReady> = Layer.effectDiscard(Effect.gen(function*() {
  const gaps = yield* Gaps
  const drops = yield* PubSub.subscribe((yield* NetworkReady).drops)
  yield* PubSub.take(drops).pipe(
    Effect.map((peer) => gaps.report(peer as NodeId)),
    Effect.forever,
    Effect.forkScoped
  )
}))
