/** All that users can see at a node, as text that can be compared: inboxes, pages, members, identities. */
import * as Effect from "effect/Effect"
import type * as Ids from "../domain/ids.ts"
import type { Place } from "../services/Ingest.ts"
import type { Position } from "../services/Store.ts"
import { Views } from "../services/Views.ts"

/** Small, so that histories have several pages. */
const pageLimit = 7
const inboxLimit = 3
/** Pages that are read of one list: a cursor that goes in circles ends here. */
const pagesMax = 1_000

/** Keys in order: a record that was decoded has them in another than one that was made here. */
const text = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) =>
    typeof each === "bigint"
      ? each.toString(16)
      : each instanceof Uint8Array
      ? each.toHex()
      : typeof each === "object" && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => a < b ? -1 : 1))
      : each)

/** An answer or a refusal, as text. A failed read is an answer too: nodes must refuse alike. */
const told = <A, E extends { readonly _tag: string }, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<string, never, R> => Effect.match(effect, { onSuccess: text, onFailure: (error) => error._tag })

const inbox = Effect.fnUntraced(function*(user: Ids.Address) {
  const views = yield* Views
  const all: Array<unknown> = []
  type Page = Effect.Success<ReturnType<Views["Service"]["conversations"]>>
  let after: Page["next"]
  for (let pages = 0; pages < pagesMax; pages++) {
    const page: Page = yield* views.conversations(user, { after, limit: inboxLimit })
    all.push(...page.conversations)
    after = page.next
    if (after === undefined) return all
  }
  return all
})

const history = Effect.fnUntraced(function*(user: Ids.Address, place: Place, direction: "before" | "after") {
  const views = yield* Views
  const all: Array<unknown> = []
  type Page = Effect.Success<ReturnType<Views["Service"]["history"]>>
  let from: Position | undefined
  for (let pages = 0; pages < pagesMax; pages++) {
    const page: Page = yield* views.history(user, place, { direction, from, limit: pageLimit })
    all.push(...page.messages)
    if (page.next === undefined || page.messages.length === 0) return all
    from = page.next
  }
  return all
})

/** What each user sees at the node that runs this, by the name of the view. */
export const viewsOf = Effect.fnUntraced(function*(
  users: ReadonlyArray<Ids.Address>,
  groups: ReadonlyArray<Ids.ChatId>
) {
  const views = yield* Views
  const seen = new Map<string, string>()
  for (const user of users) {
    const name = user.slice(0, 8)
    seen.set(`identity ${name}`, yield* told(views.identity(user)))
    const conversations = yield* Effect.result(inbox(user))
    if (conversations._tag === "Failure") {
      seen.set(`inbox ${name}`, conversations.failure._tag)
      continue
    }
    const chats = conversations.success as ReadonlyArray<{ readonly place: Place }>
    seen.set(`inbox ${name}`, text(chats))
    const direct = chats.flatMap(({ place }) => place.kind === "dm" ? [place] : [])
    for (const place of [...direct, ...groups.map((chatId): Place => ({ kind: "group", chatId }))]) {
      const chat = `${place.chatId.slice(0, 8)} for ${name}`
      for (const direction of ["before", "after"] as const) {
        seen.set(`${direction} ${chat}`, yield* told(history(user, place, direction)))
      }
      if (place.kind === "group") seen.set(`members ${chat}`, yield* told(views.members(user, place.chatId)))
    }
  }
  return seen
})
