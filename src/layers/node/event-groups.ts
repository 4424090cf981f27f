/**
 * What an op makes of messages that are there already: an op that lands among them may show some that were hidden (SPEC
 * §5.1, §8). Both the telling of what is committed and the reading of what was missed ask this.
 */
import * as Effect from "effect/Effect"
import type * as Hlc from "../../domain/hlc.ts"
import type { Address } from "../../domain/ids.ts"
import { Membership } from "../../domain/membership.ts"
import { type Message, type Op, opTypes } from "../../domain/record.ts"
import type { Arrival, Header, Store, StoreError } from "../../services/Store.ts"

/** Records read at a time. */
const pageRecords = 200
/** Ops of a user's groups that one look back takes in: folding takes time. */
const opsMax = 2_000
/** Ops and targets folded between two turns of the event loop: some milliseconds. */
const foldedAtOnce = 1_000
/** Messages looked at above one op. Where there are more, listeners read anew. */
const aboveMax = 5_000
/** Messages that one op may show as events. */
const shownMax = 500

/** What folding ops takes, in ops and targets. */
export const weightOf = (ops: ReadonlyArray<Op>): number =>
  ops.reduce((sum, { targets }) => sum + 1 + targets.length, 0)

/** The fold of some ops of a group, as the store gives them. */
export const foldOf = Effect.fnUntraced(function*(ops: ReadonlyArray<Op>, chatId: Op["chatId"]) {
  const membership = new Membership(chatId)
  for (let from = 0; from < ops.length;) {
    let to = from
    for (let weight = 0; to < ops.length && weight < foldedAtOnce; to++) weight += 1 + ops[to]!.targets.length
    membership.insert(ops.slice(from, to))
    from = to
    yield* Effect.yieldNow
  }
  return membership
})

/** The ops of a user's groups that arrived after one place and up to another; `undefined`: too many. */
export const opsIn = Effect.fnUntraced(function*(
  store: Store["Service"],
  user: Address,
  after: Arrival,
  upTo: Arrival
): Effect.fn.Return<ReadonlyArray<Op> | undefined, StoreError> {
  const ops: Array<Op> = []
  for (let seen = after; seen < upTo;) {
    const page = yield* store.arrivals({ user, after: seen, upTo, kinds: ["op"], limit: pageRecords })
    for (const { record } of page.arrived) if (record.kind === "op") ops.push(record)
    if (ops.length > opsMax) return undefined
    seen = page.seen
  }
  return ops
})

/** The group as it was before `op`, the arrival `at`; `undefined`: too many ops have come since. */
export const foldBefore = Effect.fnUntraced(function*(store: Store["Service"], op: Op, at: Arrival) {
  const ops = yield* store.ops(op.chatId)
  // asked after the ops: whichever of them came since is found
  const { last } = yield* store.arrivalLog
  const since = yield* opsIn(store, op.actor, at - 1, last)
  if (since === undefined) return undefined
  const isSince = new Set([op.id, ...since.map(({ id }) => id)])
  return yield* foldOf(ops.filter(({ id }) => !isSince.has(id)), op.chatId)
})

/**
 * Takes `op`, the arrival `at`, into `before`, and gives the messages that came before it, stamped at or above `floor`, which
 * it shows; "too many" when they are not for events, or not all of them could be looked at. `after`: the fold with the op in
 * it where it is known, else undefined.
 */
export const shownBy = Effect.fnUntraced(function*(
  store: Store["Service"],
  op: Op,
  at: Arrival,
  floor: Hlc.Hlc,
  before: Effect.Effect<Membership | undefined, StoreError>,
  after?: Membership
): Effect.fn.Return<ReadonlyArray<Message> | "too many", StoreError> {
  const from = op.hlc > floor ? op.hlc : floor
  const above = op.op === opTypes.setTitle ? [] : yield* store.headers({
    chatId: op.chatId,
    direction: "after",
    floor: from,
    limit: aboveMax + 1
  })
  const isShown = (membership: Membership) => ({ position, sender }: Header) =>
    membership.wasMemberAt(sender, position.hlc)
  const came = above.filter(({ arrival }) => arrival < at)
  // it landed among so many that others which it shows may lie higher
  const isCut = above.length > aboveMax && came.length > 0
  const candidates = after === undefined ? came : came.filter(isShown(after))
  if (after !== undefined) {
    if (isCut) return after.hadEffect(op.id) ? "too many" : []
    // nearly always there is none, and no fold is made
    if (candidates.length === 0) return []
  }
  const membership = yield* before
  if (membership === undefined) return "too many"
  const hidden = candidates.filter((header) => !isShown(membership)(header))
  membership.insert([op])
  if (isCut && membership.hadEffect(op.id)) return "too many"
  const shown = hidden.filter(isShown(membership))
  if (shown.length === 0) return []
  if (shown.length > shownMax) return "too many"
  return yield* store.messages(shown.map(({ position }) => position.id))
})
