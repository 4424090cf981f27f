/**
 * The command line as one Effect: reads the options, runs a command, and turns every failure into one line.
 */
import * as Cause from "effect/Cause"
import * as CliConfig from "effect/cli/CliConfig"
import type * as CliError from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Path from "effect/Path"
import { ChildProcessSpawner } from "effect/process"
import * as References from "effect/References"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as Stdio from "effect/Stdio"
import * as Terminal from "effect/Terminal"
import { version } from "../layers/version.ts"
import { bench } from "./commands/bench.ts"
import { chat } from "./commands/chat.ts"
import { group } from "./commands/group.ts"
import { identity } from "./commands/identity.ts"
import { keygen, networkKey, whoami } from "./commands/keys.ts"
import { inbox, read, send } from "./commands/messages.ts"
import { node } from "./commands/node.ts"
import { dump, verify } from "./commands/replicas.ts"
import { sim } from "./commands/sim.ts"
import { status } from "./commands/status.ts"
import { tail } from "./commands/tail.ts"
import * as Completions from "./completions.ts"
import { CliFailure, describe } from "./failure.ts"
import { note } from "./output.ts"
import * as Settings from "./settings.ts"
import { red } from "./terminal/colour.ts"
import { logger } from "./terminal/log.ts"

const config = GlobalFlag.Setting("config")({ flag: Settings.configFlag })

const root = Command.make("p2p-mes").pipe(
  Command.withDescription(
    "Peer-to-peer messaging: run a node, write and read.\n\n"
      + "Every option --a-b is also an environment variable P2PMES_A_B and a key a-b of the TOML file that --config names.\n\n"
      + "Completion, for a p2p-mes in your PATH. bash: `p2p-mes --completions bash >> ~/.bashrc`; zsh: `p2p-mes --completions zsh "
      + "> DIR/_p2p-mes`, DIR being in $fpath before compinit runs; fish: `p2p-mes --completions fish > "
      + "~/.config/fish/completions/p2p-mes.fish`. A new shell has it."
  ),
  Command.withSubcommands([
    { group: "Start here", commands: [keygen, node, status] },
    { group: "Messages", commands: [send, inbox, read, tail, chat, group, identity, whoami] },
    { group: "Nodes", commands: [networkKey, verify, dump] },
    { group: "Tests", commands: [sim, bench] }
  ]),
  Command.withGlobalFlags([config])
)

/** Ends the process with a code; what there was to say has been said. */
export class Ended extends Schema.TaggedError<Ended>()("Ended", { code: Schema.Int }) {
  override readonly [Runtime.errorReported] = false
  override get [Runtime.errorExitCode](): number {
    return this.code
  }
}

const complain = (text: string): Effect.Effect<void> => note(`${red("p2p-mes:", process.stderr)} ${text}`)

const usageText = (errors: ReadonlyArray<CliError.CliError>): string =>
  errors.map((error) =>
    error._tag === "UserError" ? error.userMessage : describe({ message: error.message.replace(/\n+\s*/, ". ") })
  ).join("; ")

/** Errors of an invocation in one line and not with the whole help. */
const presenter = CliOutput.layerPresenter({
  present: (event) =>
    event._tag === "InvalidInvocation"
      ? complain(`${usageText(event.errors)}; see \`${event.commandPath.join(" ")} --help\``)
      : CliOutput.defaultPresenter.present(event)
})

const unused = Effect.die("no command asks for this")

/**
 * What `effect/cli` wants for prompts, flags that read files, and child processes. No option here is of that kind, and
 * the platform's own services would add a sixth to the start of every command.
 */
const platform = Layer.mergeAll(
  FileSystem.layerNoop({}),
  Path.layer,
  Stdio.layerTest({}),
  Layer.succeed(
    Terminal.Terminal,
    Terminal.make({
      columns: Effect.sync(() => process.stdout.columns ?? 80),
      rows: Effect.sync(() => process.stdout.rows ?? 24),
      size: unused,
      readInput: unused,
      readLine: unused,
      display: () => unused
    })
  ),
  Layer.succeed(ChildProcessSpawner.ChildProcessSpawner, ChildProcessSpawner.make(() => unused))
)

/** Logs never mix with results. A node says more (`commands/node.ts`). */
const quiet = Layer.merge(
  Logger.layer([logger()]),
  Layer.succeed(References.MinimumLogLevel, "Warn")
)

const isShowHelp = (error: unknown): error is CliError.ShowHelp =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "ShowHelp"

const end = (cause: Cause.Cause<unknown>): Effect.Effect<never, Ended> => {
  if (Cause.hasInterruptsOnly(cause)) return Effect.interrupt
  const error = Cause.squash(cause)
  // the presenter has said what is wrong
  if (isShowHelp(error)) return Effect.fail(new Ended({ code: 2 }))
  const text = Cause.hasDies(cause) ? `internal error, please report it: ${describe(error)}` : describe(error)
  return Effect.andThen(
    complain(text),
    Effect.fail(new Ended({ code: error instanceof CliFailure ? error.exitCode : 1 }))
  )
}

/** Runs the command that `args` name. A failure has been told on stderr, and carries the exit code. */
export const program = (args: ReadonlyArray<string>): Effect.Effect<void, Ended> =>
  Effect.gen(function*() {
    const settings = yield* Settings.load(args, process.env)
    yield* Command.runWith(root, { version })(args).pipe(Effect.provideService(Settings.Settings, settings))
  }).pipe(
    Effect.provide([
      platform,
      presenter,
      quiet,
      CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, Completions.flag] })
    ]),
    Effect.catchCause(end)
  )
