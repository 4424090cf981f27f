/**
 * The user's key in this browser: one, encrypted where it is kept, in clear only in the memory of an unlocked page.
 */
import { randomBytes } from "@noble/hashes/utils.js"
import { signal } from "@preact/signals"
import * as Result from "effect/Result"
import * as Signer from "../client/Signer.ts"
import type { Address } from "../domain/ids.ts"
import * as Keys from "./keys.ts"
import * as Stored from "./stored.ts"

const name = "key"

const read = (): Keys.KeyFile | undefined => {
  const text = Stored.read(name)
  const file = text === undefined ? undefined : Keys.parse(text)
  return file !== undefined && Result.isSuccess(file) ? file.success : undefined
}

/** The key that this browser has, encrypted; `undefined`: none. */
export const file = signal<Keys.KeyFile | undefined>(read())

/** False while the browser keeps nothing: the key is gone when the page is closed. */
export const isKept = signal(true)

Stored.onOtherWindow(name, () => {
  file.value = read()
})

const keep = (made: Keys.KeyFile): void => {
  isKept.value = Stored.write(name, JSON.stringify(made))
  file.value = made
}

/** Lets the browser show what it was told to before it is kept busy for a second. */
const painted = (): Promise<void> => new Promise((resume) => requestAnimationFrame(() => setTimeout(resume)))

const signerOf = (secret: Uint8Array): Signer.Signer => Result.getOrThrow(Signer.fromPrivateKey(secret))

/** Encrypts the key under the passphrase and keeps it in place of the one before. */
export const put = async (secret: Uint8Array, passphrase: string): Promise<Signer.Signer> => {
  await painted()
  const signer = signerOf(secret)
  keep(Keys.encrypt(secret, signer.address, passphrase, randomBytes))
  return signer
}

export const generate = (): Uint8Array => Keys.generate(randomBytes)

/** The private key; `undefined`: wrong passphrase. */
export const open = async (from: Keys.KeyFile, passphrase: string): Promise<Uint8Array | undefined> => {
  await painted()
  const secret = Keys.decrypt(from, passphrase)
  return secret !== undefined && signerOf(secret).address === Keys.addressOf(from) ? secret : undefined
}

/** Who signs with the key that is kept; `undefined`: wrong passphrase. A file that costs too little to guess is renewed. */
export const unlock = async (passphrase: string): Promise<Signer.Signer | undefined> => {
  const kept = file.peek()
  const secret = kept === undefined ? undefined : await open(kept, passphrase)
  if (kept === undefined || secret === undefined) return undefined
  return Keys.isOutdated(kept) ? put(secret, passphrase) : signerOf(secret)
}

/** Removes the key from this browser. */
export const forget = (): void => {
  Stored.remove(name)
  file.value = undefined
}

/** A file to be kept elsewhere: the encrypted key, as it is kept here. */
export const exported = (from: Keys.KeyFile): { readonly name: string; readonly text: string } => ({
  name: `p2p-mes-key-${from.address.slice(2, 10)}.json`,
  text: `${JSON.stringify(from, undefined, 2)}\n`
})

/** What somebody brings: an exported file, or a private key in hex. */
export type Brought =
  | { readonly kind: "file"; readonly file: Keys.KeyFile; readonly address: Address }
  | { readonly kind: "secret"; readonly secret: Uint8Array; readonly address: Address }

export const bring = (text: string): Result.Result<Brought, string> =>
  text.trim().startsWith("{")
    ? Result.map(Keys.parse(text), (file) => ({ kind: "file", file, address: Keys.addressOf(file) }))
    : Result.map(Keys.parseSecret(text), (secret) => ({ kind: "secret", secret, address: signerOf(secret).address }))
