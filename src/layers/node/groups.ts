/**
 * Groups in memory: a bounded cache of folds, least recently used first out. A group with ops that are not committed yet
 * stays, because the store could not give them back.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import { Authority } from "../../domain/authority.ts"
import type { ChatId } from "../../domain/ids.ts"
import { Membership } from "../../domain/membership.ts"
import { type Group, Groups } from "../../services/Groups.ts"
import { Store, type StoreError } from "../../services/Store.ts"
import { type Ticket, Writer } from "../../services/Writer.ts"

/** Ops held in memory over all groups, roughly, before the least used groups go. */
const opsCachedMax = 200_000
/** A group counts as this many ops more than it has. */
const opsOverhead = 8

interface Cached {
  readonly group: Group
  ops: number
  ticket: Ticket
}

export const layer = Layer.effect(
  Groups,
  Effect.gen(function*() {
    const store = yield* Store
    const writer = yield* Writer
    // in order of use: a Map keeps the order of insertion
    const cache = new Map<ChatId, Cached>()
    const loading = yield* Semaphore.make(1)
    let opsCached = 0

    const evict = () => {
      const { committed } = writer.stats()
      for (const [chatId, entry] of cache) {
        if (opsCached <= opsCachedMax) return
        if (entry.ticket > committed) continue
        cache.delete(chatId)
        opsCached -= entry.ops + opsOverhead
      }
    }

    const load = Effect.fnUntraced(function*(chatId: ChatId) {
      if (cache.has(chatId)) return
      const ops = yield* store.ops(chatId)
      const group: Group = { chatId, authority: new Authority(), membership: new Membership(chatId) }
      for (const op of ops) group.authority.add(op)
      group.membership.insert(ops)
      evict()
      cache.set(chatId, { group, ops: ops.length, ticket: 0 })
      opsCached += ops.length + opsOverhead
    })

    const use = <A>(chatId: ChatId, f: (group: Group) => A): Effect.Effect<A, StoreError> =>
      Effect.suspend(() => {
        const entry = cache.get(chatId)
        if (entry === undefined) {
          // one at a time, so that there is never a second fold of a group
          return Effect.andThen(loading.withPermit(load(chatId)), use(chatId, f))
        }
        cache.delete(chatId)
        cache.set(chatId, entry)
        return Effect.succeed(f(entry.group))
      })

    return Groups.of({
      use,
      apply: (group, op, ticket) => {
        group.authority.add(op)
        group.membership.insert([op])
        const entry = cache.get(group.chatId)!
        entry.ops++
        entry.ticket = ticket
        opsCached++
      }
    })
  })
)
