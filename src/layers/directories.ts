/**
 * Makes the directories a node keeps its files in. Node's own recursive `mkdir` never returns where a parent can never be
 * made (a path below /proc), and a node that hangs says nothing.
 */
import { mkdirSync, statSync } from "node:fs"
import { dirname } from "node:path"

/** Directories made at most, from the path up. */
const levelsMax = 64

const isDirectory = (path: string): boolean => {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found !== undefined && !found.isDirectory())
    throw new Error(`${path} is a file, not a directory: name another one`)
  return found !== undefined
}

/** Makes `path` and what is missing above it, for the owner alone. Throws what the file system says. */
export const make = (path: string): void => {
  const missing: Array<string> = []
  for (let at = path; missing.length < levelsMax && !isDirectory(at); at = dirname(at)) missing.push(at)
  for (const each of missing.reverse()) mkdirSync(each, { mode: 0o700 })
}
