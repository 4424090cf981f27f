/**
 * Fuzzes decoders for as long as it is told, and keeps what it finds.
 *
 *     node scripts/fuzz.ts                                   every decoder, a minute each
 *     node scripts/fuzz.ts --decoder wire --seconds 600      one, for longer (--decoder several times for several)
 *     node scripts/fuzz.ts --decoder wire --seed 7           the same cases again, as far as time allows
 *     node scripts/fuzz.ts --decoder wire --input FILE       one input: a file of the corpus, or of a crash
 *
 * Inputs that go a new way join `test/fuzz/corpus`, within its bounds. An input that breaks a promise is made as small as
 * it goes, written to `fuzz-crashes` with the command that shows it again, and ends the run of that decoder; the exit code
 * is then 1. `npm exec -- vitest run test/fuzz` replays the corpus and adds a few random cases.
 */
import { parseArgs } from "node:util"
import { campaign, Crash } from "../test/fuzz/campaign.ts"
import * as Corpus from "../test/fuzz/corpus.ts"
import { execute, type Target } from "../test/fuzz/target.ts"
import { names, open } from "../test/fuzz/targets.ts"

/** What the repository takes of one decoder. */
const filesMax = 28
const folderBytesMax = 20 * 1024
const fileBytesMax = 3 * 1024
const crashes = "fuzz-crashes"

const { values } = parseArgs({
  options: {
    decoder: { type: "string", multiple: true },
    seconds: { type: "string", default: "60" },
    seed: { type: "string" },
    input: { type: "string" }
  }
})

const number = (name: string, text: string): number => {
  const value = Number(text)
  if (!/^[0-9]{1,10}$/.test(text)) throw new Error(`--${name}: expected a whole number, got ${text}`)
  return value
}

const say = (text: string): void => void process.stdout.write(`${text}\n`)

/** Writes inputs of all sizes, as many as the bounds of the corpus leave room for. */
const keep = (target: Target, corpus: ReadonlyArray<Uint8Array>, found: ReadonlyArray<Uint8Array>): number => {
  const known = new Set(corpus.map((each) => each.toHex()))
  const fresh = found.filter((input) => input.length <= fileBytesMax && !known.has(input.toHex()))
    .toSorted((a, b) => a.length - b.length)
  const room = Math.min(fresh.length, filesMax - corpus.length)
  let [bytes, written] = [corpus.reduce((sum, each) => sum + each.length, 0), 0]
  for (let i = 0; i < room; i++) {
    const input = fresh[Math.floor((i * fresh.length) / room)]!
    if (bytes + input.length > folderBytesMax) continue
    bytes += input.length
    Corpus.write(`${Corpus.directory}/${target.name}`, input)
    written++
  }
  return written
}

const fuzz = async (name: string, seconds: number, seed: number): Promise<boolean> => {
  const target = await open(name)
  const corpus = Corpus.load(name).map(({ bytes }) => bytes)
  const end = Date.now() + seconds * 1_000
  try {
    const { cases, found, outcomes } = await campaign(target, corpus, { seed, enough: () => Date.now() >= end })
    await target.close?.()
    const written = keep(target, corpus, found)
    say(`${name.padEnd(10)} ${cases} cases, ${outcomes} outcomes, ${written} inputs new in the corpus`)
    return true
  } catch (error) {
    if (!(error instanceof Crash)) throw error
    const file = Corpus.write(`${crashes}/${name}`, error.input)
    say(`${name}: ${error.message}\nwritten to ${file}; again: node scripts/fuzz.ts --decoder ${name} --input ${file}`)
    await target.close?.().catch(() => undefined)
    return false
  }
}

const decoders = values.decoder ?? names
const unknown = decoders.filter((name) => !names.includes(name))
if (unknown.length > 0) throw new Error(`there is no decoder ${unknown.join(", ")}; known are ${names.join(", ")}`)

if (values.input !== undefined) {
  const target = await open(decoders[0]!)
  say(await execute(target, Corpus.read(values.input)))
  await target.close?.()
} else {
  const seed = values.seed === undefined ? Date.now() % 2 ** 32 : number("seed", values.seed)
  say(`seed ${seed}`)
  let sound = true
  for (const name of decoders) sound = await fuzz(name, number("seconds", values.seconds), seed) && sound
  process.exitCode = sound ? 0 : 1
}
