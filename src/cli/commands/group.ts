/** `group …`: membership. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import type { OpTaken } from "../../client/values.ts"
import { physicalMs } from "../../domain/hlc.ts"
import { clientFlags, parseAddress, parseGroup, waitFlag, waitOf, withClient } from "../account.ts"
import { clockTime, excerpt, print, printJson, withPrefixes } from "../output.ts"
import * as Settings from "../settings.ts"
import { bold, faint } from "../terminal/colour.ts"

const groupArgument = Argument.String("group").pipe(Argument.withDescription("The group's id"))
const member = Argument.String("member").pipe(Argument.withDescription("An address"))
const writeFlags = { ...clientFlags, wait: waitFlag }

const report = (json: boolean, taken: OpTaken, text: string): Effect.Effect<void> =>
  json ? printJson(withPrefixes(taken)) : print(text)

const create = Command.make(
  "create",
  {
    ...writeFlags,
    title: Settings.option({
      name: "title",
      metavar: "TEXT",
      description: "Title of the new group, up to 128 bytes",
      parse: Settings.text
    }),
    members: Argument.variadic(member)
  },
  Effect.fnUntraced(function*({ members, title, wait, ...flags }) {
    const targets = yield* Effect.forEach(members, parseAddress)
    const taken = yield* withClient(flags, (client) => client.groups.create(targets, { title, ...waitOf(wait) }))
    yield* report(flags.json, taken, `0x${taken.chat_id}`)
  })
).pipe(
  Command.withDescription("Create a group with you as its first admin, and print its id"),
  Command.withExamples([{ command: "p2p-mes group create --title plan 0x1563915e194d8cfba1943570603f7606a3115508" }])
)

const add = Command.make(
  "add",
  {
    ...writeFlags,
    admin: Settings.toggle("admin", "As admins; members already there become admins"),
    group: groupArgument,
    members: Argument.variadic(member, { min: 1 })
  },
  Effect.fnUntraced(function*({ admin, group, members, wait, ...flags }) {
    const chatId = yield* parseGroup(group)
    const targets = yield* Effect.forEach(members, parseAddress)
    const role = admin ? "admin" : "member"
    const taken = yield* withClient(flags, (client) => client.groups.add(chatId, targets, { role, ...waitOf(wait) }))
    yield* report(flags.json, taken, `added ${targets.length} as ${role}`)
  })
).pipe(Command.withDescription("Add members, or change their role. Without --admin an admin becomes a member."))

const remove = Command.make(
  "remove",
  { ...writeFlags, group: groupArgument, members: Argument.variadic(member, { min: 1 }) },
  Effect.fnUntraced(function*({ group, members, wait, ...flags }) {
    const chatId = yield* parseGroup(group)
    const targets = yield* Effect.forEach(members, parseAddress)
    const taken = yield* withClient(flags, (client) => client.groups.remove(chatId, targets, waitOf(wait)))
    yield* report(flags.json, taken, `removed ${targets.length}`)
  })
).pipe(Command.withDescription("Remove members"))

const title = Command.make(
  "title",
  {
    ...writeFlags,
    group: groupArgument,
    text: Argument.String("text").pipe(
      Argument.withDescription("The new title; several words are joined; none clears it"),
      Argument.variadic()
    )
  },
  Effect.fnUntraced(function*({ group, text, wait, ...flags }) {
    const chatId = yield* parseGroup(group)
    const taken = yield* withClient(flags, (client) => client.groups.setTitle(chatId, text.join(" "), waitOf(wait)))
    yield* report(flags.json, taken, text.length === 0 ? "title cleared" : "title set")
  })
).pipe(Command.withDescription("Set or clear the title"))

const members = Command.make(
  "members",
  { ...clientFlags, group: groupArgument },
  Effect.fnUntraced(function*({ group, ...flags }) {
    const chatId = yield* parseGroup(group)
    const { members, title } = yield* withClient(flags, (client) => client.groups.members(chatId))
    if (flags.json) return yield* Effect.forEach(members, (each) => printJson(withPrefixes(each)), { discard: true })
    if (title !== "") yield* print(bold(excerpt(title, 128)))
    for (const { address, role, since } of members) {
      yield* print(`0x${address}  ${role.padEnd(6)}  ${faint(`since ${clockTime(physicalMs(since))}`)}`)
    }
  })
).pipe(Command.withDescription("Who is in a group, and since when"))

const leave = Command.make(
  "leave",
  { ...writeFlags, group: groupArgument },
  Effect.fnUntraced(function*({ group, wait, ...flags }) {
    const chatId = yield* parseGroup(group)
    const taken = yield* withClient(flags, (client) => client.groups.leave(chatId, waitOf(wait)))
    yield* report(flags.json, taken, "left")
  })
).pipe(Command.withDescription("Leave a group"))

export const group = Command.make("group").pipe(
  Command.withDescription("Create and change groups"),
  Command.withSubcommands([create, add, remove, title, members, leave])
)
