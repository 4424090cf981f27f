import { configDefaults, defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"

/** Folders whose files take longest, seconds to a minute and a half each: begun last, one would run alone at the end. */
const long = /\/test\/(?:simulation|contract|network|fuzz)\//

class LongFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const sorted = await super.sort(files)
    const isLong = ({ moduleId }: TestSpecification) => long.test(moduleId)
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))]
  }
}

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // whole programs and pages have runs of their own: they start processes by the dozen
    exclude: [...configDefaults.exclude, "test/integration/**", "test/examples/**", "test/browser/**"],
    // Simulations start nodes; a unit test that needs this long is broken, not slow.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Worker threads and sockets of one file must not outlive it.
    pool: "forks",
    // Files share the modules of their worker, and Node loads them as it does for a user: loading them anew for each file
    // was a fifth of the time, and code that Vite rewrote ran at a third of the speed.
    isolate: false,
    experimental: { viteModuleRunner: false },
    // Files wait for processes and timers much of their time: as many at once as there are cores.
    maxWorkers: "100%",
    sequence: { sequencer: LongFirst }
  }
})
