/**
 * For tests of apps that embed a node: a store in memory, a whole node over it, and clusters of nodes on one virtual time
 * and one seed, with faults and an oracle.
 */
export { layerMemory } from "../layers/store/memory.ts"
export { Cluster, type ClusterOptions, type NodeServices, type SimulatedNode } from "./cluster.ts"
export { type Copy, Disk, type DiskConditions } from "./disk.ts"
export { type Conditions, SimulatedNetwork } from "./network.ts"
export * as TestNode from "./node.ts"
export * as Oracle from "./oracle.ts"
export { type Faults, type Profile, type ProfileName, profiles } from "./profiles.ts"
export { Random } from "./random.ts"
export { describe, type Report, simulate, type SimulationOptions } from "./simulation.ts"
export * as Users from "./users.ts"
export { type ClockFault, MachineClock, VirtualTime } from "./virtual-time.ts"
export { type Acknowledged, Workload } from "./workload.ts"
