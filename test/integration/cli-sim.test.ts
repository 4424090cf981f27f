/** The `sim` command: series of simulated runs, told the same whenever they are made, and what is said when one fails. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { enableCompileCache } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Worker } from "node:worker_threads"
import { afterAll } from "vitest"
import type { Screen } from "../../src/cli/progress.ts"
import { nodesOf, profileOfSeed, seriesOf, type SimFlags } from "../../src/cli/sim-series.ts"
import { session } from "../../src/cli/sim-session.ts"
import { profileNames, simulate } from "../../src/testing/index.ts"
import { replayArguments } from "../../src/testing/shrink.ts"
import { run, start } from "./processes.ts"

const timeout = 240_000
// threads that are started here load sooner
enableCompileCache()
const directory = mkdtempSync(join(tmpdir(), "p2p-mes-sim-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const flags: SimFlags = {
  seeds: undefined,
  from: undefined,
  seed: undefined,
  profile: "all",
  nodes: undefined,
  steps: 2,
  networkSeed: undefined,
  faultsSeed: undefined,
  workloadSeed: undefined,
  keep: undefined,
  absent: undefined,
  jobs: 2,
  timeLimit: 120,
  html: undefined,
  noShrink: false,
  timing: false,
  json: false
}

/** What a session says; `progress` is not part of it. */
const captured = () => {
  const [out, err]: [Array<string>, Array<string>] = [[], []]
  const into = (lines: Array<string>) => (text: string) => Effect.sync(() => void lines.push(text))
  const screen: Screen = { print: into(out), note: into(err), progress: () => Effect.void, clear: Effect.void }
  return { screen, out: () => out.join("\n"), err: () => err.join("\n"), lines: () => out }
}

const broken = (what: "finds" | "dies") => () =>
  new Worker(new URL("./sim-broken.worker.ts", import.meta.url), {
    workerData: { what },
    execArgv: [],
    ...(what === "dies" ? { resourceLimits: { maxOldGenerationSizeMb: 24 } } : {})
  })

describe("which runs a series has", () => {
  it("each seed decides its nodes and its profile, and all are used", () => {
    const seeds = Array.from({ length: 200 }, (_, i) => i)
    assert.deepStrictEqual([...new Set(seeds.map(nodesOf))].sort(), [3, 4, 5, 6, 7])
    assert.deepStrictEqual([...new Set(seeds.map(profileOfSeed))].sort(), [...profileNames].sort())
  })

  it.effect("the same seed is the same run in any series", () =>
    Effect.gen(function*() {
      const long = yield* seriesOf({ ...flags, seeds: 30, from: 5 })
      assert.strictEqual(long.count, 30)
      const one = yield* seriesOf({ ...flags, seed: 17 })
      assert.strictEqual(one.count, 1)
      assert.deepStrictEqual(long.at(12), one.at(0))
      const crash = yield* seriesOf({ ...flags, profile: "crash", nodes: 4, seeds: 3, networkSeed: 9 })
      assert.deepStrictEqual(crash.at(2), {
        seed: 3,
        profile: "crash",
        nodes: 4,
        steps: 2,
        seeds: { network: 9 },
        keep: undefined,
        absent: undefined
      })
    }))

  it.effect("what does not go together is an error that names the option", () =>
    Effect.gen(function*() {
      for (
        const [wrong, name] of [
          [{ keep: "1-3" }, "--keep"],
          [{ absent: "1" }, "--absent"],
          [{ html: "x.html" }, "--html"],
          [{ seed: 1, seeds: 4 }, "--seeds"],
          [{ seed: 1, from: 4 }, "--from"],
          [{ seed: 1, keep: "3-1" }, "--keep"],
          [{ seed: 1, keep: "all" }, "--keep"],
          [{ seed: 1, absent: "x" }, "--absent"],
          [{ seed: 1, nodes: 3, absent: "0-2" }, "--absent"]
        ] as const
      ) {
        const error = yield* Effect.flip(seriesOf({ ...flags, ...wrong }))
        assert.strictEqual(error.exitCode, 2)
        assert.isTrue(error.message.startsWith(name), error.message)
      }
    }))
})

