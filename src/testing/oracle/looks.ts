/**
 * Single looks at what one user is shown at one node, each held against the model: lists page by page to their end, in both
 * directions, and every refusal that is due.
 */
import * as Effect from "effect/Effect"
import type { Hashes } from "../../domain/hashing.ts"
import type { ChatId } from "../../domain/ids.ts"
import { pageMax } from "../../domain/limits.ts"
import type { Record } from "../../domain/record.ts"
import type { Place } from "../../services/Ingest.ts"
import type { NodeServices, SimulatedNode } from "../cluster.ts"
import { apart, compareHistory, compareInbox, compareMembers, type Report } from "../model/compare.ts"
import { type Denied, isDenied, type ModelViews } from "../model/views.ts"
import type { Finding } from "../observer.ts"
import type { Random } from "../random.ts"
import { directPlace, type User } from "../users.ts"
import type { Cursor, PageAsked, Seen, SeenPage, Window } from "./windows.ts"

/** Pages that are read of one list: a cursor that goes in circles ends here. */
const pagesMax = 1_000
/** Findings of one kind that one look tells in full. */
const toldMax = 5
/** Pages that a sample reads of one list. */
const samplePagesMax = 4
/**
 * Refusals for reasons that pass, by how they begin. Times of requests are fresh, but a node whose clock was set back takes
 * none from before its start, and calls them replayed.
 */
const passing = /^(Overloaded|RateLimited|Unauthenticated (expired|replayed))/

/** All that a look at one node has at hand. */
export class Look {
  readonly findings: Array<Finding> = []
  readonly model: ModelViews
  readonly window: Window<NodeServices>
  readonly #node: SimulatedNode
  readonly #counts = new Map<string, number>()
  /** Some answer was that the node is busy. */
  isBusy = false

  constructor(node: SimulatedNode, model: ModelViews, window: Window<NodeServices>) {
    this.#node = node
    this.model = model
    this.window = window
  }

