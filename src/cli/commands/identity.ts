/** `identity get` and `identity set`: 128 bytes a user that nodes never look at. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { fromText, parseBase64, toBase64, toText } from "../../domain/bytes.ts"
import { identityBytesMax } from "../../domain/limits.ts"
import { clientFlags, parseAddress, waitFlag, waitOf, withClient } from "../account.ts"
import { usage } from "../failure.ts"
import { print, printJson, withPrefixes } from "../output.ts"
import * as Settings from "../settings.ts"
import { harmless } from "../terminal/harmless.ts"
import { readStdin } from "./messages.ts"

const get = Command.make(
  "get",
  {
    ...clientFlags,
    address: Argument.String("address").pipe(
      Argument.withDescription("Whose (default: yours)"),
      Argument.variadic({ max: 1 })
    )
  },
  Effect.fnUntraced(function*({ address, ...flags }) {
    const whose = yield* Effect.forEach(address, parseAddress)
    const identity = yield* withClient(flags, (client) => client.identity.get(whose[0] ?? client.address))
    if (flags.json) return yield* printJson(withPrefixes(identity))
    // what is no text is shown as base64
    const text = toText(identity.identity)
    yield* print(text === undefined || harmless(text) !== text ? toBase64(identity.identity) : text)
  })
).pipe(Command.withDescription("Print an identity: as text if it is that, else as base64"))

const set = Command.make(
  "set",
  {
    ...clientFlags,
    wait: waitFlag,
    base64: Settings.toggle("base64", "The value is given as base64"),
    value: Argument.String("value").pipe(
      Argument.withDescription(`Up to ${identityBytesMax} bytes, such as a name; - reads standard input`)
    )
  },
  Effect.fnUntraced(function*({ base64, value, wait, ...flags }) {
    const given = value === "-" ? yield* readStdin : fromText(value)
    const decoded = base64 ? parseBase64((toText(given) ?? "?").trim()) : Result.succeed(given)
    if (Result.isFailure(decoded)) return yield* usage(`the value: ${decoded.failure}`)
    if (decoded.success.length > identityBytesMax) {
      return yield* usage(`an identity has at most ${identityBytesMax} bytes, got ${decoded.success.length}`)
    }
    const taken = yield* withClient(flags, (client) => client.identity.set(decoded.success, waitOf(wait)))
    yield* flags.json ? printJson(withPrefixes(taken)) : print("identity set")
  })
).pipe(
  Command.withDescription("Set your identity: bytes that every node keeps and none looks at"),
  Command.withExamples([{ command: "p2p-mes identity set Alice" }])
)

export const identity = Command.make("identity").pipe(
  Command.withDescription("Read and set identities"),
  Command.withSubcommands([get, set])
)
