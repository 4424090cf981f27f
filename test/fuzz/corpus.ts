/**
 * The corpus in the repository: inputs that once went a way of their own, one a file, named by the hash of their bytes.
 * Text that is safe in a file is kept as it is (`.txt`), everything else in hex.
 */
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as Bytes from "../../src/domain/bytes.ts"

export const directory = fileURLToPath(new URL("corpus", import.meta.url))

export interface Entry {
  readonly file: string
  readonly bytes: Uint8Array
}

const nameOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex").slice(0, 16)

/** Text that no editor and no checkout changes. */
const isPlain = (text: string): boolean => /^[\x20-\x7e\n]*$/.test(text)

const bytesPerLine = 60

/** Hex in lines. */
const toFile = (bytes: Uint8Array): readonly [suffix: string, content: string] => {
  const text = Bytes.toText(bytes)
  if (text !== undefined && text !== "" && isPlain(text)) return ["txt", text]
  const hex = Bytes.toHex(bytes)
  return ["hex", `${(hex.match(new RegExp(`.{1,${bytesPerLine * 2}}`, "g")) ?? []).join("\n")}\n`]
}

/** Reads a file of the corpus, or of a crash. */
export const read = (path: string): Uint8Array => {
  const content = new Uint8Array(readFileSync(path))
  return path.endsWith(".hex") ? Bytes.fromHex((Bytes.toText(content) ?? "").replace(/\s+/g, "")) : content
}

/** Everything that is kept for a target, in the order of names. A file whose name is not its hash is an error. */
export const load = (target: string): ReadonlyArray<Entry> => {
  const folder = `${directory}/${target}`
  if (!existsSync(folder)) return []
  return readdirSync(folder).sort().map((name) => {
    const bytes = read(`${folder}/${name}`)
    if (nameOf(bytes) !== name.replace(/\..*$/, "")) throw new Error(`corpus/${target}/${name} is not what it was`)
    return { file: `corpus/${target}/${name}`, bytes }
  })
}

/** Of which decoders something is kept. */
export const folders = (): ReadonlyArray<string> => existsSync(directory) ? readdirSync(directory).sort() : []

/** Writes an item to `folder`; the name of its file. */
export const write = (folder: string, bytes: Uint8Array): string => {
  mkdirSync(folder, { recursive: true })
  const [suffix, content] = toFile(bytes)
  const path = `${folder}/${nameOf(bytes)}.${suffix}`
  writeFileSync(path, content)
  return path
}
