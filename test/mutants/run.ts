/**
 * Runs simulations, one after another, and prints a line of JSON for each: in a process of its own, over sources that have
 * a defect in them. Arguments: `profile:seed` …
 */
import * as Effect from "effect/Effect"
import { type Profile, type ProfileName, profiles, simulate } from "../../src/testing/index.ts"

for (const argument of process.argv.slice(2)) {
  const [profile, seed] = argument.split(":")
  const nodes = 3 + Number(seed) % 3
  const base: Profile = profiles[profile as ProfileName]
  // a month passes in every other run: retention has no other chance to go wrong
  const months = { ...base, leapRate: Number(seed) % 2 }
  const report = await Effect.runPromise(simulate({ seed: Number(seed), profile: months, nodes, steps: 30 }))
  const oracles = [...new Set(report.findings.map(({ oracle }) => oracle))]
  const [first] = report.findings
  process.stdout.write(`${JSON.stringify({ run: argument, oracles, first: first?.text.slice(0, 200) })}\n`)
}
