/**
 * The node's key file: the libp2p protobuf of a private key in base64, readable by its owner only. Made on the first
 * start. Losing it gives the node another name; no record is lost by that.
 */
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from "@libp2p/crypto/keys"
import type { PrivateKey } from "@libp2p/interface"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { createPrivateKey, sign } from "node:crypto"
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { toBase64 } from "../../domain/bytes.ts"
import { nodeIdOf } from "../../domain/node-id.ts"
import { NodeKey, NodeKeyError } from "../../services/NodeKey.ts"
import * as Directories from "../directories.ts"

/** The key itself: for libp2p, which proves with it to peers that this is the node it says. */
export class NodePrivateKey
  extends Context.Service<NodePrivateKey, PrivateKey>()("p2p-mes/layers/node/NodePrivateKey")
{}

const base64Url = (bytes: Uint8Array): string => bytes.toBase64({ alphabet: "base64url", omitPadding: true })

/** A service over a key that libp2p can use too. */
export const fromPrivateKey = (key: PrivateKey): NodeKey["Service"] => {
  if (key.type === "Ed25519") {
    const publicKey = key.publicKey.raw
    const signing = createPrivateKey({
      format: "jwk",
      key: { kty: "OKP", crv: "Ed25519", d: base64Url(key.raw.subarray(0, 32)), x: base64Url(publicKey) }
    })
    return NodeKey.of({
      id: nodeIdOf({ type: "ed25519", publicKey }),
      sign: (bytes) => new Uint8Array(sign(null, bytes, signing))
    })
  }
  if (key.type === "secp256k1") {
    return NodeKey.of({
      id: nodeIdOf({ type: "secp256k1", publicKey: key.publicKey.raw }),
      // hashes with SHA-256 and keeps s low by itself
      sign: (bytes) => secp256k1.sign(bytes, key.raw)
    })
  }
  throw new Error(`a node key is Ed25519 or secp256k1, not ${key.type}`)
}

const failure = (file: string, what: string) => (cause: unknown): NodeKeyError =>
  new NodeKeyError({
    message: `cannot ${what} the node key ${file}: ${cause instanceof Error ? cause.message : String(cause)}`
  })

const read = (file: string): PrivateKey => {
  const { mode } = statSync(file)
  if ((mode & 0o077) !== 0) throw new Error("other users can read it; run: chmod 600 on it")
  const key = privateKeyFromProtobuf(Uint8Array.fromBase64(readFileSync(file, "utf8").trim()))
  if (key.type !== "Ed25519" && key.type !== "secp256k1") throw new Error(`${key.type} keys are not supported`)
  try {
    fromPrivateKey(key)
  } catch {
    // libp2p takes what the file holds as it is; what signs finds that the public half is another key's
    throw new Error("its two halves do not belong together: the file is damaged")
  }
  return key
}

/** Reads the key of `file`, or makes an Ed25519 key and writes it there. */
const load: (file: string) => Effect.Effect<PrivateKey, NodeKeyError> = Effect.fnUntraced(function*(file) {
  if (existsSync(file)) return yield* Effect.try({ try: () => read(file), catch: failure(file, "read") })
  const key = yield* Effect.promise(() => generateKeyPair("Ed25519"))
  yield* Effect.try({
    try: () => {
      Directories.make(dirname(file))
      // whole or not at all: a crash must not leave an empty key
      const beside = `${file}.new`
      writeFileSync(beside, `${toBase64(privateKeyToProtobuf(key))}\n`, { mode: 0o600, flush: true })
      renameSync(beside, file)
    },
    catch: failure(file, "write")
  })
  return key
})

/** Both services over one key. */
export const layerOf = <E>(key: Effect.Effect<PrivateKey, E>): Layer.Layer<NodeKey | NodePrivateKey, E> =>
  Layer.effectContext(
    Effect.map(
      key,
      (loaded) =>
        Context.make(NodeKey, fromPrivateKey(loaded)).pipe(Context.add(NodePrivateKey, NodePrivateKey.of(loaded)))
    )
  )

export const layer = (file: string): Layer.Layer<NodeKey | NodePrivateKey, NodeKeyError> => layerOf(load(file))
