/**
 * Everything that is checked without running the program, in one command. All of it runs even when an early part
 * fails, so that one run shows everything; the exit code is 1 when any part failed.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { join } from "node:path"

const bin = join("node_modules", ".bin")
/** A compiler that knows Effect: types and Effect's diagnostics in one pass, which two tools would do in two. */
const compiler = execFileSync(join(bin, "effect-tsgo"), ["get-exe-path"], { encoding: "utf8" }).trim()

const checks: ReadonlyArray<readonly [name: string, command: string, ...args: ReadonlyArray<string>]> = [
  ["types and effects", compiler, "-p", "tsconfig.json"],
  ["types and effects of the pages", compiler, "-p", "src/web"],
  ["oxlint", join(bin, "oxlint"), "--deny-warnings", "--report-unused-disable-directives"],
  ["format", join(bin, "dprint"), "check"],
  ["unused", join(bin, "knip"), "--no-config-hints"],
  ["lock", process.execPath, "scripts/lock.ts", "--check"]
]

/** The slowest takes 14 s on two idle cores. */
const checkMsMax = 120_000

const passes = (command: string, args: ReadonlyArray<string>): boolean => {
  const { status, error } = spawnSync(command, args, { stdio: "inherit", timeout: checkMsMax, killSignal: "SIGKILL" })
  if (error !== undefined) process.stderr.write(`${command} was stopped or could not start: ${error.message}\n`)
  return status === 0
}

const failed: Array<string> = []
for (const [name, command, ...args] of checks) {
  process.stdout.write(`── ${name}\n`)
  if (!passes(command, args)) failed.push(name)
}
process.stdout.write(failed.length === 0 ? "lint: clean\n" : `lint: ${failed.join(", ")} failed\n`)
process.exitCode = failed.length === 0 ? 0 : 1
