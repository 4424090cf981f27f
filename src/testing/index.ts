/**
 * For tests of apps that embed a node: a store in memory, a whole node over it, and clusters of nodes on one virtual time
 * and one seed, with faults, users and oracles (docs/simulator.md).
 */
export { layerMemory } from "../layers/store/memory.ts"
export { Cluster, type ClusterOptions, type NodeServices, type SimulatedNode } from "./cluster.ts"
export { describe, replayCommand } from "./describe.ts"
export { type Copy, Disk, type DiskConditions } from "./disk.ts"
export { gossipsubMesh, type MeshOptions } from "./network/mesh.ts"
export { type Conditions, SimulatedNetwork } from "./network/network.ts"
export type { Tally, Traffic, TrafficKind } from "./network/traffic.ts"
export * as TestNode from "./node.ts"
export type { Answer, Attempt, Finding, Observer } from "./observer.ts"
export * as Oracle from "./oracle/oracle.ts"
export type { Event, Fault, Plan, Seeds } from "./plan.ts"
export { type FaultKind, faultKinds, type Profile, type ProfileName, profileNames, profiles } from "./profiles.ts"
export { Random } from "./random.ts"
export { shrink, type Shrunk } from "./shrink.ts"
export { type Report, simulate, type SimulationOptions } from "./simulation.ts"
export * as Users from "./users.ts"
export { type ClockFault, MachineClock, VirtualTime } from "./virtual-time.ts"
export { type Watch, watch } from "./watch/watch.ts"
export { Workload, type WorkloadOptions } from "./workload.ts"
