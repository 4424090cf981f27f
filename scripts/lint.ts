/**
 * Everything that is checked without running the program, in one command. All of it runs even when an early part
 * fails, so that one run shows everything; the exit code is 1 when any part failed. Each takes seconds: one that hangs is
 * stopped, and run once more.
 */
import { spawnSync } from "node:child_process"
import { join } from "node:path"

const checks: ReadonlyArray<readonly [name: string, ...command: ReadonlyArray<string>]> = [
  ["types", "tsc", "-p", "tsconfig.json"],
  ["types of the pages", "tsc", "-p", "src/web"],
  ["effect", "effect-tsgo", "diagnostics", "--project", "tsconfig.json", "--strict", "--format", "text"],
  ["oxlint", "oxlint", "--deny-warnings", "--report-unused-disable-directives"],
  ["format", "dprint", "check"],
  ["unused", "knip", "--no-config-hints"],
  ["lock", "node", "scripts/lock.ts", "--check"]
]

/** The slowest takes 12 s on two cores. */
const checkMsMax = 60_000

const passes = (command: string, args: ReadonlyArray<string>): boolean => {
  for (let tries = 0; tries < 2; tries++) {
    const { status, error } = spawnSync(join("node_modules", ".bin", command), args, {
      stdio: "inherit",
      timeout: checkMsMax,
      killSignal: "SIGKILL"
    })
    if (error === undefined) return status === 0
    process.stderr.write(`${command} was stopped or could not start: ${error.message}\n`)
    if ((error as NodeJS.ErrnoException).code !== "ETIMEDOUT") return false
  }
  return false
}

const failed: Array<string> = []
for (const [name, command, ...args] of checks) {
  process.stdout.write(`── ${name}\n`)
  if (!passes(command!, args)) failed.push(name)
}
process.stdout.write(failed.length === 0 ? "lint: clean\n" : `lint: ${failed.join(", ")} failed\n`)
process.exitCode = failed.length === 0 ? 0 : 1
