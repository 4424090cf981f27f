/** The node's own key: its name in the network, and its signature under every op that it takes in (SPEC §5.2). */
import * as Context from "effect/Context"
import * as Schema from "effect/Schema"
import type { NodeId } from "../domain/ids.ts"

/** The key file cannot be used. */
export class NodeKeyError extends Schema.TaggedError<NodeKeyError>()("NodeKeyError", {
  message: Schema.String
}) {}

export class NodeKey extends Context.Service<NodeKey, {
  readonly id: NodeId
  /** 64 bytes. Ed25519: over `bytes`; secp256k1: r || s with low s over SHA-256 of `bytes`. */
  sign(bytes: Uint8Array): Uint8Array
}>()("p2p-mes/services/NodeKey") {}
