/** `chat`: the command. The conversation itself is in `../chat`. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import { accountFlags, lookFirst, parseChat, withClients } from "../account.ts"
import { usage } from "../failure.ts"
import { note } from "../output.ts"
import { paints, red } from "../terminal/colour.ts"
import { harmlessLine } from "../terminal/harmless.ts"

const load = Effect.promise(async () => ({
  ...await import("../chat/session.ts"),
  ...await import("../terminal/full-screen.ts")
}))

export const chat = Command.make(
  "chat",
  { ...accountFlags, to: Argument.String("to").pipe(Argument.withDescription("An address, or a group's id")) },
  Effect.fnUntraced(function*({ to, ...flags }) {
    const place = yield* parseChat(to)
    const { converse, hangup, isPossible, takeOver } = yield* load
    if (!isPossible()) {
      return yield* usage("chat needs a terminal; follow with `p2p-mes tail`, write with `p2p-mes send`")
    }
    const unsent = yield* withClients(flags, (clients) =>
      Effect.gen(function*() {
        yield* lookFirst(flags, clients.first, place)
        return yield* Effect.flatMap(takeOver, (screen) =>
          Effect.raceFirst(
            converse(screen, clients, place, flags.node, paints(process.stdout)),
            Effect.as(hangup, [])
          )).pipe(
            Effect.scoped,
            // a line of a log would spoil the screen
            Effect.provideService(References.MinimumLogLevel, "None")
          )
      }))
    for (const { content, reason, state } of unsent) {
      const why = state === "failed" ? reason : "there was no answer yet; look with `p2p-mes read`"
      yield* note(`${red("not sent:", process.stderr)} ${harmlessLine(content)} (${harmlessLine(why)})`)
    }
  })
).pipe(
  Command.withDescription(
    "Talk with a user or a group, on the whole terminal. What is shown is marked as read.\n\n"
      + "Enter sends; Alt-Enter or Ctrl-J starts a new line. PgUp and PgDn go through the history, Esc to its end. Ctrl-R sends "
      + "again what was not sent. Arrow keys, Home, End, Ctrl-A/E/B/F/W/U/K and Alt-B/F/D edit as in a shell. Ctrl-L draws "
      + "everything anew, Ctrl-Z gives the terminal back to the shell until `fg`. Ctrl-C, or Ctrl-D in an empty line, leaves.\n\n"
      + "… is on its way, ✓ a node has it, ✗ was not sent. With --also, another node is turned to when the first is gone."
  ),
  Command.withShortDescription("Talk with a user or a group on the whole terminal"),
  Command.withExamples([{ command: "p2p-mes chat 0x1563915e194d8cfba1943570603f7606a3115508" }])
)
