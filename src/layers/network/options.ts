/** What a node is told about its network, and the names that follow from it. */
import type { Hashes } from "../../domain/hashing.ts"
import type { ConnectionLimits } from "./bounds.ts"

export interface NetworkOptions {
  /** Multiaddrs to listen on; none: only dial. */
  readonly listen: ReadonlyArray<string>
  /** Multiaddrs to tell others instead of those listened on. */
  readonly announce?: ReadonlyArray<string> | undefined
  /** Multiaddrs of nodes to join by, with or without /p2p/<id>. */
  readonly bootstrap: ReadonlyArray<string>
  /** Whether to find, and be found by, nodes of the same LAN. */
  readonly mdns: boolean
  /** Name of the network; "" is the common one. */
  readonly network: string
  /** 32 bytes: only nodes with the same key can connect. */
  readonly networkKey?: Uint8Array | undefined
  /** Where peers are remembered between starts; absent: in memory. */
  readonly dataDir?: string | undefined
  readonly limits?: Partial<ConnectionLimits> | undefined
}

export const syncProtocol = "/p2p-mes/sync/1.0.0"

/** What nodes of every network speak; a peer that speaks neither is no node of ours. */
export const gossipProtocols = ["/meshsub/1.2.0", "/meshsub/1.1.0", "/meshsub/1.0.0"] as const

/** Topic of gossip (SPEC §7). */
export const topicOf = (network: string): string => network === "" ? "p2p-mes/commands" : `p2p-mes/commands/${network}`

const suffixed = (protocol: string, network: string): string =>
  network === "" ? protocol : `${protocol}/${encodeURIComponent(network)}`

/** Protocol of the distributed hash table: one table a network. */
export const dhtProtocolOf = (network: string): string => suffixed("/p2p-mes/kad/1.0.0", network)

const markerPrefix = "/p2p-mes/network/1.0.0"

/**
 * A protocol that does nothing: by listing it, a node tells the name of its network. Optional: nodes that do not are
 * taken for ours until the sync hello shows otherwise.
 */
export const markerOf = (network: string): string => suffixed(markerPrefix, network)

/** Name of the network that a peer with these protocols tells of; `undefined`: it does not. */
export const networkOf = (protocols: ReadonlyArray<string>): string | undefined => {
  const marker = protocols.find((protocol) => protocol === markerPrefix || protocol.startsWith(`${markerPrefix}/`))
  return marker === undefined ? undefined : decoded(marker.slice(markerPrefix.length + 1))
}

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** DNS service of mDNS; a service's name has at most 15 characters (RFC 6335), so that a network's is hashed. */
export const mdnsServiceOf = ({ blake3 }: Hashes, network: string): string =>
  network === ""
    ? "_p2p-mes._udp.local"
    : `_pm-${blake3(new TextEncoder().encode(network)).subarray(0, 5).toHex()}._udp.local`
