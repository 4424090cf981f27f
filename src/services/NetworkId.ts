/** Which network a node belongs to (SPEC §6, §7): a name, and a key where the network is private. */
import * as Context from "effect/Context"

export class NetworkId extends Context.Service<NetworkId, {
  /** "" is the common network. */
  readonly name: string
  /** 32 bytes: the pre-shared key of a private network. Leaf digests are keyed with it. */
  readonly key?: Uint8Array | undefined
}>()("p2p-mes/services/NetworkId") {}
