/** `sim`: the command. The simulator is loaded when it is asked for. */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { availableParallelism } from "node:os"
import type { ProfileName } from "../../testing/profiles.ts"
import { jsonFlag } from "../account.ts"
import * as Settings from "../settings.ts"
import * as Defaults from "../sim-defaults.ts"

/** Known here so that other commands do not load the simulator. */
const profiles: { readonly [P in ProfileName | "all"]: true } = {
  calm: true,
  lossy: true,
  partition: true,
  crash: true,
  hostile: true,
  all: true
}

const parseProfile = (input: string): Result.Result<ProfileName | "all", string> =>
  Object.hasOwn(profiles, input)
    ? Result.succeed(input as ProfileName | "all")
    : Result.fail(`expected ${Object.keys(profiles).join(", ")}, got ${JSON.stringify(input)}`)

/** A seed is a whole number that the command line takes. */
const seedMax = 999_999_999_999_999
const seedsMax = 1_000_000
const jobsMax = 64

const number = (name: string, description: string, minimum: number, maximum: number) =>
  Settings.option({ name, metavar: "NUMBER", description, parse: Settings.int(minimum, maximum) })

const ranges = (name: string, description: string) =>
  Settings.option({ name, metavar: "RANGES", description, parse: Settings.text })

export const sim = Command.make(
  "sim",
  {
    seeds: number("seeds", `How many runs (default: ${Defaults.seeds})`, 1, seedsMax),
    from: number("from", "Seed of the first run (default: 1)", 0, seedMax),
    profile: Settings.optionOr({
      name: "profile",
      metavar: "NAME",
      description: `What happens to nodes: ${Object.keys(profiles).join(", ")} (default: all, one after the other)`,
      choices: Object.keys(profiles),
      parse: parseProfile
    }, "all" as const),
    nodes: number("nodes", "Nodes at the start, 1 to 7 (default: 3 to 7, by the seed)", 1, 7),
    steps: Settings.optionOr({
      name: "steps",
      metavar: "NUMBER",
      description: `Steps of a run; each has some actions and faults (default: ${Defaults.steps})`,
      parse: Settings.int(1, 10_000)
    }, Defaults.steps),
    jobs: Settings.optionOr({
      name: "jobs",
      metavar: "NUMBER",
      description: "Runs at once (default: the number of cores)",
      parse: Settings.int(1, jobsMax)
    }, Math.min(jobsMax, availableParallelism())),
    timeLimit: Settings.optionOr({
      name: "time-limit",
      metavar: "SECONDS",
      description: `A run that takes longer has failed (default: ${Defaults.timeLimit})`,
      parse: Settings.int(1, 86_400)
    }, Defaults.timeLimit),
    seed: number("seed", "Make the run of this seed, and no other", 0, seedMax),
    networkSeed: number("network-seed", "Seed of the network alone", 0, seedMax),
    faultsSeed: number("faults-seed", "Seed of the faults alone", 0, seedMax),
    workloadSeed: number("workload-seed", "Seed of what users do alone", 0, seedMax),
    keep: ranges("keep", "With --seed: only these events of its plan, such as 0-3,7; or none"),
    absent: ranges("absent", "With --seed: without these nodes"),
    html: Settings.option({
      name: "html",
      metavar: "FILE",
      description: "With --seed: write the history of the run as a page for a browser",
      parse: Settings.text
    }),
    noShrink: Settings.toggle("no-shrink", "Do not look for smaller runs that fail the same"),
    timing: Settings.toggle("timing", "With --json: times too, which differ from call to call"),
    json: jsonFlag
  },
  Effect.fnUntraced(function*(flags) {
    const [{ session }, { screenOf }] = yield* Effect.promise(() =>
      Promise.all([import("../sim-session.ts"), import("../progress.ts")])
    )
    yield* session(flags, screenOf(process.stderr))
  })
).pipe(
  Command.withDescription(
    "Run whole nodes on a simulated network, with simulated clocks and disks, while users write and faults strike; then look "
      + "whether all agree and nothing was lost. A seed always gives the same run. Exit code 1 when a run failed; what repeats it, "
      + "and the smallest run that fails the same, are printed.\n\n"
      + "With --json one line a seed, the same bytes whenever it is called."
  ),
  Command.withShortDescription("Look for bugs in simulated clusters"),
  Command.withExamples([
    { command: "p2p-mes sim --seeds 100" },
    { command: "p2p-mes sim --seed 7 --profile crash --html history.html", description: "Look at one run" }
  ])
)
