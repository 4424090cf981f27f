/** Random tests draw the same here on every run, so that a line which only chance reaches is not covered now and then. */
import { Arbitrary } from "effect"

Arbitrary.configureGlobal({ check: { seed: process.env["COVERAGE_SEED"] ?? "coverage" } })