  readonly report: Report = (oracle, text) => {
    const count = (this.#counts.get(oracle) ?? 0) + 1
    this.#counts.set(oracle, count)
    if (count <= toldMax) this.findings.push(finding(this.#node, oracle, `${this.window.name}: ${text}`))
  }

  /** What was shown; `undefined` when it was refused, which is told unless it is as it must be. */
  shown<A>(name: string, seen: Seen<A>, expected: Denied | undefined): A | undefined {
    if (seen._tag === "Refused" && passing.test(seen.why)) {
      this.isBusy = true
      return undefined
    }
    const was = seen._tag === "Refused" ? seen.why : undefined
    if (was !== expected) this.report("access", `${name}: ${was ?? "shown"}, must be ${expected ?? "shown"}`)
    return seen._tag === "Refused" ? undefined : seen.value
  }
}

export const finding = (node: SimulatedNode, oracle: string, text: string): Finding => ({
  oracle,
  atMs: node.cluster.trace.nowMs,
  text: `${node.name}: ${text}`
})

/** Reads a list to its end; `undefined` when its first page is refused. */
const wholeList = Effect.fnUntraced(function*<A>(
  look: Look,
  name: string,
  limit: number,
  expected: Denied | undefined,
  ask: (from: Cursor | undefined) => Effect.Effect<Seen<SeenPage<A>>, never, NodeServices>
) {
  const all: Array<A> = []
  let from: Cursor | undefined
  for (let pages = 0; pages < pagesMax; pages++) {
    const page = look.shown(name, yield* ask(from), expected)
    if (page === undefined) return pages === 0 ? undefined : all
    if (page.items.length > limit) look.report("order", `${name}: a page of ${page.items.length}, asked for ${limit}`)
    all.push(...page.items)
    from = page.next
    if (from === undefined) return all
  }
  look.report("order", `${name}: no end after ${pagesMax} pages`)
  return all
})

/** A limit with which a list of this length takes so many pages, or more where a node gives no longer ones. */
const limitFor = (length: number, pages: number): number => Math.min(pageMax, Math.max(1, Math.ceil(length / pages)))

export const nameOf = (user: User, place: Place): string => `${place.kind} ${place.chatId.slice(0, 8)} for ${user.name}`

const lookAtHistory = Effect.fnUntraced(function*(
  look: Look,
  user: User,
  place: Place,
  asked: Pick<PageAsked, "direction" | "limit">
) {
  const name = `history of ${nameOf(user, place)}`
  const expected = look.model.history(user.address, place)
  const denied = isDenied(expected) ? expected : undefined
  const found = yield* wholeList(
    look,
    name,
    asked.limit,
    denied,
    (from) => look.window.history(user, place, { ...asked, from })
  )
  if (isDenied(expected) || found === undefined || look.isBusy) return
  const { direction } = asked
  compareHistory(look.model, place.chatId, { direction, name }, expected, found, look.report)
})

const lookAtInbox = Effect.fnUntraced(function*(look: Look, user: User, pages: number) {
  const name = `inbox of ${user.name}`
  const expected = look.model.inbox(user.address)
  const limit = limitFor(expected.length, pages)
  const found = yield* wholeList(look, name, limit, undefined, (from) => look.window.inbox(user, { from, limit }))
  if (found !== undefined && !look.isBusy) compareInbox(name, expected, found, look.report)
})

const lookAtMembers = Effect.fnUntraced(function*(look: Look, user: User, chatId: ChatId) {
  const name = `members of ${nameOf(user, { kind: "group", chatId })}`
  const expected = look.model.members(user.address, chatId)
  const seen = yield* look.window.members(user, chatId)
  const found = look.shown(name, seen, isDenied(expected) ? expected : undefined)
  if (found !== undefined && !isDenied(expected)) {
    compareMembers(look.model, chatId, name, expected, found, look.report)
  }
})

const lookAtIdentity = Effect.fnUntraced(function*(look: Look, reader: User, user: User) {
  const name = `identity of ${user.name}`
  const expected = look.model.identity(user.address)
  const seen = yield* look.window.identity(reader, user.address)
  const found = look.shown(name, seen, isDenied(expected) ? expected : undefined)
  if (found === undefined || isDenied(expected)) return
  if (found.address !== expected.address || found.blob !== expected.blob || found.hlc !== expected.hlc) {
    const told = ({ address, blob, hlc }: typeof found) => `${address.slice(0, 8)} ${blob} ${hlc.toString(16)}`
    look.report("identity", `${name}: ${told(found)}, and not ${told(expected)}`)
  }
})

/** One message by its id, in the place that it is asked for in, which need not be its own. */
const lookAtMessage = Effect.fnUntraced(function*(look: Look, user: User, place: Place, message: Record) {
  if (message.kind !== "message") return
  const { model } = look
  const name = `message ${message.id.slice(0, 8)} in ${nameOf(user, place)}`
  const isThere = message.chatId === place.chatId && model.hidden(message) === undefined
  const denied = model.denied(user.address, place) ?? (isThere ? undefined : "NotFound")
  const found = look.shown(name, yield* look.window.message(user, place, message.id), denied)
  const { text } = model.text(message)
  if (found !== undefined && isThere && found.text !== text) {
    look.report("content", `${name}: ${apart(found.text, text)}`)
  }
})

const unknownGroup = "ee".repeat(32) as ChatId

/** The chats that there are for a user, and a group that nobody knows. */
export const placesOf = (model: ModelViews, user: User): ReadonlyArray<Place> => [
  ...model.dialogs(user.address),
  ...[...model.groups, unknownGroup].map((chatId): Place => ({ kind: "group", chatId }))
]

export interface Thoroughness {
  /** Pages that a list is read in: a history so in one direction, and in the other as far as a page goes. */
  readonly pages: number
  /** One place in so many is looked at; 1: each. */
  readonly every: number
  /** Which places, and which direction, go first. */
  readonly turn: number
}

/** What a user can see: inbox, identity, places. Identities are read by `reader`. */
export const lookAtAll = Effect.fnUntraced(
  function*(look: Look, user: User, reader: User, { every, pages, turn }: Thoroughness) {
    const { model } = look
    yield* lookAtInbox(look, user, pages)
    yield* lookAtIdentity(look, reader, user)
    for (const [i, place] of placesOf(model, user).entries()) {
      if (look.isBusy) return
      if ((i + turn) % every !== 0) continue
      const count = model.shown(place.chatId).length
      const isBackward = (i + turn) % 2 === 0
      const [paged, whole] = [limitFor(count, pages), limitFor(count + 1, 1)]
      const denied = model.denied(user.address, place) !== undefined
      yield* lookAtHistory(look, user, place, { direction: "before", limit: isBackward ? paged : whole })
      if (!denied) yield* lookAtHistory(look, user, place, { direction: "after", limit: isBackward ? whole : paged })
      if (place.kind === "group") yield* lookAtMembers(look, user, place.chatId)
      const hidden = model.messages(place.chatId).findLast((message) => model.hidden(message) !== undefined)
      if (hidden !== undefined && !denied) yield* lookAtMessage(look, user, place, hidden)
    }
  }
)

/** A little of what one user can see: a few reads. */
export const lookAtSome = Effect.fnUntraced(function*(
  look: Look,
  users: ReadonlyArray<User>,
  random: Random,
  hashes: Hashes
) {
  const { model } = look
  const user = random.pick(users)
  const what = random.weighted<"inbox" | "identity" | "place">([[2, "inbox"], [1, "identity"], [7, "place"]])
  if (what === "inbox") return yield* lookAtInbox(look, user, random.between(1, samplePagesMax))
  if (what === "identity") return yield* lookAtIdentity(look, user, random.pick(users))
  const known = placesOf(model, user)
  // a peer with whom she may never have written
  const place = random.chance(0.15) ? directPlace(hashes, user, random.pick(users)) : random.pick(known)
  yield* lookAtHistory(look, user, place, {
    direction: random.pick(["before", "after"]),
    limit: limitFor(model.shown(place.chatId).length, random.between(1, samplePagesMax))
  })
  if (place.kind === "group") yield* lookAtMembers(look, user, place.chatId)
  // a message of this place, or of another
  const chatId = random.chance(0.5) ? place.chatId : random.pick(known).chatId
  const messages = model.messages(chatId)
  if (messages.length > 0) yield* lookAtMessage(look, user, place, random.pick(messages))
})
