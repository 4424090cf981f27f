/**
 * Runs the tests once and ends with one line of counts, `N passed, N failed` (and `, N skipped` when there are any), for
 * people and machines that read only the last line. A file that cannot be loaded, and an error outside any test, count
 * as one failure each; the exit code is 0 only when something ran and nothing failed. Arguments are those of
 * `vitest run`.
 */
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseCLI, startVitest, type Vitest } from "vitest/node"

// compiled code is kept between processes and threads, of which tests start very many
process.env["NODE_COMPILE_CACHE"] ??= join(tmpdir(), "node-compile-cache")

interface Counts {
  passed: number
  failed: number
  skipped: number
}

const count = (vitest: Vitest): Counts => {
  const counts = { passed: 0, failed: vitest.state.getUnhandledErrors().length, skipped: 0 }
  for (const module of vitest.state.getTestModules()) {
    let failedTests = 0
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      if (state === "passed") counts.passed++
      else if (state === "failed") failedTests++
      else counts.skipped++
    }
    // No failed test in a failed file: it was not loaded, or a hook of it failed.
    counts.failed += module.state() === "failed" ? Math.max(failedTests, 1) : failedTests
  }
  return counts
}

const run = async (): Promise<Counts> => {
  const { filter, options } = parseCLI(["vitest", "run", ...process.argv.slice(2)])
  const vitest = await startVitest("test", filter, { ...options, watch: false })
  const counts = count(vitest)
  await vitest.close()
  return counts
}

const counts = await run().catch((error: unknown): Counts => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
  return { passed: 0, failed: 1, skipped: 0 }
})
const { passed, failed, skipped } = counts
const line = `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}\n`
process.stdout.write(line, () => process.exit(failed === 0 && passed > 0 && !process.exitCode ? 0 : 1))
