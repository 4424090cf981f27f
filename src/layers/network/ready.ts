/**
 * How the network of this node itself is doing. Apart from `services/Network`, since only who starts a node and who
 * repairs what gossip lost need it.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as PubSub from "effect/PubSub"
import * as Schema from "effect/Schema"

/** The network cannot be started: a port is in use, or an option is wrong. */
export class NetworkError extends Schema.TaggedError<NetworkError>()("NetworkError", {
  message: Schema.String
}) {}

export class NetworkReady extends Context.Service<NetworkReady, {
  /** Ends when the node listens, or fails when it never will. */
  readonly ready: Effect.Effect<void, NetworkError>
  /**
   * The peer (as text) that a message of gossip came from which was let go unjudged, as there were too many: time for
   * anti-entropy. At most one waits.
   */
  readonly drops: PubSub.PubSub<string>
}>()("p2p-mes/layers/network/NetworkReady") {}
