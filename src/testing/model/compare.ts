/**
 * What is shown against what must be shown, and the name of what is wrong. Each kind of wrong has an oracle of its own:
 * `order`, `hidden`, `content`, `unread`, `inbox`, `members`, `admin`, `addwins`, `identity`.
 */
import type { ChatId } from "../../domain/ids.ts"
import { roles } from "../../domain/record.ts"
import { undisputed } from "./fold.ts"
import type { ModelViews, ShownChat, ShownMembers, ShownMessage } from "./views.ts"

/** Takes what is wrong: the oracle, and what it saw. */
export type Report = (oracle: string, text: string) => void

const short = (id: string): string => id.slice(0, 8)
const named = (ids: ReadonlyArray<string>): string => ids.map(short).join(" ")

/** Two texts from where they begin to differ. */
export const apart = (is: string, must: string): string => {
  let at = 0
  while (at < is.length && is[at] === must[at]) at++
  const from = Math.max(0, at - apartBefore)
  return `…${is.slice(from, at + apartAfter)}, and not …${must.slice(from, at + apartAfter)}`
}
/** Characters that are told before the first difference of two texts, and after it. */
const apartBefore = 20
const apartAfter = 60

const isBelow = (a: ShownMessage, b: ShownMessage): boolean => a.hlc < b.hlc || (a.hlc === b.hlc && a.id < b.id)

/** Why a message may not be in this chat's history. */
const reasonOf = (model: ModelViews, chatId: ChatId, id: string): string => {
  const stored = model.messages(chatId).find((message) => message.id === id)
  return stored === undefined ? "this chat has no such record" : model.hidden(stored) ?? "it is not for this reader"
}

/**
 * A whole history, read in one direction, against what must be shown, oldest first.
 */
export const compareHistory = (
  model: ModelViews,
  chatId: ChatId,
  asked: { readonly direction: "before" | "after"; readonly name: string },
  expected: ReadonlyArray<ShownMessage>,
  found: ReadonlyArray<ShownMessage>,
  report: Report
): void => {
  const last = expected.length - 1
  const isBackward = asked.direction === "before"
  if (
    found.length === expected.length &&
    found.every(({ text }, i) => text === expected[isBackward ? last - i : i]!.text)
  ) return
  const name = `${asked.name}, ${asked.direction}`
  const wanted = new Map(expected.map((message) => [message.id, message]))
  const met = new Set<string>()
  for (const [i, message] of found.entries()) {
    const before = found[i - 1]
    if (before !== undefined && !(isBackward ? isBelow(message, before) : isBelow(before, message))) {
      report("order", `${name}: ${short(message.id)} comes after ${short(before.id)}`)
    }
    if (met.has(message.id)) report("order", `${name}: ${short(message.id)} comes twice`)
    met.add(message.id)
    const right = wanted.get(message.id)
    if (right === undefined) {
      report("hidden", `${name}: shows ${short(message.id)}, but ${reasonOf(model, chatId, message.id)}`)
    } else if (right.text !== message.text) {
      report("content", `${name}: ${short(message.id)} is ${apart(message.text, right.text)}`)
    }
  }
  const missing = expected.filter(({ id }) => !met.has(id))
  if (missing.length > 0) {
    report(
      "hidden",
      `${name}: ${missing.length} of ${expected.length} not shown: ${named(missing.map(({ id }) => id))}`
    )
  }
}

const sameLine = (a: ShownChat, b: ShownChat): boolean =>
  a.chatId === b.chatId && a.unread === b.unread && a.capped === b.capped && a.newest?.text === b.newest?.text &&
  a.peer === b.peer && a.title === b.title

/** A whole inbox. */
export const compareInbox = (
  name: string,
  expected: ReadonlyArray<ShownChat>,
  found: ReadonlyArray<ShownChat>,
  report: Report
): void => {
  if (found.length === expected.length && found.every((line, i) => sameLine(line, expected[i]!))) return
  const wanted = new Map(expected.map((line) => [line.chatId, line]))
  const met = new Set<string>()
  for (const line of found) {
    const chat = `${name}: ${short(line.chatId)}`
    if (met.has(line.chatId)) report("inbox", `${chat} comes twice`)
    met.add(line.chatId)
    const right = wanted.get(line.chatId)
    if (right === undefined) {
      report("inbox", `${chat} is in it and must not be`)
      continue
    }
    if (line.unread !== right.unread || line.capped !== right.capped) {
      const told = ({ capped, unread }: ShownChat) => `${unread}${capped ? "+" : ""}`
      report("unread", `${chat} says ${told(line)}, counted are ${told(right)}`)
    }
    if (line.newest?.text !== right.newest?.text) {
      const told = ({ newest }: ShownChat) => newest?.text ?? "none"
      report("inbox", `${chat} shows as newest ${apart(told(line), told(right))}`)
    }
    if (line.peer !== right.peer || line.title !== right.title) {
      const told = ({ peer, title }: ShownChat) => `peer ${peer}, title ${JSON.stringify(title)}`
      report("inbox", `${chat} has ${told(line)}, and not ${told(right)}`)
    }
  }
  const missing = expected.filter(({ chatId }) => !met.has(chatId))
  if (missing.length > 0) report("inbox", `${name}: lacks ${named(missing.map(({ chatId }) => chatId))}`)
  const order = (lines: ReadonlyArray<ShownChat>) => named(lines.map(({ chatId }) => chatId))
  if (missing.length === 0 && found.length === expected.length && order(found) !== order(expected)) {
    report("inbox", `${name}: in the order ${order(found)}, and not ${order(expected)}`)
  }
}

const memberText = ({ address, role, since }: ShownMembers["members"][number]): string =>
  `${short(address)} ${role === roles.admin ? "admin" : "member"} since ${since.toString(16)}`

/** The members of a group. Two of the checks need no fold of the whole: of its own words, and of what no removal named. */
export const compareMembers = (
  model: ModelViews,
  chatId: ChatId,
  name: string,
  expected: ShownMembers,
  found: ShownMembers,
  report: Report
): void => {
  if (found.members.length > 0 && !found.members.some(({ role }) => role === roles.admin)) {
    report("admin", `${name}: ${found.members.length} members and no admin`)
  }
  const given = new Set(undisputed(model.group(chatId)).map(({ target }) => target as string))
  for (const { address } of found.members) given.delete(address)
  for (const address of given) {
    report("addwins", `${name}: ${short(address)} was added, no removal has seen that, and is no member`)
  }
  if (found.chatId !== expected.chatId) report("members", `${name}: of another group, ${short(found.chatId)}`)
  if (found.title !== expected.title) {
    report("members", `${name}: title ${JSON.stringify(found.title)}, and not ${JSON.stringify(expected.title)}`)
  }
  const is = found.members.map(memberText)
  const must = expected.members.map(memberText)
  const sorted = is.toSorted()
  if (sorted.join() !== must.toSorted().join()) report("members", `${name}: ${is.join(", ")}; not ${must.join(", ")}`)
}
