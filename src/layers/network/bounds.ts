/** Every bound of this node's dealings with others in one place. None is part of the protocol; a name ends in its unit. */

/** Messages of gossip under judgement at once, and their bytes: more are let go, and brought by anti-entropy (FAILURES 5). */
export const judgedMax = 1_024
export const judgedBytesMax = 16 * 1024 * 1024
/** One transmission of gossip: a message and what is told along with it. Answers to IWANT may hold several. */
export const gossipTransmissionBytesMax = 8 * 1024 * 1024
/** What waits for one slow peer; then its gossip stream is reset, and opened anew. */
export const gossipWaitingBytesMax = 8 * 1024 * 1024
/**
 * For how long ids of messages are remembered. What comes again after that is known to the judge, and ends there: so a
 * message does not circulate however late it comes (FAILURES 9).
 */
export const gossipSeenMs = 120_000
/** Heartbeats of a second for which messages are kept, and told of to peers that may have missed them. */
export const gossipHistorySeconds = 5
export const gossipToldSeconds = 3
/** A peer with a score of gossip below this is not listened to, and dropped for a while. */
export const scoreMin = -80
export const badScoreMs = 10 * 60_000
/** For how long the bad score of a departed peer is kept. */
export const scoreKeptMs = 10 * 60_000

/** Sync streams that one peer may have open towards us, and we towards it. */
export const peerStreamsMax = 4
export const openStreamsMax = 16
/** To open a stream: the peer's answer included (FAILURES 24). */
export const openMsMax = 5_000
/** For the peer to close its side after we have; then the stream is reset. */
export const closeMsMax = 5_000
/** Frames are handed to the connection in pieces of this. */
export const pieceBytes = 256 * 1024
/** What a peer may send on a stream that nobody reads from: below what libp2p bears before it resets the stream (4 MiB). */
export const windowBytesMax = 2 * 1024 * 1024

/** Peers remembered, connected or not. */
export const knownPeersMax = 2_000
/** Peers that are not heard of for this long are forgotten. */
export const knownMsMax = 14 * 24 * 3_600_000
/** Failures in a row after which a peer is not dialled before it is heard of again. */
export const dialFailuresMax = 30
/** Dials at once, and how long one takes. */
export const dialsMax = 8
export const dialMsMax = 10_000
/** A connection that lasted this long was a good one: the next pause is short again. */
export const steadyMs = 20_000
/** How often the network is searched for more peers, and how long one search takes. */
export const searchMs = 30_000
export const searchMsMax = 10_000
/**
 * Pings of one connection under way at once, each way. The monitor of connections and the hash table ping independently,
 * over the same protocol, and the monitor gives up a connection that has no place for its ping (FAILURES 10, 18).
 */
export const pingsMax = 16
/** Records that other nodes may leave here as part of the distributed hash table. */
export const dhtRecordsMax = 4_096

/** How often connections are looked after. */
export const tickMs = 1_000
/** For gossip with a new or mended peer to work; then its connections are closed, to be made anew. */
export const gossipSilentMsMax = 20_000
/** How often a missing gossip stream is asked for. */
export const gossipMendMs = 3_000

/** Peers that are shunned, and for how long one of another network is. */
export const shunnedMax = 4_096
export const foreignMs = 10 * 60_000
/** For such a one to see that it is. */
export const partingMs = 300
/** The same complaint is logged this often. */
export const complaintMs = 60_000
/** Changes of peers that a slow subscriber may lag behind. */
export const changesKept = 256

/** For an orderly stop; then the rest is cut. */
export const stopMsMax = 1_500

/** How many connections there are, and how they are kept. */
export interface ConnectionLimits {
  /** Connections in all; more are refused. */
  readonly connectionsMax: number
  /** Below this many, peers known from before or found are dialled. Bootstrap peers always are. */
  readonly connectionsWanted: number
  /** New inbound connections a second from one address, and under negotiation in all. */
  readonly inboundPerSecondMax: number
  readonly inboundPendingMax: number
  /** How often a connection is tried, and how long the other end may take to answer. */
  readonly pingMs: number
  readonly pingMsMax: number
  /** Pause before the first dial after a connection is lost; it doubles up to these, for bootstrap peers and for others. */
  readonly redialMs: number
  readonly redialBootstrapMsMax: number
  readonly redialMsMax: number
}

export const defaultConnectionLimits: ConnectionLimits = {
  connectionsMax: 128,
  connectionsWanted: 16,
  inboundPerSecondMax: 20,
  inboundPendingMax: 32,
  pingMs: 10_000,
  pingMsMax: 15_000,
  redialMs: 500,
  redialBootstrapMsMax: 8_000,
  redialMsMax: 60_000
}
