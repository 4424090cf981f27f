/**
 * Runs invocations of the command line that its parent sends, one after another, in one process: for `cli.ts`, which
 * starts it where it may write nothing but its own directory, and reach no network.
 */
import { Cause, Effect, Exit } from "effect"
import { writeFileSync } from "node:fs"
import { Ended, program } from "../../../src/cli/program.ts"

export interface Invocation {
  readonly args: ReadonlyArray<string>
  readonly env: { readonly [name: string]: string }
  /** Content of `config.toml`. */
  readonly config?: string
}

export interface Said {
  /** Absent when it did not end. */
  readonly code?: number
  readonly out: string
  readonly err: string
}

/** Nothing here waits for others: there is no network. */
const runMsMax = 20_000

let written = { out: "", err: "" }

const capture = (stream: NodeJS.WriteStream, key: "out" | "err"): void => {
  stream.write = ((chunk: string | Uint8Array, ...rest: ReadonlyArray<unknown>) => {
    written[key] += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("utf8")
    const done = rest.findLast((each) => typeof each === "function") as ((error?: Error) => void) | undefined
    queueMicrotask(() => done?.())
    return true
  }) as typeof stream.write
}

const run = async ({ args, config, env }: Invocation): Promise<Said> => {
  written = { out: "", err: "" }
  if (config !== undefined) writeFileSync("config.toml", config)
  for (const [name, value] of Object.entries(env)) process.env[name] = value
  const exit = await Effect.runPromiseExit(Effect.timeout(program(args), runMsMax))
  for (const name of Object.keys(env)) delete process.env[name]
  const failure = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  if (failure === undefined) return { code: 0, ...written }
  if (failure instanceof Ended) return { code: failure.code, ...written }
  return { ...written, err: `${written.err}\nnot ended: ${String(failure)}` }
}

capture(process.stdout, "out")
capture(process.stderr, "err")
process.on("message", (invocation) => {
  void run(invocation as Invocation).then((said) => process.send!(said))
})
process.send!("ready")
