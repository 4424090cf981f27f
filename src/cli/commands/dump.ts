/**
 * What `dump` prints, as JSON lines in a fixed order: the records by domain, kind and id, then what is derived from
 * them. Nothing of it depends on the node, on the order of arrival or on the minute, so two equal replicas print the
 * same bytes. Records that retention has taken out of the set are left out, collected or not (SPEC §9).
 *
 * Views are made by the code that answers requests, over a store that is only read.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as Bytes from "../../domain/bytes.ts"
import * as Hlc from "../../domain/hlc.ts"
import type { Address, ChatId } from "../../domain/ids.ts"
import { pageMax } from "../../domain/limits.ts"
import { domainOf, type Kind, opTypes, type Record } from "../../domain/record.ts"
import * as Retention from "../../domain/retention.ts"
import { encode } from "../../domain/wire.ts"
import * as GroupsLayer from "../../layers/node/groups.ts"
import * as ViewsLayer from "../../layers/node/views.ts"
import { Groups } from "../../services/Groups.ts"
import { HybridClock } from "../../services/HybridClock.ts"
import { Store } from "../../services/Store.ts"
import { type InboxPosition, Views } from "../../services/Views.ts"
import { type Committed, Writer } from "../../services/Writer.ts"
import { printJson } from "../output.ts"
import { restText, screenOf } from "../progress.ts"
import { layerReplica, recordPages, type ReplicaOptions } from "./replica.ts"

const kinds: ReadonlyArray<Kind> = ["identity", "op", "read", "message"]
const opNames = Object.fromEntries(Object.entries(opTypes).map(([name, code]) => [code, name]))

/** What people read of a record; its wire form beside it is the whole. */
const readable = (record: Record): object => {
  const { hlc, node, ts } = record
  switch (record.kind) {
    case "message": {
      const { chatId, content, control, msgType, peer, sender } = record
      return { hlc, node, ts, chat: chatId, sender, peer, type: msgType, content, control }
    }
    case "op": {
      const { actor, chatId, op, role, targets, title } = record
      return { hlc, node, ts, chat: chatId, actor, op: opNames[op], role, targets, title }
    }
    case "read":
      return { hlc, node, ts, chat: record.chatId, reader: record.reader, up_to: record.upTo }
    case "identity":
      return { hlc, node, ts, address: record.address, blob: record.blob }
  }
}

/** Users and groups that a record names. */
const note = (record: Record, users: Set<Address>, groups: Set<ChatId>): void => {
  switch (record.kind) {
    case "message":
      users.add(record.sender)
      if (record.peer !== undefined) users.add(record.peer)
      return
    case "op":
      groups.add(record.chatId)
      users.add(record.actor)
      for (const target of record.targets) users.add(target)
      return
    case "read":
      users.add(record.reader)
      return
    case "identity":
      users.add(record.address)
  }
}

/** A writer that has nothing to write, and a clock that stands still: reading needs no more. */
const layerStill = (wallMs: number) =>
  Layer.mergeAll(
    Layer.effect(
      Writer,
      Effect.map(PubSub.unbounded<ReadonlyArray<Committed>>(), (commits) =>
        Writer.of({
          offer: () => Result.succeed(0),
          room: Effect.void,
          hasRoom: () => true,
          pending: () => undefined,
          last: () => 0,
          committed: () => Effect.void,
          settled: () => Effect.succeed(false),
          commits,
          stats: () => ({ queued: 0, queuedBytes: 0, committed: 0 })
        }))
    ),
    Layer.succeed(
      HybridClock,
      HybridClock.of({ send: () => Hlc.zero, receive: () => undefined, wall: () => wallMs, last: () => Hlc.zero })
    )
  )

const dumpInbox = Effect.fnUntraced(function*(user: Address) {
  const views = yield* Views
  let after: InboxPosition | undefined
  do {
    const page = yield* views.conversations(user, { after, limit: pageMax })
    for (const { activity, capped, newest, place, unread } of page.conversations) {
      yield* printJson({
        view: "inbox",
        user,
        chat: place.chatId,
        activity,
        newest: newest?.id,
        unread,
        capped
      })
    }
    after = page.next
  } while (after !== undefined)
})

export const run = (options: ReplicaOptions) =>
  Effect.suspend(() => {
    const wallMs = Date.now()
    const cutoff = Retention.cutoffMs(wallMs)
    // on one terminal the records themselves show how far it is
    const screen = process.stdout.isTTY === true ? undefined : screenOf(process.stderr)
    return Effect.gen(function*() {
      const { identities, messages, ops, reads } = yield* (yield* Store).stats
      const total = identities + messages + ops + reads
      let records = 0
      const users = new Set<Address>()
      const chats = new Set<ChatId>()
      for (const kind of kinds) {
        yield* Stream.runForEach(
          recordPages(kind),
          Effect.fnUntraced(function*(page) {
            records += page.length
            if (screen !== undefined && total > 0) {
              const share = records / total
              const rest = restText(share, Date.now() - wallMs)
              yield* screen.progress(`${records} of ${total} records${rest}`, share)
            }
            for (const record of page) {
              if (Retention.isAged(record, cutoff)) continue
              note(record, users, chats)
              yield* printJson({
                domain: domainOf(record),
                kind: record.kind,
                id: record.id,
                ...readable(record),
                wire: Bytes.toHex(encode(record))
              })
            }
          })
        )
      }
      if (screen !== undefined) yield* screen.progress("groups and inboxes …")
      const groups = yield* Groups
      for (const chat of [...chats].sort()) {
        const view = yield* groups.use(chat, ({ membership }) => ({
          title: membership.title,
          members: membership.members()
        }))
        yield* printJson({ view: "group", chat, ...view })
      }
      for (const user of [...users].sort()) yield* dumpInbox(user)
    }).pipe(
      Effect.ensuring(screen?.clear ?? Effect.void),
      Effect.provide(
        ViewsLayer.layer.pipe(
          Layer.provideMerge(GroupsLayer.layer),
          Layer.provideMerge(layerStill(wallMs)),
          Layer.provideMerge(layerReplica(options))
        )
      )
    )
  })
