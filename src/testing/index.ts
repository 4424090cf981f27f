/** For tests of apps that embed a node: a store in memory, and a whole node over it. */
export { layerMemory } from "../layers/store/memory.ts"
export * as TestNode from "./node.ts"
