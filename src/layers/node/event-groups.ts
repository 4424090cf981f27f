/**
 * What an op makes of messages that are there already: an op that lands among them may show some that were hidden (SPEC
 * §5.1, §8). Both the telling of what is committed and the reading of what was missed ask this.
 */
import * as Effect from "effect/Effect"
import type * as Hlc from "../../domain/hlc.ts"
import { Membership } from "../../domain/membership.ts"
import { type Message, type Op, opTypes } from "../../domain/record.ts"
import type { Arrival, Header, Store, StoreError } from "../../services/Store.ts"

/** Messages looked at above one op. Where there are more, listeners read anew. */
const aboveMax = 5_000
/** Messages that one op may show as events. */
const shownMax = 500

/** The fold of some ops of a group. */
export const foldOf = (ops: ReadonlyArray<Op>, chatId: Op["chatId"]): Membership => {
  const membership = new Membership(chatId)
  membership.insert(ops)
  return membership
}

/**
 * Takes `op`, the arrival `at`, into `before`, and gives the messages that came before it, stamped at or above `floor`, which
 * it shows; "too many" when they are not for events. `after`: the fold with the op in it where it is known, else undefined.
 */
export const shownBy = Effect.fnUntraced(function*(
  store: Store["Service"],
  op: Op,
  at: Arrival,
  floor: Hlc.Hlc,
  before: Effect.Effect<Membership, StoreError>,
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
  // nearly always there is none, and no fold is made
  const candidates = after === undefined ? came : came.filter(isShown(after))
  if (candidates.length === 0 && after !== undefined) return []
  const membership = yield* before
  const hidden = candidates.filter((header) => !isShown(membership)(header))
  membership.insert([op])
  const shown = hidden.filter(isShown(membership))
  if (shown.length === 0) return []
  if (above.length > aboveMax || shown.length > shownMax) return "too many"
  return yield* store.messages(shown.map(({ position }) => position.id))
})
