/** Tests of whole programs: the command line, nodes as processes, the package, the examples. `npm run test:processes`. */
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/integration/**/*.test.ts", "test/examples/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: "forks",
    maxWorkers: "100%"
  }
})
