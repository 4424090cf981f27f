/** `send`, `inbox` and `read`. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { readFileSync } from "node:fs"
import type { Conversation, Message } from "../../client/values.ts"
import { isWellFormed, toText } from "../../domain/bytes.ts"
import * as Hlc from "../../domain/hlc.ts"
import type { Address } from "../../domain/ids.ts"
import { msgTypeMax } from "../../domain/limits.ts"
import { clientFlags, limitFlag, parseChat, waitFlag, waitOf, withClient } from "../account.ts"
import { failure, usage } from "../failure.ts"
import { shortId } from "../names.ts"
import { clockTime, excerpt, note, print, printJson, withPrefixes } from "../output.ts"
import * as Settings from "../settings.ts"
import { bold, faint, green } from "../terminal/colour.ts"
import { harmless } from "../terminal/harmless.ts"

const chatArgument = Argument.String("chat").pipe(
  Argument.withDescription("An address (a direct conversation) or a group's id")
)

/** Standard input as bytes. */
export const readStdin = Effect.try({
  try: () => new Uint8Array(readFileSync(0)),
  catch: (cause) => failure(`cannot read standard input: ${(cause as Error).message}`)
})

const stdinText = Effect.flatMap(readStdin, (bytes) => {
  const text = toText(bytes)
  return text === undefined
    ? Effect.fail(failure("standard input is no UTF-8 text"))
    : Effect.succeed(text.replace(/\r?\n$/, ""))
})

export const send = Command.make(
  "send",
  {
    ...clientFlags,
    wait: waitFlag,
    type: Settings.option({
      name: "type",
      metavar: "NUMBER",
      description: `Message type, 0 to ${msgTypeMax}: for the reader's program to interpret (default: 0)`,
      parse: Settings.int(0, msgTypeMax)
    }),
    to: Argument.String("to").pipe(Argument.withDescription("An address, or a group's id")),
    text: Argument.String("text").pipe(
      Argument.withDescription("The text; several words are joined; - reads standard input"),
      Argument.variadic({ min: 1 })
    )
  },
  Effect.fnUntraced(function*({ text, to, type, wait, ...flags }) {
    const chat = yield* parseChat(to)
    const content = text.length === 1 && text[0] === "-" ? yield* stdinText : text.join(" ")
    if (content === "") return yield* usage("the text is empty: is a variable of your shell not set?")
    if (!isWellFormed(content)) return yield* usage("the text is not well formed Unicode")
    const message = { content, ...(type === undefined ? {} : { msg_type: type }) }
    const sent = yield* withClient(flags, (client) => client.send(chat, message, waitOf(wait)))
    if (flags.json) return yield* printJson(withPrefixes(sent))
    yield* print(`${green(sent.committed ? "sent" : "accepted")} 0x${sent.msg_id}`)
  })
).pipe(
  Command.withDescription("Send a message to a user or a group"),
  Command.withShortDescription("Send a message"),
  Command.withExamples([
    { command: "p2p-mes send 0x1563915e194d8cfba1943570603f7606a3115508 hello there" },
    { command: "date | p2p-mes send 0x1563915e194d8cfba1943570603f7606a3115508 -", description: "Send standard input" },
    { command: "p2p-mes send 0x1563915e194d8cfba1943570603f7606a3115508 -- --not-a-flag" }
  ])
)

const conversationLine = (self: Address, conversation: Conversation): string => {
  const { chat_id, kind, newest, peer, title, unread, unread_capped } = conversation
  const count = `${unread}${unread_capped === true ? "+" : ""} unread`.padStart(11)
  const time = newest === null ? " ".repeat(19) : clockTime(Hlc.physicalMs(newest.hlc))
  const name = kind === "dm" ? `0x${peer}` : `0x${chat_id}`
  const titled = title === undefined ? "" : ` ${bold(excerpt(title, 40))}`
  const who = newest === null
    ? ""
    : newest.sender === self
    ? "you: "
    : kind === "dm"
    ? ""
    : `${shortId(newest.sender)}: `
  const last = newest === null ? faint("no messages") : `${who}${excerpt(newest.content, 60)}`
  return `${unread > 0 ? bold(count) : faint(count)}  ${faint(time)}  ${name}${titled}\n${" ".repeat(34)}${last}`
}

export const inbox = Command.make(
  "inbox",
  { ...clientFlags, limit: limitFlag },
  Effect.fnUntraced(function*({ limit, ...flags }) {
    const { self, conversations } = yield* withClient(
      flags,
      (client) =>
        client.conversationsAll({ limit }).pipe(
          Stream.take(limit),
          Stream.runCollect,
          Effect.map((conversations) => ({ conversations, self: client.address }))
        )
    )
    if (!flags.json && conversations.length === 0) return yield* note("no conversations yet")
    for (const conversation of conversations) {
      yield* flags.json ? printJson(withPrefixes(conversation)) : print(conversationLine(self, conversation))
    }
  })
).pipe(
  Command.withDescription("Your conversations, newest activity first, with what is unread"),
  Command.withShortDescription("Your conversations")
)

const messageText = (self: Address, { content, hlc, msg_type, sender }: Message): string => {
  const who = sender === self ? faint("you".padStart(13)) : bold(shortId(sender))
  const kind = msg_type === 0 ? "" : faint(`[type ${msg_type}] `)
  return `${faint(clockTime(Hlc.physicalMs(hlc)))}  ${who}  ${kind}${harmless(content, " ".repeat(36))}`
}

export const read = Command.make(
  "read",
  {
    ...clientFlags,
    limit: limitFlag,
    all: Settings.toggle("all", "Print the whole conversation"),
    peek: Settings.toggle("peek", "Do not mark the conversation as read"),
    chat: chatArgument
  },
  Effect.fnUntraced(function*({ all, chat, limit, peek, ...flags }) {
    const place = yield* parseChat(chat)
    yield* withClient(
      flags,
      Effect.fnUntraced(function*(client) {
        let newest: Hlc.Hlc | undefined
        const show = Effect.fnUntraced(function*(message: Message) {
          newest = newest === undefined ? message.hlc : Hlc.max(newest, message.hlc)
          yield* flags.json ? printJson(withPrefixes(message)) : print(messageText(client.address, message))
        })
        // an empty cursor is the start of the conversation
        if (all) yield* Stream.runForEach(client.historyAll(place, { after: "", limit: 500 }), show)
        else {
          const page = yield* client.history(place, { limit })
          if (!flags.json && page.next !== null) yield* note(`… older messages: --limit or --all`)
          yield* Effect.forEach([...page.messages].reverse(), show)
        }
        if (newest === undefined) {
          if (!flags.json) yield* note("no messages")
        } else if (!peek) yield* client.markRead(place, newest)
      })
    )
  })
).pipe(
  Command.withDescription("Print a conversation, oldest first, and mark it as read"),
  Command.withShortDescription("Print a conversation and mark it as read"),
  Command.withExamples([
    { command: "p2p-mes read 0x1563915e194d8cfba1943570603f7606a3115508" },
    { command: "p2p-mes read --all --json 0x1563915e194d8cfba1943570603f7606a3115508 > chat.jsonl" }
  ])
)
