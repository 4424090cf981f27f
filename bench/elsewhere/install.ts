/**
 * Makes ready what `elsewhere.ts` measures beside this project: the packages of `bench/elsewhere`, which are not part of the
 * project and are installed on first use, and a Node that can load the relay's SQLite driver.
 *
 * `better-sqlite3` is built for the one Node it was installed under, and its versions that the relay takes do not build for
 * Node 26; so the relay runs under the older Node that most machines have as their own.
 */
import { execFileSync } from "node:child_process"
import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"
import { fileURLToPath } from "node:url"

/** Where the packages are. */
export const directory = fileURLToPath(new URL("./", import.meta.url))

const installMsMax = 600_000
const [olderMin, olderMax] = [20, 25]

/** PATH without what npm and this project put into it. */
const systemPath = (): string =>
  (process.env["PATH"] ?? "").split(delimiter).filter((part) => !part.includes("node_modules")).join(delimiter)

/** Path of the machine's own Node; undefined when there is none that will do. */
const findOlder = (): string | undefined =>
  systemPath().split(delimiter).map((part) => join(part, "node")).filter((path) => existsSync(path)).find((path) => {
    const major = Number(execFileSync(path, ["-p", "process.versions.node.split('.')[0]"], { encoding: "utf8" }))
    return major >= olderMin && major <= olderMax
  })

const npm = (args: ReadonlyArray<string>): void => {
  // what npm tells the scripts that it runs would be taken for settings
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_(?!config_nodedir)/i.test(name)))
  console.error(`npm ${args.join(" ")}, in bench/elsewhere`)
  execFileSync("npm", args, {
    cwd: directory,
    env: { ...env, PATH: systemPath() },
    stdio: ["ignore", "ignore", "inherit"],
    timeout: installMsMax
  })
}

const driverLoads = (older: string): boolean => {
  try {
    execFileSync(older, ["-e", `new (require("better-sqlite3"))(":memory:")`], { cwd: directory, stdio: "ignore" })
    return true
  } catch {
    return false
  }
}

/**
 * Installs what is missing, exactly as the lock says and without install scripts, but for the driver's, which fetches or
 * builds its binary. Gives the path of the Node to run the relay with; throws when there is no way.
 */
export const install = (): string => {
  const older = findOlder()
  if (older === undefined) {
    throw new Error(`the relay's SQLite driver needs a Node ${olderMin} to ${olderMax} in PATH, outside node_modules`)
  }
  if (!existsSync(join(directory, "node_modules"))) npm(["ci", "--ignore-scripts", "--loglevel=error"])
  if (!driverLoads(older)) npm(["rebuild", "better-sqlite3", "--loglevel=error"])
  if (!driverLoads(older)) throw new Error(`better-sqlite3 does not load under ${older}`)
  return older
}
