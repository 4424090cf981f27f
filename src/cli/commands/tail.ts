/** `tail`: the command. What it does is in `follow.ts`. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { clientFlags, lookFirst, parseChat, withClient } from "../account.ts"
import { drainsOnSignal } from "../exit.ts"
import * as Settings from "../settings.ts"

export const tail = Command.make(
  "tail",
  {
    ...clientFlags,
    resume: Settings.option({
      name: "resume",
      metavar: "ID",
      description: "Print first what came after this `event_id` of the same node, as --json prints it",
      parse: Settings.text
    }),
    events: Settings.option({
      name: "events",
      metavar: "NUMBER",
      description: "End after so many events (default: never)",
      parse: Settings.int(1, 1_000_000_000)
    }),
    chat: Argument.String("chat").pipe(
      Argument.withDescription("Only this conversation: an address, or a group's id"),
      Argument.variadic({ max: 1 })
    )
  },
  Effect.fnUntraced(function*({ chat, events, resume, ...flags }) {
    const [only] = yield* Effect.forEach(chat, parseChat)
    const { follow } = yield* Effect.promise(() => import("../follow.ts"))
    yield* drainsOnSignal
    yield* withClient(flags, (client) =>
      Effect.gen(function*() {
        yield* lookFirst(flags, client, only)
        yield* follow(client, { json: flags.json, chat: only, resume, events })
      }))
  })
).pipe(
  Command.withDescription(
    "Print what happens, as it happens: messages, changes of groups, read marks and identities, a line each; of all your "
      + "conversations or of one. Nothing is marked as read. A lost connection is made again, at one of the nodes of --also if "
      + "the first stays away, and what was missed is printed then. Ctrl-C ends it.\n\n"
      + "With --json an event a line: its `type` (message, membership, read, identity; reset: read marks, members and "
      + "identities may have changed unseen), its data as the node's API documents them (MessageEvent, MembershipEvent, "
      + "ReadEvent, Identity), and its `event_id`, unless it was read from a history after a gap."
  ),
  Command.withShortDescription("Print messages and events as they come"),
  Command.withExamples([
    { command: "p2p-mes tail" },
    { command: "p2p-mes tail --events 1 --json", description: "Wait for the next event" },
    { command: "p2p-mes tail --json | jq -r 'select(.type == \"message\") | .message.content'" },
    {
      command: "p2p-mes tail --also http://192.0.2.7:4280 0x1563915e194d8cfba1943570603f7606a3115508",
      description: "Follow one conversation, at a second node when the first is gone"
    }
  ])
)
