/** `bench`: the command. The load is in `../load.ts`. */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { contentBytesMax } from "../../domain/limits.ts"
import { nodeFlags } from "../account.ts"
import { failure } from "../failure.ts"
import { note, print, printJson } from "../output.ts"
import { screenOf } from "../progress.ts"
import * as Settings from "../settings.ts"
import { bold, faint, red, yellow } from "../terminal/colour.ts"

const number = (name: string, description: string, standard: number, minimum: number, maximum: number) =>
  Settings.optionOr({
    name,
    metavar: "NUMBER",
    description: `${description}, ${minimum} to ${maximum} (default: ${standard})`,
    parse: Settings.int(minimum, maximum)
  }, standard)

const ms = (value: number): string => `${value.toFixed(value < 10 ? 2 : 0)} ms`

export const bench = Command.make(
  "bench",
  {
    ...nodeFlags,
    seconds: number("seconds", "Ends after this time", 10, 1, 600),
    count: number("count", "Ends after so many writes", 20_000, 1, 1_000_000),
    users: number("users", "Users made for it", 50, 2, 1_000),
    concurrency: number("concurrency", "Writes under way at once", 32, 1, 512),
    bytes: number("bytes", "Bytes of a message", 100, 16, contentBytesMax),
    committed: Settings.toggle("committed", "Measure until a write is committed, not until it is accepted")
  },
  Effect.fnUntraced(function*({ json, ...options }) {
    const { run } = yield* Effect.promise(() => import("../load.ts"))
    const screen = screenOf(process.stderr)
    yield* note(
      `${yellow("writing real messages", process.stderr)} to ${options.node}: at most ${options.count}, for at most `
        + `${options.seconds} s; they go to every node of its network and stay for 30 days`
    )
    const measured = yield* run(options, (written, share) => screen.progress(`${written} written`, share))
    yield* screen.clear
    const { clientCpu, failed, latency, rate, seconds, written } = measured
    const failures = Object.entries(failed)
    if (json) {
      const { max, p50, p90, p99 } = latency
      const rounded = (value: number) => Math.round(value * 1_000) / 1_000
      yield* printJson({
        written,
        seconds: rounded(seconds),
        rate: rounded(rate),
        latency_ms: { p50: rounded(p50), p90: rounded(p90), p99: rounded(p99), max: rounded(max) },
        failed,
        client_cpu: rounded(clientCpu)
      })
    } else {
      yield* print(`${bold(`${Math.round(rate)} writes a second`)}: ${written} in ${seconds.toFixed(1)} s`)
      yield* print(
        `${faint("latency")}  half within ${ms(latency.p50)}, 90 % ${ms(latency.p90)}, 99 % ${ms(latency.p99)}, `
          + `all ${ms(latency.max)}`
      )
      yield* print(`${faint("client")}   ${Math.round(clientCpu * 100)} % of a core; near 100 % it is the slower side`)
      for (const [tag, count] of failures) yield* print(`${red("failed")}   ${count} with ${tag}`)
    }
    if (failures.length > 0) {
      const total = failures.reduce((sum, [, count]) => sum + count, 0)
      return yield* failure(`${total} writes failed`)
    }
  })
).pipe(
  Command.withDescription(
    "Measure how many messages a node takes, and how long a write takes. It WRITES REAL MESSAGES: new users, made for this and "
      + "forgotten after it, send each other signed messages, which the node passes on to every other node and all keep for "
      + "30 days. Use it with a node of your own, and not in a network that others use.\n\n"
      + "It ends after --seconds or --count writes, whichever is first. Signing and measuring take one process, which may be "
      + "the slower side of the two. Exit code 1 when a write failed."
  ),
  Command.withShortDescription("Measure how many writes a node takes (writes real messages)"),
  Command.withExamples([
    { command: "p2p-mes bench --node http://127.0.0.1:4280 --seconds 5" },
    { command: "p2p-mes bench --count 1000 --concurrency 1 --committed --json" }
  ])
)
