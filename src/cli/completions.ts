/**
 * `--completions SHELL`: the script that completes commands, options and their values in a shell. It is made by
 * `effect/cli` from the commands themselves; what that cannot see is told here: which options name files or one of a few
 * words (`settings.ts`), and which options every command has.
 */
import type * as Command from "effect/cli/Command"
import * as Completions from "effect/cli/Completions"
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { print } from "./output.ts"
import * as Settings from "./settings.ts"

const typeOf = ({ name, type }: Completions.FlagDescriptor): Completions.FlagType => {
  const { choices, metavar } = Settings.known(name) ?? { metavar: "" }
  return choices !== undefined
    ? { _tag: "Choice", values: choices }
    : metavar === "FILE" || metavar === "DIR"
    ? { _tag: "Path", pathType: metavar === "DIR" ? "directory" : "file" }
    : type
}

const flagOf = (name: string, description: string, type: Completions.FlagType): Completions.FlagDescriptor => ({
  name,
  aliases: [],
  description,
  type,
  negation: false
})

const everywhere: ReadonlyArray<Completions.FlagDescriptor> = [
  flagOf("help", "Show help", { _tag: "Boolean" }),
  flagOf("config", "TOML file with options", { _tag: "Path", pathType: "file" })
]

const shells: ReadonlyArray<Completions.Shell> = ["bash", "zsh", "fish", "powershell"]

const atRoot: ReadonlyArray<Completions.FlagDescriptor> = [
  flagOf("version", "Show the version", { _tag: "Boolean" }),
  flagOf("completions", "Print a completion script", { _tag: "Choice", values: shells })
]

const complete = (command: Completions.CommandDescriptor): Completions.CommandDescriptor => ({
  ...command,
  flags: [...command.flags.map((flag) => ({ ...flag, type: typeOf(flag) })), ...everywhere],
  subcommands: command.subcommands.map(complete)
})

/** The script for one shell. */
const scriptOf = (command: Command.Command.Any, shell: Completions.Shell): string => {
  const root = complete(Completions.fromCommand(command))
  return Completions.generate(command.name, shell, { ...root, flags: [...root.flags, ...atRoot] })
}

export const flag = GlobalFlag.Action({
  flag: Flag.Literals("completions", shells).pipe(
    Flag.optional,
    Flag.withMetavar("SHELL"),
    Flag.withDescription("Print the completion script for a shell")
  ),
  run: (shell, { command }) =>
    Option.match(shell, { onNone: () => Effect.void, onSome: (shell) => print(scriptOf(command, shell)) })
})
