/** The long tests: many processes, two files at a time since they wait most of theirs. `npm run test:cluster`. */
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/cluster/**/*.cluster.ts"],
    testTimeout: 400_000,
    hookTimeout: 200_000,
    pool: "forks",
    maxWorkers: 2,
    reporters: ["verbose"]
  }
})
