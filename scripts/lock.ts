/**
 * Completes package-lock.json: `npm ci` refuses a lock that lacks any optional dependency, and npm leaves out the
 * platform packages (native binaries of other systems) that its registry did not know when the lock was written.
 * Each missing one is named here with its version and platform, so that npm skips it where it does not fit and
 * fetches it where it does. Addresses are dropped: a lock names packages, not a registry.
 *
 *     node scripts/lock.ts            rewrite the lock; run it after every npm install
 *     node scripts/lock.ts --check    exit 1 when the lock would change
 */
import { readFileSync, writeFileSync } from "node:fs"

export interface LockEntry {
  readonly version?: string
  readonly resolved?: string
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly [field: string]: unknown
}

export interface Lock {
  readonly packages: Readonly<Record<string, LockEntry>>
  readonly [field: string]: unknown
}

const systems = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"]
const processors = ["arm64", "arm", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "x64"]
const libraries: Readonly<Record<string, string>> = {
  glibc: "glibc",
  gnu: "glibc",
  gnueabihf: "glibc",
  musl: "musl",
  musleabihf: "musl"
}

/** `os`, `cpu` and `libc` as the package's own manifest has them, read from its name; empty for other names. */
export const platformOf = (name: string): Readonly<Record<string, ReadonlyArray<string>>> => {
  const parts = name.slice(name.lastIndexOf("/") + 1).split("-")
  const os = systems.find((system) => parts.includes(system))
  const cpu = processors.find((processor) => parts.includes(processor))
  const libc = os === "linux" ? parts.map((part) => libraries[part]).find((found) => found !== undefined) : undefined
  if (os === undefined || cpu === undefined) return {}
  return { cpu: [cpu], ...(libc === undefined ? {} : { libc: [libc] }), os: [os] }
}

/** Where `name` is found from the package at `path`, as Node looks it up; `undefined` when the lock lacks it. */
const resolve = (lock: Lock, path: string, name: string): string | undefined => {
  for (let at = path;;) {
    const candidate = `${at === "" ? "" : `${at}/`}node_modules/${name}`
    if (lock.packages[candidate] !== undefined) return candidate
    if (at === "") return undefined
    const up = at.lastIndexOf("/node_modules/")
    at = up < 0 ? "" : at.slice(0, up)
  }
}

/** The lock with every platform package named and no address in it. Names that tell no platform are left to npm. */
export const complete = (lock: Lock): Lock => {
  const packages: Record<string, LockEntry> = {}
  for (const [path, { resolved: _address, ...entry }] of Object.entries(lock.packages)) packages[path] = entry
  for (const [path, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      const platform = platformOf(name)
      if (platform["os"] === undefined || !/^\d/.test(version) || resolve(lock, path, name) !== undefined) continue
      const { cpu, ...rest } = platform
      const dev = entry["dev"] === true ? { dev: true } : {}
      packages[`node_modules/${name}`] = { version, cpu, ...dev, optional: true, ...rest }
    }
  }
  const order = ([a]: readonly [string, LockEntry], [b]: readonly [string, LockEntry]) => a.localeCompare(b, "en")
  return { ...lock, packages: Object.fromEntries(Object.entries(packages).toSorted(order)) }
}

if (import.meta.main) {
  const file = "package-lock.json"
  const before = readFileSync(file, "utf8")
  const after = `${JSON.stringify(complete(JSON.parse(before) as Lock), undefined, 2)}\n`
  if (process.argv.includes("--check")) {
    if (before !== after) {
      process.stderr.write("package-lock.json is not complete: run node scripts/lock.ts\n")
      process.exitCode = 1
    }
  } else if (before !== after) writeFileSync(file, after)
}
