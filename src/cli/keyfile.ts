/**
 * A user's key file: the private key as hex text, for its owner's eyes only.
 */
import * as Effect from "effect/Effect"
import type * as Result from "effect/Result"
import { closeSync, fsyncSync, openSync, readFileSync, statSync, writeSync } from "node:fs"
import type { SignerError } from "../client/errors.ts"
import { fromPrivateKey, type Signer } from "../client/Signer.ts"
import { failure } from "./failure.ts"
import { note } from "./output.ts"
import { yellow } from "./terminal/colour.ts"

const codeOf = (cause: unknown): string => String((cause as { readonly code?: unknown }).code ?? "")

/** Reads the key of `file`. A file that others can read is used, with a warning. */
export const read = Effect.fnUntraced(function*(file: string) {
  const content = yield* Effect.try({
    try: () => readFileSync(file, "utf8"),
    catch: (cause) =>
      codeOf(cause) === "ENOENT"
        ? failure(
          `there is no key file ${file}; make one with \`p2p-mes keygen --out ${file}\`, or name one with --key`
        )
        : failure(`cannot read the key file ${file}: ${(cause as Error).message}`)
  })
  const signer: Result.Result<Signer, SignerError> = fromPrivateKey(content)
  if (signer._tag === "Failure") return yield* failure(`${file}: ${signer.failure.message}`)
  if (process.platform !== "win32" && (statSync(file).mode & 0o077) !== 0) {
    yield* note(
      `${yellow("warning:", process.stderr)} other users can read the key file ${file}; run: chmod 600 ${file}`
    )
  }
  return signer.success
})

/** Writes a new key file, 0600; one that exists is never overwritten. */
export const write = (file: string, hex: string) =>
  Effect.try({
    try: () => {
      const fd = openSync(file, "wx", 0o600)
      writeSync(fd, `0x${hex}\n`)
      fsyncSync(fd)
      closeSync(fd)
    },
    catch: (cause) =>
      codeOf(cause) === "EEXIST"
        ? failure(`${file} exists and is not overwritten: a key that is lost cannot be made again`)
        : failure(`cannot write the key file: ${(cause as Error).message}`)
  })
