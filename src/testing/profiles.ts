/**
 * Kinds of trouble that a simulation goes through. Weights say how often a fault is drawn among those of its profile;
 * times are ms.
 */
import { type DiskConditions, goodDisk } from "./disk.ts"
import { calm, type Conditions } from "./network/network.ts"

/** What can be done to a cluster. Text of a fault in a history begins with its name. */
export const faultKinds = [
  /** Every way between two or more sets of nodes is cut. */
  "partition",
  /** One way between two nodes is cut. */
  "cut",
  /** A way is slower by a factor, for a while. */
  "slow-link",
  /** A connection breaks. */
  "disconnect",
  /** All ways are open again. */
  "heal",
  /** A process is killed; or its machine is lost, which peers notice late. */
  "crash",
  "vanish",
  /** A process is asked to end. */
  "stop",
  /** What is down starts again: on its disk, on an empty one, on an earlier copy. */
  "restart",
  "wipe",
  "restore",
  /** A disk is copied while its node runs. */
  "copy",
  /** A new node joins. */
  "join",
  /** A clock is set, runs at another speed, or stands still for a while. */
  "jump",
  "drift",
  "freeze",
  /** A disk is full, fails, or is slow, for a while. */
  "disk-full",
  "disk-fails",
  "disk-slow",
  /** All nodes end, and start a month later. */
  "leap",
  /** A hostile peer does something. */
  "attack"
] as const

export type FaultKind = typeof faultKinds[number]

export interface Profile {
  readonly name: string
  readonly network: Conditions
  readonly disk: DiskConditions
  /** How far off clocks are at the start, and at most after a jump; how fast they go wrong, either way. */
  readonly skewMsMax: number
  readonly jumpMsMax: number
  readonly driftPpmMax: number
  /** How often users act in a step, and how long a step takes at most. */
  readonly acts: number
  readonly pauseMsMax: number
  /** Faults in a step, on average. */
  readonly faultsMean: number
  readonly faults: { readonly [K in FaultKind]?: number }
  /** Share of the runs in which a month passes once. */
  readonly leapRate: number
  /** Peers that are not honest. */
  readonly hostile: number
}

const quiet: Profile = {
  name: "calm",
  network: calm,
  disk: goodDisk,
  skewMsMax: 200,
  jumpMsMax: 200,
  driftPpmMax: 20,
  acts: 7,
  pauseMsMax: 2_000,
  faultsMean: 1.2,
  // what an ordinary day brings
  faults: { "disconnect": 4, "stop": 1, "restart": 3, "slow-link": 3, "jump": 1 },
  leapRate: 0.25,
  hostile: 0
}

const lossy: Conditions = {
  ...calm,
  delayMsMax: 400,
  lossRate: 0.3,
  repeatRate: 0.1,
  lateRate: 0.2,
  lateMsMax: 8_000,
  bytesPerMs: 200
}

/** The profiles by name. */
export const profiles = {
  calm: quiet,
  lossy: {
    ...quiet,
    name: "lossy",
    network: lossy,
    skewMsMax: 5_000,
    jumpMsMax: 5_000,
    faults: { "disconnect": 4, "slow-link": 4, "cut": 1, "heal": 2, "drift": 1 }
  },
  partition: {
    ...quiet,
    name: "partition",
    network: { ...calm, delayMsMax: 200, lossRate: 0.05 },
    skewMsMax: 2_000,
    jumpMsMax: 2_000,
    pauseMsMax: 6_000,
    faults: { "partition": 4, "cut": 4, "heal": 3, "disconnect": 2, "slow-link": 2, "stop": 1, "restart": 3 }
  },
  crash: {
    ...quiet,
    name: "crash",
    network: { ...calm, delayMsMax: 100, lossRate: 0.05 },
    disk: { ...goodDisk, commitMsMax: 200, failRate: 0.02, readMsMax: 5 },
    skewMsMax: 10_000,
    jumpMsMax: 65_000,
    driftPpmMax: 200,
    pauseMsMax: 4_000,
    faults: {
      "crash": 5,
      "vanish": 2,
      "stop": 2,
      "restart": 8,
      "wipe": 2,
      "restore": 2,
      "copy": 2,
      "join": 1,
      "jump": 2,
      "drift": 1,
      "freeze": 1,
      "disk-full": 1,
      "disk-fails": 2,
      "disk-slow": 2,
      "cut": 1,
      "heal": 2
    },
    leapRate: 0.3
  },
  hostile: {
    ...quiet,
    name: "hostile",
    network: { ...calm, delayMsMax: 100, lossRate: 0.02 },
    skewMsMax: 1_000,
    jumpMsMax: 1_000,
    faults: { "attack": 12, "disconnect": 2, "crash": 1, "restart": 2, "cut": 1, "heal": 1 },
    hostile: 1
  }
} as const satisfies { readonly [name: string]: Profile }

export type ProfileName = keyof typeof profiles

export const profileNames = Object.keys(profiles) as ReadonlyArray<ProfileName>
