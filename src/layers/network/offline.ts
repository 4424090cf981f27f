/** A node without others: for one that is meant to be alone, for apps that embed one, and for tests. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import { ChannelError, Network, type PeerChange } from "../../services/Network.ts"
import { NetworkReady } from "./ready.ts"

const unreachable = new ChannelError({ reason: "unreachable", message: "this node has no network" })

export const layer: Layer.Layer<Network | NetworkReady> = Layer.merge(
  Layer.effect(
    Network,
    Effect.map(PubSub.sliding<PeerChange>(1), (changes) =>
      Network.of({
        addresses: () => [],
        peers: () => [],
        changes,
        open: () => Effect.fail(unreachable),
        serve: () => Effect.void,
        publish: () => Effect.succeed({ recipients: 0 }),
        judge: () => Effect.void,
        shun: () => Effect.void
      }))
  ),
  Layer.effect(
    NetworkReady,
    Effect.map(PubSub.sliding<string>(1), (drops) => NetworkReady.of({ ready: Effect.void, drops }))
  )
)
