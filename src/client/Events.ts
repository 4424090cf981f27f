/**
 * What happens to a user, as it happens: one stream that outlives connections and nodes.
 *
 * Rules:
 * 1. A lost stream is opened again, after a pause that grows while nothing gets better, and goes on behind the last id
 *    that it heard (`Last-Event-ID`). A heartbeat is an id too, so the place of an idle stream stays young.
 * 2. A node that stays away is left for the next of `nodes`, and then that one is kept until it stays away. Ids of events
 *    are a node's own: they are not sent to another.
 * 3. Where a stream cannot go on behind its place (another node, or the node says `reset`), there is a gap. The new stream
 *    is opened first; then `reset` is told; then the messages of the gap are read from the histories of that node, each chat
 *    oldest first; then what the new stream told meanwhile follows. A gap that could not be read to its end stays open, and
 *    is read again after the next opening.
 * 4. Nothing is told twice: messages, ops, marks and identities are known by their ids and stamps, the newest 10 000 of
 *    each (`event-memory.ts`).
 * 5. The stream fails only with what cannot pass: a signer that does not sign, a node that refuses the signature, the user
 *    or the request, or one that is not the pinned one. Another node than the client's own is then only passed over.
 *
 * How far back a gap is read: to the newest message that was told, less `rereadMarginMs`. Nodes agree within moments, but a
 * message may take longer: it was taken by a node that was down or cut off since. Stamped before the newest message told
 * here, it came to the new node before its stream was open, so no stream tells of it; only the margin finds it. One
 * that was on its way for longer than the margin is not told. It is in the history: a screen that shows a chat reads
 * its pages anew after `reset`. The margin costs little: messages that were told are left out, and it never goes back
 * further than is remembered, nor before the beginning of the stream, but for the half minute by which clocks may differ.
 * What was there then, the caller reads by itself, once the stream is open.
 *
 * What is missed of other kinds (ops, marks, identities) is not told later: `reset` says to read them anew.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Hlc from "../domain/hlc.ts"
import { driftMsMax, requestMsMax } from "../domain/limits.ts"
import type { ReadError } from "./errors.ts"
import * as Memory from "./event-memory.ts"
import { type EventNode, open, type StreamLost, type Told } from "./event-source.ts"
import * as Turns from "./event-turns.ts"
import * as Reads from "./reads.ts"
import { missed } from "./rereading.ts"
import type { ClientEvent, NodeEvent } from "./values.ts"

export type { ClientEvent, ConnectionEvent, MessageEvent, NodeEvent, ResetEvent } from "./values.ts"

export interface EventsOptions {
  /** Further nodes, by URL, for when the client's own is gone. Default: its `alternates`. */
  readonly nodes?: ReadonlyArray<string> | undefined
  /** The last `eventId` of an earlier stream of the client's own node: what came since is told first. */
  readonly resume?: string | undefined
  /**
   * The stamp of the newest message that the caller has: when there is no going on from `resume`, later ones are read from
   * the histories, those of the margin again. Default: the time of the first opening.
   */
  readonly since?: Hlc.Hlc | undefined
  /** How far behind the newest message told a gap is read, ms. Default an hour. */
  readonly rereadMarginMs?: number | undefined
}

/**
 * An hour: longer than gossip (moments), a round of sync (some 10 s), a restart, an upgrade or a cut of an ordinary network
 * keep a message from a node.
 */
const defaultMarginMs = 3_600_000

/** Events taken from the socket and not yet by the consumer; beyond, the socket is not read, and the node bounds its side. */
const heldEventsMax = 256
/** A busy node is not asked before the time that it tells, up to this. */
const busyMsMax = 300_000

type Loss = ReadError | StreamLost

/** Whether trying again is of no use. */
const isFinal = (error: Loss): error is ReadError => {
  switch (error._tag) {
    case "SignerError":
    case "NodeChanged":
    case "Forbidden":
    case "InvalidRequest":
    case "TooLarge":
    case "NotFound":
      return true
    case "Unauthenticated":
      return ["bad-signature", "malformed-header", "missing-header"].includes(error.reason)
    case "UnexpectedAnswer":
      return error.status === 403
    case "NodeUnreachable":
    case "NodeUnproven":
    case "RateLimited":
    case "Overloaded":
    case "StreamLost":
      return false
  }
}

const busyMs = (error: Loss): number =>
  error._tag === "RateLimited" || error._tag === "Overloaded" ? Math.min(busyMsMax, error.retry_after * 1000) : 0

const stampAt = (ms: number): Hlc.Hlc => Hlc.make(Math.max(0, ms), 0)

