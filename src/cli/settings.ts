/**
 * Options from everywhere. Each is a flag `--a-b`, an environment variable `P2PMES_A_B` and a TOML key `a-b` of the file
 * that `--config` names; the first of these that is given counts, else the default. An option that takes several values
 * is a flag given several times, a variable with commas, or a TOML list.
 *
 * {@link specs} lists all of them, so that a key which no command knows is an error that names it.
 */
import * as CliError from "effect/cli/CliError"
import * as Flag from "effect/cli/Flag"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { readFileSync } from "node:fs"
import { failure, usage } from "./failure.ts"

export interface Spec<A> {
  readonly name: string
  readonly description: string
  readonly metavar: string
  /** All values, where they are few; for completion. */
  readonly choices?: ReadonlyArray<string>
  readonly parse: (text: string) => Result.Result<A, string>
}

/** What is set beside the flags. */
export interface Sources {
  readonly env: { readonly [name: string]: string | undefined }
  readonly file: { readonly [key: string]: unknown }
  /** Name of the file, for messages. */
  readonly fileName: string
}

export class Settings extends Context.Reference<Sources>("p2p-mes/cli/Settings", {
  defaultValue: () => ({ env: {}, file: {}, fileName: "" })
}) {}

type Named = Pick<Spec<never>, "name" | "metavar" | "choices">

/** All options by name, and whether they take several values. */
const specs = new Map<string, Named & { readonly values: "one" | "several" }>()

const register = <S extends Named>(spec: S, values: "one" | "several"): S => {
  specs.set(spec.name, { ...spec, values })
  return spec
}

/** What is known of the option of this name. */
export const known = (name: string): Named | undefined => specs.get(name)

const variableOf = (name: string): string => `P2PMES_${name.toUpperCase().replaceAll("-", "_")}`

const invalid = (where: string, problem: string): CliError.CliError =>
  new CliError.UserError({ cause: where, userMessage: `${where}: ${problem}` })

/** The value of an option: flag, environment, file, in this order; `undefined` when none has it. */
const resolve = <A>(spec: Spec<A>, flag: string | undefined): Effect.Effect<A | undefined, CliError.CliError> =>
  Effect.gen(function*() {
    const { env, file, fileName } = yield* Settings
    const variable = variableOf(spec.name)
    const fromFile = file[spec.name]
    const fromEnv = env[variable]
    const [text, where] = flag !== undefined
      ? [flag, `--${spec.name}`]
      : fromEnv !== undefined && fromEnv !== ""
      ? [fromEnv, variable]
      : [fromFile === undefined ? undefined : String(fromFile), `${spec.name} in ${fileName}`]
    if (text === undefined) return undefined
    const value = spec.parse(text)
    return Result.isSuccess(value) ? value.success : yield* Effect.fail(invalid(where, value.failure))
  })

/** An option with a value. */
export const option = <A>(spec: Spec<A>): Flag.Flag<A | undefined> => {
  register(spec, "one")
  return Flag.String(spec.name).pipe(
    Flag.withMetavar(spec.metavar),
    Flag.withDescription(spec.description),
    Flag.optional,
    Flag.mapEffect((flag) => resolve(spec, Option.getOrUndefined(flag)))
  )
}

export const optionOr = <A>(spec: Spec<A>, fallback: A): Flag.Flag<A> =>
  Flag.map(option(spec), (value) => value ?? fallback)

export interface ListSpec<A> extends Omit<Spec<A>, "parse"> {
  /** An effect, so that what it takes to read a value may be loaded when there is one. Fails with what is wrong. */
  readonly parse: (text: string) => Effect.Effect<A, string>
}

/** Of an option with several values: more are a mistake, and would not be dialled or listened on in time. */
const valuesMax = 64

const split = (text: string): ReadonlyArray<string> => text.split(",").map((part) => part.trim())

