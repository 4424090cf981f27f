/** Kinds of trouble that a simulation goes through. Rates are chances at each step, 0 to 1; times are ms. */
import type { DiskConditions } from "./disk.ts"
import { calm, type Conditions } from "./network.ts"

export interface Faults {
  /** All ways between two sets of nodes are cut. */
  readonly partition: number
  /** One way between two nodes is cut. */
  readonly oneWay: number
  readonly heal: number
  readonly disconnect: number
  readonly crash: number
  readonly stop: number
  /** A node that is down starts again. */
  readonly restart: number
  /** Before it starts again, its disk is lost, or set back to an earlier copy. */
  readonly wipe: number
  readonly restore: number
  /** A clock is set to another offset. */
  readonly jump: number
  /** A new node joins. */
  readonly join: number
}

export interface Profile {
  readonly name: string
  readonly network: Conditions
  readonly disk: DiskConditions
  /** How far off clocks are, and how fast they go wrong, either way. */
  readonly skewMsMax: number
  readonly driftPpmMax: number
  /** What users do in a step, and how long it takes. */
  readonly actsMax: number
  readonly pauseMsMax: number
  readonly faults: Faults
}

const none: Faults = {
  partition: 0,
  oneWay: 0,
  heal: 0,
  disconnect: 0,
  crash: 0,
  stop: 0,
  restart: 0,
  wipe: 0,
  restore: 0,
  jump: 0,
  join: 0
}

const quiet: Profile = {
  name: "calm",
  network: calm,
  disk: { commitMsMax: 20, failRate: 0 },
  skewMsMax: 200,
  driftPpmMax: 20,
  actsMax: 4,
  pauseMsMax: 2_000,
  faults: none
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
    faults: { ...none, disconnect: 0.1 }
  },
  partition: {
    ...quiet,
    name: "partition",
    network: { ...calm, delayMsMax: 200, lossRate: 0.05 },
    skewMsMax: 2_000,
    pauseMsMax: 6_000,
    faults: { ...none, partition: 0.12, oneWay: 0.12, heal: 0.15, disconnect: 0.05 }
  },
  crash: {
    ...quiet,
    name: "crash",
    network: { ...calm, delayMsMax: 100, lossRate: 0.05 },
    disk: { commitMsMax: 200, failRate: 0.02 },
    skewMsMax: 10_000,
    driftPpmMax: 200,
    pauseMsMax: 4_000,
    faults: {
      ...none,
      crash: 0.15,
      stop: 0.05,
      restart: 0.3,
      wipe: 0.1,
      restore: 0.15,
      jump: 0.05,
      join: 0.01,
      oneWay: 0.04,
      heal: 0.1
    }
  }
} as const satisfies { readonly [name: string]: Profile }

export type ProfileName = keyof typeof profiles