/** The stream of one subscriber. */
const run = (own: EventNode, nodes: ReadonlyArray<EventNode>, options: EventsOptions) => {
  const marginMs = options.rereadMarginMs ?? defaultMarginMs
  const memory = Memory.make()
  const turns = Turns.make(nodes.length)

  /** The last id heard, and where; a node id that is absent is not known yet. */
  let place: { readonly at: EventNode; readonly nodeId?: string; readonly id: string } | undefined =
    options.resume === undefined ? undefined : { at: own, id: options.resume }
  /** What the caller has, or can have read by itself, is not read again below this. Absent before the first opening. */
  let begin: Hlc.Hlc | undefined
  /** Above this, messages may have been missed. */
  let gap: Hlc.Hlc | undefined
  /** Behind this place stands an event that could not be read. */
  let unreadable: typeof place

  /** Opens a gap, unless one is open. A stamp from the future hides nothing that is missed. */
  const openGap = (node: EventNode) =>
    Effect.map(node.options.timestamps.now, (now) => {
      const newestMs = Math.min(Hlc.physicalMs(memory.newest()), now + driftMsMax)
      return gap ??= [stampAt(newestMs - marginMs), memory.forgotten()].reduce(Hlc.max, begin!)
    })

  const told = (event: NodeEvent): Stream.Stream<ClientEvent> =>
    memory.isNew(event) ? Stream.succeed(event) : Stream.empty

  const reread = (node: EventNode): Stream.Stream<ClientEvent, ReadError> => {
    const messages = Effect.map(openGap(node), (gap) => missed(Reads.make(node.connection, node.options), gap))
    const end = Stream.suspend(() => {
      gap = undefined
      return Stream.empty
    })
    return Stream.succeed<ClientEvent>({ type: "reset" }).pipe(
      Stream.concat(Stream.flatMap(Stream.unwrap(messages), told)),
      Stream.concat(end)
    )
  }

  const deliver = (node: EventNode, nodeId: string) => ({ event, id }: Told): Stream.Stream<ClientEvent, ReadError> => {
    if (id !== undefined && id !== place?.id) {
      place = { at: node, nodeId, id }
      turns.moved()
    }
    return event === undefined ? Stream.empty : event.type === "reset" ? reread(node) : told(event)
  }

  const session = Effect.fnUntraced(function*(
    node: EventNode
  ): Effect.fn.Return<Stream.Stream<ClientEvent, Loss>, Loss, Scope.Scope> {
    const resumeAt = (nodeId: string) =>
      place?.at === node && (place.nodeId ?? nodeId) === nodeId ? place.id : undefined
    const { nodeId, told } = yield* open(node, resumeAt)
    turns.opened(yield* Clock.currentTimeMillis)
    // what comes is held from now on, while a gap is read
    const queue = yield* Stream.toQueue(told, { capacity: heldEventsMax })
    const hasPast = begin !== undefined || options.resume !== undefined || options.since !== undefined
    // the node has just taken a time of this clock, so the two are not further apart than that
    begin ??= options.since === undefined
      ? stampAt((yield* node.options.timestamps.now) - requestMsMax)
      : stampAt(Hlc.physicalMs(options.since) - marginMs)
    const isGap = gap !== undefined || (hasPast && resumeAt(nodeId) === undefined)
    return Stream.succeed<ClientEvent>({ type: "connection", state: "open", url: node.connection.url, nodeId }).pipe(
      Stream.concat(isGap ? reread(node) : Stream.empty),
      Stream.concat(Stream.flatMap(Stream.fromQueue(queue), deliver(node, nodeId)))
    )
  })

  const afterLoss = Effect.fnUntraced(
    function*(node: EventNode, error: Loss): Effect.fn.Return<ClientEvent, ReadError> {
      if (isFinal(error) && (node === own || error._tag === "SignerError")) return yield* error
      if (error._tag === "StreamLost" && error.reason === "malformed") {
        // the second time it is stepped over: what the stream would tell from there on is read
        if (place !== undefined && place === unreadable) {
          yield* openGap(node)
          place = undefined
        }
        unreadable = place
      }
      turns.lost(yield* Clock.currentTimeMillis, busyMs(error), yield* Random.next)
      return { type: "connection", state: "lost", url: node.connection.url, error: error.message }
    }
  )

  const attempt = Effect.gen(function*() {
    if (turns.waitMs() > 0) yield* Effect.sleep(turns.waitMs())
    turns.asked(yield* Clock.currentTimeMillis)
    const node = nodes[turns.node()]!
    return Stream.unwrap(session(node)).pipe(Stream.catch((error) => Stream.fromEffect(afterLoss(node, error))))
  })

  return Stream.forever(Stream.unwrap(attempt))
}

/** The events of a user at her `own` node, or at those that `others` gives. Each run of the stream is one of its own. */
export const make = (
  own: EventNode,
  others: Effect.Effect<ReadonlyArray<EventNode>>,
  options: EventsOptions
): Stream.Stream<ClientEvent, ReadError> =>
  Stream.unwrap(Effect.map(others, (others) => run(own, [own, ...others], options)))