/** An option with several values; `undefined` when it is not given. A list in the file may be empty. */
export const list = <A>(spec: ListSpec<A>): Flag.Flag<ReadonlyArray<A> | undefined> => {
  register(spec, "several")
  return Flag.String(spec.name).pipe(
    Flag.withMetavar(spec.metavar),
    Flag.withDescription(spec.description),
    Flag.atMost(valuesMax),
    Flag.mapEffect((flags) =>
      Effect.gen(function*() {
        const { env, file, fileName } = yield* Settings
        const variable = variableOf(spec.name)
        const [fromEnv, fromFile] = [env[variable], file[spec.name]]
        const [texts, where]: readonly [ReadonlyArray<string>, string] = flags.length > 0
          ? [flags.flatMap(split), `--${spec.name}`]
          : fromEnv !== undefined && fromEnv !== ""
          ? [split(fromEnv), variable]
          : [
            Array.isArray(fromFile) ? fromFile.map(String) : fromFile === undefined ? [] : split(String(fromFile)),
            `${spec.name} in ${fileName}`
          ]
        if (texts.length === 0) return Array.isArray(fromFile) ? [] : undefined
        if (texts.length > valuesMax) return yield* Effect.fail(invalid(where, `at most ${valuesMax} values`))
        return yield* Effect.forEach(
          texts,
          (text) => spec.parse(text).pipe(Effect.mapError((problem) => invalid(where, problem)))
        )
      })
    )
  )
}

const truth = (text: string): Result.Result<boolean, string> =>
  text === "true" || text === "1"
    ? Result.succeed(true)
    : text === "false" || text === "0"
    ? Result.succeed(false)
    : Result.fail("expected true or false")

/** An option that is on or off; off unless given. */
export const toggle = (name: string, description: string): Flag.Flag<boolean> => {
  const spec = register<Spec<boolean>>({ name, description, metavar: "", parse: truth }, "one")
  return Flag.Boolean(name).pipe(
    Flag.withDescription(description),
    Flag.optional,
    Flag.mapEffect((flag) => resolve(spec, Option.match(flag, { onNone: () => undefined, onSome: String }))),
    Flag.map((value) => value ?? false)
  )
}

export const text = (input: string): Result.Result<string, string> =>
  input === "" ? Result.fail("expected some text") : Result.succeed(input)

export const int = (minimum: number, maximum: number) => (input: string): Result.Result<number, string> => {
  const value = Number(input)
  return /^[0-9]{1,15}$/.test(input) && value >= minimum && value <= maximum
    ? Result.succeed(value)
    : Result.fail(`expected a whole number from ${minimum} to ${maximum}, got ${JSON.stringify(input)}`)
}

const configName = "config"

/** `--config FILE` wherever it stands, or P2PMES_CONFIG. The parser proper sees it too, and only checks its form. */
const configFile = (
  args: ReadonlyArray<string>,
  env: Sources["env"]
): string | undefined => {
  const end = args.indexOf("--")
  const own = end === -1 ? args : args.slice(0, end)
  for (const [i, arg] of own.entries()) {
    if (arg === `--${configName}`) return own[i + 1]
    if (arg.startsWith(`--${configName}=`)) return arg.slice(configName.length + 3)
  }
  const variable = env[variableOf(configName)]
  return variable === "" ? undefined : variable
}

export const configFlag = Flag.String(configName).pipe(
  Flag.withMetavar("FILE"),
  Flag.withDescription("TOML file with options: `node = \"http://…\"`; flags and P2PMES_ variables win"),
  Flag.optional
)

/** Reads the file that the arguments or the environment name. Each key must be an option of some command. */
export const load = Effect.fnUntraced(function*(args: ReadonlyArray<string>, env: Sources["env"]) {
  const fileName = configFile(args, env)
  if (fileName === undefined) return { env, file: {}, fileName: "" }
  const content = yield* Effect.try({
    try: () => readFileSync(fileName, "utf8"),
    catch: (cause) => failure(`cannot read the configuration: ${(cause as Error).message}`)
  })
  const Toml = yield* Effect.promise(() => import("effect/encoding").then(({ Toml }) => Toml))
  const parsed = Toml.parse(content)
  if (Result.isFailure(parsed)) return yield* usage(`${fileName} is no TOML: ${parsed.failure.message}`)
  const file = parsed.success
  for (const [key, value] of Object.entries(file)) {
    const values = specs.get(key)?.values
    if (values === undefined) {
      return yield* usage(`${fileName}: there is no option ${key}; known are ${[...specs.keys()].sort().join(", ")}`)
    }
    if (values === "several" && Array.isArray(value) && value.every((each) => typeof each === "string")) continue
    if (!["string", "number", "bigint", "boolean"].includes(typeof value)) {
      return yield* usage(
        `${fileName}: ${key} is ${
          values === "one" ? "one value, not a list or a table" : "a list of texts, or one text"
        }`
      )
    }
  }
  return { env, file, fileName }
})
