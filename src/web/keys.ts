/**
 * A private key at rest: encrypted under a passphrase, as JSON that this page keeps and that people export.
 *
 * Rule: scrypt (RFC 7914) makes a key of the passphrase, XChaCha20-Poly1305 encrypts the 32 bytes with it. Everything that
 * the file says is bound by the authentication, so none of it can be exchanged. Costs stand in the file: later versions may
 * ask for more, and still read what was made before. All of it is plain JavaScript, since `crypto.subtle` is missing on
 * pages of plain HTTP.
 */
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js"
import { scrypt } from "@noble/hashes/scrypt.js"
import * as Result from "effect/Result"
import * as Signer from "../client/Signer.ts"
import * as Bytes from "../domain/bytes.ts"
import { type Address, parseAddress } from "../domain/ids.ts"

/** Costs of scrypt; memory is 128 * n * r bytes. */
export interface Cost {
  readonly n: number
  readonly r: number
  readonly p: number
}

/** 0.7 s and 128 MiB on a laptop of 2024. */
export const currentCost: Cost = { n: 2 ** 17, r: 8, p: 1 }
/** A file that asks for more is not tried: opening it would hold up the browser for minutes. */
const memoryBytesMax = 1024 ** 3
const rMax = 32
const pMax = 8
const nMin = 2 ** 10

const saltBytes = 16
const nonceBytes = 24
const secretBytes = 32
const tagBytes = 16
/** Longer texts are no key files. */
const fileCharsMax = 4096

export const passphraseCharsMin = 8

/** An encrypted key; bytes are padded base64. */
export interface KeyFile {
  readonly "p2p-mes-key": 1
  /** With `0x`; it is no secret, and tells which key this is. */
  readonly address: string
  readonly kdf: Cost & { readonly name: "scrypt"; readonly salt: string }
  readonly cipher: { readonly name: "xchacha20-poly1305"; readonly nonce: string; readonly text: string }
}

/** One passphrase is one key, however the keyboard composes its letters. */
const passphraseBytes = (passphrase: string): Uint8Array => Bytes.fromText(passphrase.normalize("NFKC").toWellFormed())

const associated = (address: string, { n, p, r }: Cost, salt: Uint8Array): Uint8Array =>
  Bytes.fromText(["p2p-mes/key/v1", address, "scrypt", n, r, p, Bytes.toHex(salt)].join("\n"))

const cipherOf = (passphrase: string, address: string, cost: Cost, salt: Uint8Array, nonce: Uint8Array) => {
  const key = scrypt(passphraseBytes(passphrase), salt, { N: cost.n, r: cost.r, p: cost.p, dkLen: secretBytes })
  return xchacha20poly1305(key, nonce, associated(address, cost, salt))
}

/** Takes about a second. `random` gives bytes that nobody can guess. */
export const encrypt = (
  secret: Uint8Array,
  address: Address,
  passphrase: string,
  random: (length: number) => Uint8Array,
  cost: Cost = currentCost
): KeyFile => {
  const [salt, nonce] = [random(saltBytes), random(nonceBytes)]
  const shown = `0x${address}`
  const text = cipherOf(passphrase, shown, cost, salt, nonce).encrypt(secret)
  return {
    "p2p-mes-key": 1,
    address: shown,
    kdf: { name: "scrypt", ...cost, salt: Bytes.toBase64(salt) },
    cipher: { name: "xchacha20-poly1305", nonce: Bytes.toBase64(nonce), text: Bytes.toBase64(text) }
  }
}

const bytesOf = (value: unknown, length: number): Uint8Array | undefined => {
  const bytes = typeof value === "string" ? Bytes.parseBase64(value) : undefined
  return bytes?._tag === "Success" && bytes.success.length === length ? bytes.success : undefined
}

const isCost = (kdf: { readonly [key: string]: unknown }): kdf is typeof kdf & Cost => {
  const { n, p, r } = kdf
  const isWhole = (value: unknown, min: number, max: number): value is number =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max
  return isWhole(r, 1, rMax) && isWhole(p, 1, pMax) && isWhole(n, nMin, memoryBytesMax / 128 / r)
    && Number.isInteger(Math.log2(n))
}

const readJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

type Loose = { readonly [key: string]: unknown } | undefined

/** Reads the text of an encrypted key; fails with what is wrong, in words for people. */
export const parse = (text: string): Result.Result<KeyFile, string> => {
  const file = text.length > fileCharsMax ? undefined : readJson(text) as Loose
  const version = file?.["p2p-mes-key"]
  if (version === undefined) return Result.fail("This is no key that was exported here.")
  if (version !== 1) return Result.fail("This key was exported by a newer version of p2p-mes.")
  const address = parseAddress(String(file!["address"]))
  const [kdf, cipher] = [file!["kdf"] as Loose, file!["cipher"] as Loose]
  const isWhole = Result.isSuccess(address)
    && kdf?.["name"] === "scrypt" && isCost(kdf) && bytesOf(kdf["salt"], saltBytes) !== undefined
    && cipher?.["name"] === "xchacha20-poly1305" && bytesOf(cipher["nonce"], nonceBytes) !== undefined
    && bytesOf(cipher["text"], secretBytes + tagBytes) !== undefined
  return isWhole ? Result.succeed(file as unknown as KeyFile) : Result.fail("This exported key is damaged.")
}

export const addressOf = (file: KeyFile): Address => file.address.slice(2).toLowerCase() as Address

/** The 32 bytes, or `undefined` for another passphrase than it was encrypted under. Takes about a second. */
export const decrypt = (file: KeyFile, passphrase: string): Uint8Array | undefined => {
  const [salt, nonce] = [bytesOf(file.kdf.salt, saltBytes)!, bytesOf(file.cipher.nonce, nonceBytes)!]
  const cipher = cipherOf(passphrase, file.address, file.kdf, salt, nonce)
  try {
    return cipher.decrypt(bytesOf(file.cipher.text, secretBytes + tagBytes)!)
  } catch {
    return undefined
  }
}

/** Made when less was asked of scrypt than now: to be encrypted anew when it is next opened. */
export const isOutdated = ({ kdf }: KeyFile): boolean =>
  kdf.n * kdf.r * kdf.p < currentCost.n * currentCost.r * currentCost.p

/** A new private key. */
export const generate = (random: (length: number) => Uint8Array): Uint8Array => {
  // all but one of 2^127 draws are valid
  while (true) {
    const secret = random(secretBytes)
    if (Result.isSuccess(Signer.fromPrivateKey(secret))) return secret
  }
}

/** Reads a private key as people have it: 64 hex digits, with or without `0x`. */
export const parseSecret = (text: string): Result.Result<Uint8Array, string> => {
  const hex = Bytes.parseHex(text.trim(), secretBytes)
  if (Result.isFailure(hex)) return Result.fail("A private key is 64 hex digits, with or without 0x in front.")
  const secret = Bytes.fromHex(hex.success)
  return Result.isSuccess(Signer.fromPrivateKey(secret))
    ? Result.succeed(secret)
    : Result.fail("These digits are no valid private key.")
}
