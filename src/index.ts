/**
 * p2p-mes in an Effect app of your own: the services of a node, the layers that make them, and the routes of its HTTP
 * API for any `HttpRouter`.
 *
 * Services take nothing unproven: writing goes through `Authenticator`, which alone makes a `Proof`.
 */
export * as Bytes from "./domain/bytes.ts"
export { type Hashes, Hashing } from "./domain/hashing.ts"
export * as Hlc from "./domain/hlc.ts"
export * as Ids from "./domain/ids.ts"
export * as Limits from "./domain/limits.ts"
export { Membership } from "./domain/membership.ts"
export * as MerkleDescent from "./domain/merkle-descent.ts"
export { MerkleTree } from "./domain/merkle.ts"
export * as Record from "./domain/record.ts"
export * as Refusal from "./domain/refusal.ts"
export * as Signature from "./domain/signature.ts"
export * as Wire from "./domain/wire.ts"
export {
  layer,
  layerAlone,
  layerCore,
  layerRoutes,
  layerServices,
  type NodeOptions,
  type ServicesOptions
} from "./layers/node-live.ts"
export { Authenticator, type Claim, type Proof } from "./services/Authenticator.ts"
export { type Group, Groups } from "./services/Groups.ts"
export { HybridClock } from "./services/HybridClock.ts"
export { Ingest, type Place, type Receipt } from "./services/Ingest.ts"
export { NodeKey, NodeKeyError } from "./services/NodeKey.ts"
export { Store, StoreError } from "./services/Store.ts"
export { Trees } from "./services/Trees.ts"
export { Verifier } from "./services/Verifier.ts"
export { Views } from "./services/Views.ts"
export { type Committed, Writer } from "./services/Writer.ts"
