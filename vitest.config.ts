import { configDefaults, defineConfig } from "vitest/config"

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
    // Files wait for processes and timers much of their time: as many at once as there are cores.
    maxWorkers: "100%"
  }
})
