/**
 * Every bound of the protocol and of a node in one place (SPEC §3, §4, §5, §6, §9, §10). A name ends in its unit.
 *
 * Constants of the protocol are the same at every node for ever: replicas agree because of them. Bounds that only
 * guard one node's ingest are in {@link defaultIngestLimits} and may be configured.
 */

/** A stamp further than this ahead of the local wall clock is early (SPEC §4, MAX_DRIFT). */
export const driftMsMax = 60_000
/** How far a record's stamp may lie from its author's time, either way (SPEC §5). */
export const stampMsMax = 90_000
/** How far `X-Ts` may lie from the node's wall clock, either way (SPEC §3). */
export const requestMsMax = 30_000
/** Author's times are below this: 48 bits (SPEC §3). */
export const tsMsEnd = 2 ** 48
/** Logical counter of the clock: 16 bits (SPEC §2). */
export const logicalMax = 0xffff

export const contentBytesMax = 32 * 1024
export const controlBytesMax = 32 * 1024
export const identityBytesMax = 128
export const titleBytesMax = 128
export const targetsMax = 256
/** Dots that a removal may name (SPEC §5.2). */
export const observedMax = 4096
export const nodeIdBytesMax = 64
export const msgTypeMax = 255

export const gossipBytesMax = 1024 * 1024
export const frameBytesMax = 16 * 1024 * 1024
export const batchRecordsMax = 64

/** Messages and read marks older than this are collected (SPEC §9). */
export const retentionMs = 30 * 24 * 3_600_000
/** The cutoff moves in steps of this. */
export const retentionStepMs = 3_600_000

/**
 * A horizon (SPEC §6) is a multiple of the step, at least the lag behind the wall clock; a node answers for its last ones.
 * Together they bridge clocks that are MAX_DRIFT apart and a round that takes its time.
 */
export const horizonStepMs = 5_000
export const horizonLagMsMin = 10_000
export const horizonsKept = 18

/** Merkle tree: leaves, children of an inner node, levels below the root (SPEC §6). */
export const leavesCount = 65_536
export const branchCount = 16
export const levelsCount = 4

/** Unread messages are counted up to this (SPEC §5.3). */
export const unreadMax = 999
export const pageMax = 500
export const pageDefault = 50
/** A page ends early when its messages take more than this, roughly: no one answer may hold up a node. */
export const pageBytesMax = 1024 * 1024
/** `Prefer: wait` is capped at this (SPEC §8). */
export const waitSecondsMax = 10

/** What a node refuses at HTTP ingest for its own sake; never applied to records from peers (SPEC §6, last line). */
export interface IngestLimits {
  readonly groupMembersMax: number
  readonly bodyBytesMax: number
  readonly inFlightMax: number
  /** Accepted requests a second, averaged, per user. */
  readonly userRequestsPerSecond: number
  /** Requests a user may make at once after a pause. */
  readonly userRequestsBurst: number
  /** Records accepted but not yet committed. */
  readonly queueRecordsMax: number
  /** Signatures remembered against replay. */
  readonly replayEntriesMax: number
  /** Streams of events open at once: of one user, and of all. */
  readonly userStreamsMax: number
  readonly streamsMax: number
}

export const defaultIngestLimits: IngestLimits = {
  groupMembersMax: 10_000,
  bodyBytesMax: 256 * 1024,
  inFlightMax: 2_400,
  userRequestsPerSecond: 200,
  userRequestsBurst: 1_000,
  queueRecordsMax: 16_384,
  replayEntriesMax: 1_000_000,
  userStreamsMax: 16,
  streamsMax: 10_000
}
