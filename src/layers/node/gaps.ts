/** Reports of gaps, collected until anti-entropy asks. */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import type { NodeId } from "../../domain/ids.ts"
import { Gaps } from "../../services/Gaps.ts"

/** Peers named at a time; beyond, a report is one about anywhere. */
const peersMax = 256

export const layer: Layer.Layer<Gaps> = Layer.effect(
  Gaps,
  Effect.gen(function*() {
    const reported = yield* Latch.make(false)
    let peers = new Set<NodeId>()
    let anywhere = false

    const collected = Effect.sync(() => {
      const all = { peers, anywhere }
      peers = new Set()
      anywhere = false
      reported.closeUnsafe()
      return all
    })

    return Gaps.of({
      report: (peer) => {
        if (peer !== undefined && (peers.has(peer) || peers.size < peersMax)) peers.add(peer)
        else anywhere = true
        reported.openUnsafe()
      },
      take: reported.await.pipe(Effect.andThen(Effect.yieldNow), Effect.andThen(collected))
    })
  })
)
