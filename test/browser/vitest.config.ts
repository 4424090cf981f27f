/** Tests of the pages in a real browser against real nodes, one after the other. `npm run test:browser`. */
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/browser/**/*.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: "forks",
    maxWorkers: 1,
    // one browser and one pair of nodes for all files (stage.ts)
    isolate: false,
    reporters: ["verbose"]
  }
})
