/**
 * One round's talk with one peer, in bounds: every wait ends, frames and bytes are counted, and what cannot be read ends the
 * round. Who sends junk, stalls or lies has cost that much and no more (FAILURES 24).
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Frames from "../../domain/sync-frames.ts"
import type { Channel, ChannelError } from "../../services/Network.ts"

/** A round ended before its end. */
export class RoundError extends Schema.TaggedError<RoundError>()("RoundError", {
  /**
   * Of the peer's doing: `malformed` (no frame, or not the one due), `lied` (what it claims cannot be), `stalled`, `unsupported`,
   * `closed`; `refused` (by either side, with reason); of ours: `store`, `unready`.
   */
  reason: Schema.Literals(["malformed", "lied", "stalled", "unsupported", "closed", "refused", "store", "unready"]),
  refusal: Schema.optionalKey(Schema.Literals(Frames.refusals)),
  message: Schema.String
}) {}

/** An answer may take this long, and a frame to be taken: the peer's disk may be busy with what it was sent. */
export const answerMsMax = 30_000
/** The first frame of one who opened a stream needs no thought: who says nothing must not hold a place for long. */
export const helloMsMax = 10_000
/** A question may take this long: the one who asks judges what the last answer brought before. */
export const questionMsMax = 60_000
/**
 * Waits of one round may come to this in all, and to more only at such a pace: each answer just in time would else make
 * a round of little work last as long as a round may.
 */
const waitsMsMax = 120_000
const paceBytesPerSecond = 512
/** Frames of one round, both ways: far above what the largest catch-up of one round needs. */
const framesMax = 200_000

export interface Tally {
  frames: number
  /** Of frames, without the length before each. */
  bytes: number
  /** Of records within them. */
  recordBytes: number
  /** How many those were. */
  records: number
  /** Of hellos and audits within `bytes`. */
  besideBytes: number
}

export interface Line {
  readonly channel: Channel
  readonly tally: Readonly<Tally>
  readonly send: (frame: Frames.Frame) => Effect.Effect<void, RoundError>
  readonly receive: Effect.Effect<Frames.Frame, RoundError>
  /** Sends `frame` and receives the answer, which must be a `tag`. */
  readonly ask: <T extends Frames.Frame["_tag"]>(
    frame: Frames.Frame,
    tag: T
  ) => Effect.Effect<Extract<Frames.Frame, { readonly _tag: T }>, RoundError>
}

const fromChannel = (error: ChannelError): RoundError =>
  new RoundError({
    reason: error.reason === "oversized" ? "malformed" : error.reason === "unreachable" ? "closed" : error.reason,
    message: error.message
  })

const recordsOf = (frame: Frames.Frame): ReadonlyArray<Uint8Array> => {
  switch (frame._tag) {
    case "Records":
    case "Push":
      return frame.records.map(({ bytes }) => bytes)
    case "Page":
      return frame.records
    default:
      return []
  }
}

const isBeside = (frame: Frames.Frame): boolean =>
  frame._tag === "Hello" || frame._tag === "Audit" || frame._tag === "Audited" || frame._tag === "End"

export const malformed = (message: string): RoundError => new RoundError({ reason: "malformed", message })
export const lied = (message: string): RoundError => new RoundError({ reason: "lied", message })

/** The frame if it is of the kind that is due; a refusal and anything else end the round. */
export const expect = <T extends Frames.Frame["_tag"]>(
  frame: Frames.Frame,
  tag: T
): Effect.Effect<Extract<Frames.Frame, { readonly _tag: T }>, RoundError> =>
  frame._tag === tag
    ? Effect.succeed(frame as Extract<Frames.Frame, { readonly _tag: T }>)
    : frame._tag === "Refuse"
    ? Effect.fail(new RoundError({ reason: "refused", refusal: frame.reason, message: `the peer: ${frame.reason}` }))
    : Effect.fail(malformed(`a ${frame._tag} came where a ${tag} was due`))

/** `waitMs`: how long the peer may let this side wait for a frame. */
export const make = (channel: Channel, waitMs: number): Line => {
  const tally: Tally = { frames: 0, bytes: 0, recordBytes: 0, records: 0, besideBytes: 0 }
  const count = (frame: Frames.Frame, length: number): void => {
    tally.frames++
    tally.bytes += length
    for (const bytes of recordsOf(frame)) {
      tally.records++
      tally.recordBytes += bytes.length
    }
    if (isBeside(frame)) tally.besideBytes += length
  }
  let waitedMs = 0
  const timely = Effect.suspend(() =>
    waitedMs - waitsMsMax > tally.bytes * 1_000 / paceBytesPerSecond
      ? Effect.fail(new RoundError({ reason: "stalled", message: `${tally.bytes} bytes in ${waitedMs} ms of waiting` }))
      : Effect.void
  )
  const bounded = <A>(effect: Effect.Effect<A, ChannelError>): Effect.Effect<A, RoundError> =>
    Effect.clockWith((clock) => {
      if (tally.frames >= framesMax) return Effect.fail(malformed("the round has no end"))
      const steadyMs = () => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)
      const sinceMs = steadyMs()
      return Effect.mapError(effect, fromChannel).pipe(
        Effect.timeoutOrElse({
          duration: waitMs,
          orElse: () => Effect.fail(new RoundError({ reason: "stalled", message: `nothing for ${waitMs} ms` }))
        }),
        Effect.tap(() => {
          waitedMs += steadyMs() - sinceMs
          return timely
        })
      )
    })
  const send: Line["send"] = (frame) =>
    Effect.suspend(() => {
      const bytes = Frames.encode(frame)
      count(frame, bytes.length)
      return bounded(channel.send(bytes))
    })
  const receive: Line["receive"] = Effect.flatMap(bounded(channel.receive), (bytes) =>
    Effect.mapError(
      Effect.map(Effect.fromResult(Frames.decode(bytes)), (frame) => {
        count(frame, bytes.length)
        return frame
      }),
      (error) => malformed(error.message)
    ))
  return {
    channel,
    tally,
    send,
    receive,
    ask: (frame, tag) => Effect.flatMap(Effect.andThen(send(frame), receive), (answer) => expect(answer, tag))
  }
}
