/**
 * Groups in memory: a bounded cache of folds, least recently used first out. A group with ops that are not committed yet
 * stays, because the store could not give them back. A group that nobody created is not kept: anyone may ask for any id.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Authority } from "../../domain/authority.ts"
import type { ChatId } from "../../domain/ids.ts"
import { Membership } from "../../domain/membership.ts"
import { type Op, sizeOf } from "../../domain/record.ts"
import { type Group, Groups } from "../../services/Groups.ts"
import { Store, type StoreError } from "../../services/Store.ts"
import { type Ticket, Writer } from "../../services/Writer.ts"

/** Of all groups together, roughly. */
const cachedBytesMax = 64 * 1024 * 1024
/** Targets folded between two turns of the event loop: some milliseconds. */
const targetsAtOnce = 1_000

interface Cached {
  readonly group: Group
  bytes: number
  ticket: Ticket
}

const sizeOfAll = (ops: ReadonlyArray<Op>): number => ops.reduce((bytes, op) => bytes + sizeOf(op), 0)

/** Cuts ops into pieces of about {@link targetsAtOnce} targets. */
const slices = (ops: ReadonlyArray<Op>): ReadonlyArray<ReadonlyArray<Op>> => {
  const pieces: Array<Array<Op>> = []
  let targets = targetsAtOnce
  for (const op of ops) {
    if (targets >= targetsAtOnce) {
      pieces.push([])
      targets = 0
    }
    pieces.at(-1)!.push(op)
    targets += 1 + op.targets.length
  }
  return pieces
}

export const layer = Layer.effect(
  Groups,
  Effect.gen(function*() {
    const store = yield* Store
    const writer = yield* Writer
    // in order of use: a Map keeps the order of insertion
    const cache = new Map<ChatId, Cached>()
    const loading = new Map<ChatId, Deferred.Deferred<Group, StoreError>>()
    let cachedBytes = 0

    const evict = () => {
      const { committed } = writer.stats()
      for (const [chatId, entry] of cache) {
        if (cachedBytes <= cachedBytesMax) return
        if (entry.ticket > committed) continue
        cache.delete(chatId)
        cachedBytes -= entry.bytes
      }
    }

    const empty = (chatId: ChatId): Group => ({
      chatId,
      authority: new Authority(),
      membership: new Membership(chatId)
    })

    const load = Effect.fnUntraced(function*(chatId: ChatId) {
      const ops = yield* store.ops(chatId)
      const group = empty(chatId)
      // in slices: nobody sees the group before it is whole
      for (const slice of slices(ops)) {
        for (const op of slice) group.authority.add(op)
        group.membership.insert(slice)
        yield* Effect.yieldNow
      }
      // a fold that came meanwhile holds ops which the store did not have yet
      if (ops.length > 0 && !cache.has(chatId)) {
        const bytes = sizeOfAll(ops)
        cachedBytes += bytes
        evict()
        cache.set(chatId, { group, bytes, ticket: 0 })
      }
      return group
    })

    /** Loads once for all who ask meanwhile, so that there is never a second fold of a group. */
    const loadOnce = (chatId: ChatId): Effect.Effect<Group, StoreError> =>
      // from the first step on: who is interrupted in between must not leave the others waiting for ever
      Effect.uninterruptibleMask((restore) =>
        Effect.suspend(() => {
          const other = loading.get(chatId)
          if (other !== undefined) return restore(Deferred.await(other))
          const mine = Deferred.makeUnsafe<Group, StoreError>()
          loading.set(chatId, mine)
          return load(chatId).pipe(
            Effect.onExit((exit) =>
              Effect.sync(() => {
                loading.delete(chatId)
                Deferred.doneUnsafe(mine, exit)
              })
            )
          )
        })
      )

    const use = <A>(chatId: ChatId, f: (group: Group) => A): Effect.Effect<A, StoreError> =>
      Effect.suspend(() => {
        const entry = cache.get(chatId)
        if (entry !== undefined) {
          cache.delete(chatId)
          cache.set(chatId, entry)
          return Effect.succeed(f(entry.group))
        }
        return Effect.flatMap(loadOnce(chatId), (group) =>
          Effect.suspend(() =>
            // not kept when it is unknown; gone again when memory is short: what is in the cache is the one to use
            // and `f` runs in the same turn as the look at the cache, or there might be two folds
            group.membership.size === 0 && !cache.has(chatId) ? Effect.succeed(f(group)) : use(chatId, f)
          ))
      })

    return Groups.of({
      use,
      apply: (group, ops, ticket) => {
        for (const op of ops) group.authority.add(op)
        group.membership.insert(ops)
        const bytes = sizeOfAll(ops)
        cachedBytes += bytes
        const entry = cache.get(group.chatId)
        if (entry === undefined) cache.set(group.chatId, { group, bytes, ticket })
        else {
          entry.bytes += bytes
          entry.ticket = ticket
        }
        evict()
      }
    })
  })
)
