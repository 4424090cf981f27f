/**
 * Everything that is checked without running the program, in one command. All of it runs even when an early part
 * fails, so that one run shows everything; the exit code is 1 when any part failed.
 */
import { spawnSync } from "node:child_process"
import { join } from "node:path"

const checks: ReadonlyArray<readonly [name: string, ...command: ReadonlyArray<string>]> = [
  ["types", "tsc", "-p", "tsconfig.json"],
  ["effect", "effect-tsgo", "diagnostics", "--project", "tsconfig.json", "--strict", "--format", "text"],
  ["oxlint", "oxlint", "--deny-warnings", "--report-unused-disable-directives"],
  ["format", "dprint", "check"],
  ["unused", "knip", "--no-config-hints"],
  ["lock", "node", "scripts/lock.ts", "--check"]
]

const failed: Array<string> = []
for (const [name, command, ...args] of checks) {
  process.stdout.write(`── ${name}\n`)
  const { status, error } = spawnSync(join("node_modules", ".bin", command!), args, { stdio: "inherit" })
  if (error !== undefined) process.stderr.write(`${error.message}\n`)
  if (status !== 0) failed.push(name)
}
process.stdout.write(failed.length === 0 ? "lint: clean\n" : `lint: ${failed.join(", ")} failed\n`)
process.exitCode = failed.length === 0 ? 0 : 1
