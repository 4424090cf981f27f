/**
 * What a report on the coverage of src/domain runs: the tests of the domain and no others, so that each rule is held by a
 * test that is about it, not by a node that happens to pass there.
 * `npm run coverage` reads it; for pages to look at:
 * `npm exec -- vitest run --config test/domain-coverage/vitest.config.ts --coverage.reporter=html`.
 */
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/domain/**/*.test.ts"],
    setupFiles: ["test/domain-coverage/seed.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: "forks",
    maxWorkers: "100%",
    coverage: {
      enabled: true,
      provider: "v8",
      // files that no test loads are reported too, as not covered
      include: ["src/domain/**/*.ts"],
      reporter: ["text"]
    }
  }
})
