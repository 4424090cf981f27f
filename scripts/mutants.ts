/**
 * Tests the simulator: puts defects into a copy of the sources, one at a time (`test/mutants`), runs some seeds of every
 * profile over each copy, and tells which oracle saw it, in how many runs. A defect that nobody sees is a failure.
 *
 *     npm run sim:mutants [-- NAME…] [--seeds N]
 *
 * Needs some minutes. Prints a table for docs/testing.md; `test/mutants/results.json` has the same for programs.
 */
import { spawn } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { parseArgs } from "node:util"
import { profileNames } from "../src/testing/index.ts"
import { type Mutant, mutants } from "../test/mutants/mutants.ts"

const root = join(import.meta.dirname, "..")
/** A run that takes longer has been brought to a stop by the defect, and that is seen too. */
const runMsMax = 90_000

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { seeds: { type: "string", default: "4" } }
})
const unknown = positionals.filter((name) => !mutants.some((mutant) => mutant.name === name))
if (unknown.length > 0) {
  console.error(`no such mutant: ${unknown.join(", ")}; there are: ${mutants.map(({ name }) => name).join(", ")}`)
  process.exit(2)
}
const seeds = Number(values.seeds)
if (!Number.isInteger(seeds) || seeds < 1) {
  console.error("--seeds is how many of each profile, from 1")
  process.exit(2)
}

/** The sources as they are: what is seen in them is no merit. */
interface Unchanged {
  readonly name: string
  readonly what: string
  readonly edits: readonly []
}
const unchanged: Unchanged = { name: "unchanged", what: "nothing", edits: [] }

interface Run {
  readonly run: string
  readonly oracles: ReadonlyArray<string>
  readonly first?: string | undefined
}

interface Verdict {
  readonly name: string
  readonly what: string
  readonly runs: number
  readonly caught: number
  /** Oracle to the number of runs in which it saw something. */
  readonly oracles: { readonly [oracle: string]: number }
  readonly example?: string | undefined
}

/** A copy of the sources, with edits. */
const copyOf = (directory: string, edits: Mutant["edits"] | readonly []): string => {
  const copy = join(directory, String(Math.random()).slice(2))
  mkdirSync(join(copy, "test"), { recursive: true })
  cpSync(join(root, "src"), join(copy, "src"), { recursive: true })
  cpSync(join(root, "test", "mutants"), join(copy, "test", "mutants"), { recursive: true })
  cpSync(join(root, "package.json"), join(copy, "package.json"))
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"))
  for (const { file, find, replace } of edits) {
    const path = join(copy, file)
    const parts = readFileSync(path, "utf8").split(find)
    if (parts.length !== 2) throw new Error(`${file}: found ${parts.length - 1} times, not once: ${find}`)
    writeFileSync(path, parts.join(replace))
  }
  return copy
}

/** Runs until all are done or one takes too long; what became of each that ended, and why it ended early. */
const runAll = (copy: string, runs: ReadonlyArray<string>) =>
  new Promise<{ readonly done: ReadonlyArray<Run>; readonly broke?: string }>((resolve) => {
    const child = spawn(process.execPath, [join(copy, "test", "mutants", "run.ts"), ...runs], {
      stdio: ["ignore", "pipe", "pipe"]
    })
    const done: Array<Run> = []
    let errors = ""
    let late = false
    const watch = () =>
      setTimeout(() => {
        late = true
        child.kill("SIGKILL")
      }, runMsMax)
    let timer = watch()
    createInterface({ input: child.stdout }).on("line", (line) => {
      done.push(JSON.parse(line) as Run)
      clearTimeout(timer)
      timer = watch()
    })
    child.stderr.on("data", (chunk: Buffer) => errors = (errors + chunk.toString()).slice(-2_000))
    child.on("close", (code) => {
      clearTimeout(timer)
      if (late) resolve({ done, broke: `no answer within ${runMsMax / 1_000} s` })
      else if (code !== 0) resolve({ done, broke: errors })
      else resolve({ done })
    })
  })

const judge = async (directory: string, mutant: Unchanged | Mutant): Promise<Verdict> => {
  const copy = copyOf(directory, mutant.edits)
  // who is hostile does one of many things at a time: more of those runs
  const all = profileNames.flatMap((profile) =>
    Array.from({ length: seeds * (profile === "hostile" ? 3 : 1) }, (_, i) => `${profile}:${i + 1}`)
  )
  const runs: Array<Run> = []
  while (runs.length < all.length) {
    const { broke, done } = await runAll(copy, all.slice(runs.length))
    runs.push(...done)
    if (runs.length === 0 && broke !== undefined && !broke.startsWith("no answer")) {
      throw new Error(`${mutant.name} is no program: ${broke}`)
    }
    // the one that was under way
    if (broke !== undefined && runs.length < all.length) {
      runs.push({ run: all[runs.length]!, oracles: [broke.startsWith("no answer") ? "time" : "process"], first: broke })
    }
  }
  rmSync(copy, { recursive: true })
  const oracles: Record<string, number> = {}
  for (const oracle of runs.flatMap((run) => run.oracles)) oracles[oracle] = (oracles[oracle] ?? 0) + 1
  const caught = runs.filter((run) => run.oracles.length > 0)
  return {
    name: mutant.name,
    what: mutant.what,
    runs: runs.length,
    caught: caught.length,
    oracles,
    example: caught[0] && `${caught[0].run}: ${caught[0].first ?? ""}`
  }
}

const chosen = positionals.length === 0 ? mutants : mutants.filter(({ name }) => positionals.includes(name))
const directory = mkdtempSync(join(tmpdir(), "p2p-mes-mutants-"))
process.on("SIGINT", () => {
  rmSync(directory, { recursive: true, force: true })
  process.exit(130)
})
const verdicts: Array<Verdict> = []
try {
  const { caught, example } = await judge(directory, unchanged)
  if (caught > 0) {
    console.error(`the sources as they are fail already, in ${caught} runs: ${example}`)
    rmSync(directory, { recursive: true })
    process.exit(1)
  }
  const waiting = [...chosen]
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const verdict = await judge(directory, next)
      verdicts.push(verdict)
      const by = Object.entries(verdict.oracles).map(([oracle, count]) => `${oracle} ${count}`).join(", ")
      console.error(
        `${verdicts.length}/${chosen.length} ${next.name}: ${verdict.caught} of ${verdict.runs}${by && `, by ${by}`}`
      )
    }
  }
  await Promise.all(Array.from({ length: Math.min(chosen.length, availableParallelism()) }, work))
} finally {
  rmSync(directory, { recursive: true, force: true })
}

const inOrder = chosen.map(({ name }) => verdicts.find((verdict) => verdict.name === name)!)
console.log("| defect | what is wrong | caught in | by |")
console.log("| --- | --- | --- | --- |")
for (const { caught, name, oracles, runs, what } of inOrder) {
  const by = Object.entries(oracles).sort(([, a], [, b]) => b - a).map(([oracle, count]) => `${oracle} ${count}`)
  console.log(`| ${name} | ${what} | ${caught} of ${runs} | ${by.join(", ")} |`)
}
if (positionals.length === 0) {
  writeFileSync(join(root, "test", "mutants", "results.json"), `${JSON.stringify(inOrder, undefined, 2)}\n`)
}
const missed = inOrder.filter(({ caught }) => caught === 0).map(({ name }) => name)
console.log(missed.length === 0 ? `all ${inOrder.length} were caught` : `not caught: ${missed.join(", ")}`)
process.exitCode = missed.length === 0 ? 0 : 1
