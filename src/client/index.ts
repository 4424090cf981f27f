/**
 * The client of a p2p-mes node, for Node and browsers.
 *
 * ```ts
 * const signer = yield* Effect.fromResult(Signer.fromPrivateKey(key))
 * const client = yield* NodeClient.make({ url: "http://127.0.0.1:4280", signer })
 * yield* client.send(Chat.dm(peer), "hello")
 * // … Effect.provide([FetchHttpClient.layer, Entropy.layer])
 * ```
 */
export * as Hlc from "../domain/hlc.ts"
export * as Ids from "../domain/ids.ts"
export * as Limits from "../domain/limits.ts"
export * from "../domain/refusal.ts"
export * as Chat from "./Chat.ts"
export type { ConnectionError, ConnectionOptions, Info } from "./Connection.ts"
export { Entropy } from "./Entropy.ts"
export * from "./errors.ts"
export type * as Events from "./Events.ts"
export { hashes } from "./hashing.ts"
export * as NodeClient from "./NodeClient.ts"
export * as NodeProbe from "./NodeProbe.ts"
export * as Profile from "./Profile.ts"
export * as Signer from "./Signer.ts"
export { parseUrl } from "./url.ts"
export type * from "./values.ts"
