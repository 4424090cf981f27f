/**
 * Who signs (SPEC §3). A signer turns the five lines to sign into 65 bytes: with a key that this process holds, or by
 * asking a wallet that never gives its key away.
 */
import { secp256k1 } from "@noble/curves/secp256k1.js"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Bytes from "../domain/bytes.ts"
import type { Address } from "../domain/ids.ts"
import type { SigVersion } from "../domain/record.ts"
import * as Signature from "../domain/signature.ts"
import { SignerError } from "./errors.ts"
import { hashes } from "./hashing.ts"

export interface Signer {
  readonly address: Address
  /** 1: keccak256 of the text is signed; 2: its EIP-191 personal-message hash. */
  readonly version: SigVersion
  /** Signs the text: r[32] || s[32] || v, 65 bytes, low s, v 27 or 28 as wallets write it. */
  sign(text: string): Effect.Effect<Uint8Array, SignerError>
}

const fail = (message: string): SignerError => new SignerError({ message })

/** The address of an uncompressed public key, 65 bytes. */
const addressOf = (publicKey: Uint8Array): Address =>
  Bytes.toHex(hashes.keccak256(publicKey.subarray(1)).subarray(12)) as Address

const keyBytes = (key: Uint8Array | string): Result.Result<Uint8Array, SignerError> => {
  const hex = typeof key === "string" ? Bytes.parseHex(key.trim(), 32) : Result.succeed(Bytes.toHex(key))
  if (Result.isFailure(hex)) return Result.fail(fail(`not a private key: ${hex.failure}`))
  const bytes = Bytes.fromHex(hex.success)
  return secp256k1.utils.isValidSecretKey(bytes)
    ? Result.succeed(bytes)
    : Result.fail(fail("not a private key: expected 32 bytes, between 1 and n-1 of secp256k1"))
}

/**
 * Signs with a private key (32 bytes, or hex with or without 0x) by RFC 6979, so one text always gets one signature.
 * Version 1 unless told otherwise. The key stays inside: it is not a field of the signer.
 */
export const fromPrivateKey = (
  key: Uint8Array | string,
  options: { readonly version?: SigVersion | undefined } = {}
): Result.Result<Signer, SignerError> =>
  Result.map(keyBytes(key), (secret) => {
    const version = options.version ?? 1
    return {
      address: addressOf(secp256k1.getPublicKey(secret, false)),
      version,
      sign: (text) =>
        Effect.sync(() => {
          const digest = Signature.signedDigest(hashes, version, text)
          // "recovered" is v || r || s
          const made = secp256k1.sign(digest, secret, { prehash: false, lowS: true, format: "recovered" })
          return Bytes.concat([made.subarray(1), Bytes.u8(27 + made[0]!)])
        })
    }
  })

const recovers = (digest: Uint8Array, sig: Uint8Array, v: number): Address | undefined => {
  try {
    const signature = secp256k1.Signature.fromBytes(sig.subarray(0, 64), "compact").addRecoveryBit(v)
    return addressOf(signature.recoverPublicKey(digest).toBytes(false))
  } catch {
    return undefined
  }
}

/**
 * Signs by an Ethereum wallet: `personalSign` gets the text and gives 65 bytes in hex, as `personal_sign` of EIP-1193
 * does. What comes back is checked, so that a wallet that has switched accounts is noticed before anything is sent.
 *
 * Each call of the client is one signature, reads too: wallets that ask a person each time suit few calls. A client
 * that reads often should use a key of its own.
 */
export const fromWallet = (wallet: {
  /** The account, 20 bytes in hex. */
  readonly address: string
  readonly personalSign: (text: string) => PromiseLike<string>
}): Result.Result<Signer, SignerError> =>
  Result.map(
    Result.mapError(Bytes.parseHex(wallet.address, 20), (problem) => fail(`not an address: ${problem}`)),
    (hex) => {
      const address = hex as Address
      return {
        address,
        version: 2,
        sign: Effect.fnUntraced(function*(text) {
          const answer = yield* Effect.tryPromise({
            try: () => wallet.personalSign(text),
            catch: (cause) => fail(`the wallet did not sign: ${cause instanceof Error ? cause.message : String(cause)}`)
          })
          const sig = yield* Effect.fromResult(Signature.parseSignature(answer)).pipe(
            Effect.mapError((problem) => fail(`the wallet gave no signature: ${problem}`))
          )
          const digest = Signature.signedDigest(hashes, 2, text)
          const v = [sig[64]!, 1 - sig[64]!].find((v) => recovers(digest, sig, v) === address)
          if (v === undefined) return yield* fail("the wallet signed with another account")
          return Bytes.concat([sig.subarray(0, 64), Bytes.u8(27 + v)])
        })
      }
    }
  )
