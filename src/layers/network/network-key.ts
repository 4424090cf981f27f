/**
 * The key of a private network: 32 bytes that its nodes share, in the text file that other libp2p implementations use:
 *
 *     /key/swarm/psk/1.0.0/
 *     /base16/
 *     <64 hex digits>
 */
import * as Effect from "effect/Effect"
import { randomBytes } from "node:crypto"
import { readFileSync, statSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import * as Directories from "../directories.ts"
import { NetworkError } from "./ready.ts"

const keyBytes = 32
const heading = "/key/swarm/psk/1.0.0/"
/** Far more than a key needs: what is larger is another file. */
const fileBytesMax = 4_096

/** The text of a key's file. */
export const textOf = (key: Uint8Array): string => `${heading}\n/base16/\n${key.toHex()}\n`

const parse = (text: string): Uint8Array => {
  const [first, encoding, key = "", ...rest] = text.trim().split(/\r?\n/).map((line) => line.trim())
  if (first !== heading) throw new Error(`its first line is not ${heading}`)
  if (encoding !== "/base16/") throw new Error("its second line is not /base16/")
  if (rest.length > 0 || !/^[0-9a-fA-F]{64}$/.test(key)) throw new Error("its third and last line is not 64 hex digits")
  return Uint8Array.fromHex(key)
}

const failure = (file: string, what: string) => (cause: unknown): NetworkError =>
  new NetworkError({
    message: `cannot ${what} the network key ${file}: ${cause instanceof Error ? cause.message : String(cause)}`
  })

/** The 32 bytes of the key in `file`. */
export const readNetworkKey = (file: string): Effect.Effect<Uint8Array, NetworkError> =>
  Effect.try({
    try: () => {
      if (statSync(file).size > fileBytesMax) throw new Error("it is too long for a key")
      return parse(readFileSync(file, "utf8"))
    },
    catch: failure(file, "read")
  })

/** Makes a key and writes it to `file`, which must not exist yet. */
export const makeNetworkKey = (file: string): Effect.Effect<Uint8Array, NetworkError> =>
  Effect.try({
    try: () => {
      const key = new Uint8Array(randomBytes(keyBytes))
      Directories.make(dirname(file))
      writeFileSync(file, textOf(key), { mode: 0o600, flag: "wx", flush: true })
      return key
    },
    catch: failure(file, "write")
  })
