/** Whether what was built is still that of its sources: told by their sizes and times, without reading them. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"

export const root = join(import.meta.dirname, "..")

/** The files below a folder of the project, by paths from its root. */
export const filesBelow = (folder: string): ReadonlyArray<string> =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort()

/** Sizes and times of change of these files and of what every build depends on. */
export const keyOf = (paths: ReadonlyArray<string>): string =>
  [...paths, "package.json", "package-lock.json", "tsconfig.json", "scripts/freshness.ts"].map((path) => {
    const found = statSync(join(root, path), { throwIfNoEntry: false })
    return `${path} ${found?.size ?? "missing"} ${found?.mtimeMs ?? ""}\n`
  }).join("")

/** Whether the file of a key says the same. */
export const holds = (keyFile: string, key: string): boolean =>
  existsSync(keyFile) && readFileSync(keyFile, "utf8") === key