describe("sim", () => {
  it("prints the same bytes whatever runs at once, a line a seed", { timeout }, async () => {
    const args = ["sim", "--seeds", "3", "--from", "10", "--steps", "1", "--nodes", "3", "--json"]
    const one = await run(...args, "--jobs", "1")
    assert.strictEqual(one.code, 0, one.stderr)
    const two = captured()
    await Effect.runPromise(session({ ...flags, seeds: 3, from: 10, steps: 1, nodes: 3, json: true }, two.screen))
    assert.strictEqual(`${two.out()}\n`, one.stdout)
    const lines = one.stdout.trim().split("\n").map((line) => JSON.parse(line) as Record<string, unknown>)
    assert.deepStrictEqual(lines.map(({ seed }) => seed), [10, 11, 12])
    for (const { actions, history_hash, profile, seed, verdict } of lines) {
      assert.strictEqual(verdict, "ok")
      assert.strictEqual(profile, profileOfSeed(Number(seed)))
      assert.match(String(history_hash), /^[0-9a-f]{64}$/)
      assert.isAtLeast(Number(actions), 5)
    }
    assert.match(one.stderr, /3 of 3 seeds in/)
  })

  it("takes the arguments that a failure prints, and writes the page", { timeout }, async () => {
    const [keep, absent] = [new Set([0, 1, 2, 5, 7, 8]), new Set([1])]
    const report = await Effect.runPromise(
      simulate({ seed: 4, profile: "lossy", nodes: 4, steps: 2, seeds: { faults: 8, workload: 9 }, keep, absent })
    )
    const file = join(directory, "history.html")
    const args = replayArguments(report, 2).split(" ")
    assert.includeMembers(args, ["--keep", "0-2,5,7-8", "--absent", "1", "--faults-seed", "--workload-seed"])
    const replayed = await run("sim", ...args, "--json", "--html", file)
    assert.strictEqual(replayed.code, 0, replayed.stderr)
    assert.strictEqual((JSON.parse(replayed.stdout) as { history_hash: string }).history_hash, report.history)
    assert.include(readFileSync(file, "utf8"), report.history)

    const nothing = replayArguments({ ...report, options: { ...report.options, keep: new Set<number>() } }, 2)
    assert.include(nothing, "--keep none --absent 1")
    const { at } = await Effect.runPromise(seriesOf({ ...flags, seed: 4, keep: "none", absent: "1" }))
    assert.deepStrictEqual([at(0).keep, at(0).absent], [new Set<number>(), absent])
  })

  it.live(
    "a run that fails is told of, with what repeats it and the smallest that fails the same",
    () =>
      Effect.gen(function*() {
        const { err, out, screen } = captured()
        const error = yield* Effect.flip(
          session({ ...flags, seeds: 2, jobs: 1, profile: "calm", nodes: 3 }, screen, broken("finds"))
        )
        assert.strictEqual(error.exitCode, 1)
        assert.strictEqual(error.message, "2 of 2 seeds failed")
        assert.match(err(), /failed seed 1, calm, 3 nodes, 2 steps: dislike/)
        assert.match(out(), /s dislike: n1: node 1 has committed\ufffd\[31m/)
        assert.match(out(), /again: {2}npm run sim -- --seed 1 --profile calm --nodes 3 --steps 2\n/)
        const shrunk =
          /shrunk: npm run sim -- --seed 1 --profile calm --nodes 3 --steps 2 --keep (\d+)(?: --absent [\d-]+)?\n/.exec(
            out()
          )
        assert.isNotNull(shrunk, out())
        assert.match(out(), /to \d nodes, 1 actions, 0 faults, in \d+ tries; /)
        assert.strictEqual(out().match(/shrunk:/g)?.length, 1, "the same oracle once")
        assert.match(out(), /^calm +2 +2 /m)

        const replay = captured()
        const one = { ...flags, seed: 1, profile: "calm", nodes: 3, keep: shrunk![1], json: true } as const
        assert.strictEqual((yield* Effect.flip(session(one, replay.screen, broken("finds")))).message, "the run failed")
        const line = JSON.parse(replay.out()) as {
          verdict: string
          replay: string
          findings: Array<{ oracle: string }>
        }
        assert.strictEqual(line.verdict, "failed")
        assert.deepStrictEqual([...new Set(line.findings.map(({ oracle }) => oracle))], ["dislike"])
        assert.include(line.replay, `--keep ${shrunk![1]}`)
        assert.include(replay.err(), "the end of its history:")
        assert.notInclude(replay.err(), "shrunk:")
      }).pipe(Effect.scoped),
    timeout
  )

  it.live("a thread that ends, hangs or eats memory fails its seed only", () =>
    Effect.gen(function*() {
      const { lines, out, screen } = captured()
      const error = yield* Effect.flip(
        session({ ...flags, seeds: 5, jobs: 1, timeLimit: 2, json: true }, screen, broken("dies"))
      )
      assert.strictEqual(error.message, "3 of 5 seeds failed")
      const told = lines().map((line) =>
        JSON.parse(line) as {
          seed: number
          history_hash: string | null
          findings: ReadonlyArray<{ oracle: string; at_ms: null; text: string }>
        }
      )
      assert.deepStrictEqual(told.map(({ findings, seed }) => [seed, findings[0]?.oracle]), [
        [1, "crash"],
        [2, "time"],
        [3, "crash"],
        [4, undefined],
        [5, undefined]
      ], out())
      assert.include(told[0]!.findings[0]!.text, "code 7")
      assert.include(told[2]!.findings[0]!.text, "24 MiB")
      assert.isNull(told[0]!.history_hash)
    }), timeout)

  it("Ctrl-C ends it with a summary of what was done", { timeout }, async () => {
    const child = start([
      "sim",
      "--seeds",
      "100000",
      "--steps",
      "1",
      "--nodes",
      "2",
      "--profile",
      "calm",
      "--json",
      "--jobs",
      "1"
    ])
    let err = ""
    child.stderr!.on("data", (chunk) => err += String(chunk))
    await once(child.stdout!, "data")
    child.kill("SIGINT")
    const [code] = await once(child, "close") as [number | null]
    assert.strictEqual(code, 130, err)
    assert.match(err, /stopped after \d+ of 100000 seeds/)
    assert.match(err, /^calm /m)
  })

  it("refuses what is no number, range or profile, by the name of the option", { timeout }, async () => {
    for (
      const [args, said] of [
        [["--nodes", "8"], "--nodes: expected a whole number from 1 to 7"],
        [["--profile", "stormy"], "--profile: expected calm, lossy"],
        [["--keep", "1"], "--keep is of one run"]
      ] as const
    ) {
      const { code, stderr, stdout } = await run("sim", ...args)
      assert.strictEqual(code, 2, stderr)
      assert.include(stderr, said)
      assert.strictEqual(stdout, "")
    }
  })
})
