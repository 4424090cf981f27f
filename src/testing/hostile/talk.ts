/** One stream of sync as a hostile peer uses it: frames, or any bytes, in any order, with no rule but a bound in time. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Hashes } from "../../domain/hashing.ts"
import type { NodeId } from "../../domain/ids.ts"
import { leavesCount } from "../../domain/limits.ts"
import type { Kind, Record } from "../../domain/record.ts"
import * as Frames from "../../domain/sync-frames.ts"
import * as Wire from "../../domain/wire.ts"
import { type Channel, ChannelError } from "../../services/Network.ts"

const kinds: ReadonlyArray<Kind> = ["op", "identity", "read", "message"]
/** Pages read of one kind. */
const pagesMax = 50

export interface Talk {
  readonly peer: NodeId
  readonly say: (frame: Frames.Frame) => Effect.Effect<void, ChannelError>
  readonly bytes: (bytes: Uint8Array) => Effect.Effect<void, ChannelError>
  /** The next frame; what is none ends the talk. */
  readonly hear: Effect.Effect<Frames.Frame, ChannelError>
  readonly ask: (frame: Frames.Frame) => Effect.Effect<Frames.Frame, ChannelError>
}

export const talkOn = (channel: Channel): Talk => {
  const bytes = (each: Uint8Array) => channel.send(each)
  const say = (frame: Frames.Frame) => bytes(Frames.encode(frame))
  const hear = Effect.flatMap(channel.receive, (frame) => {
    const decoded = Frames.decode(frame)
    return Result.isSuccess(decoded)
      ? Effect.succeed(decoded.success)
      : Effect.fail(new ChannelError({ reason: "closed", message: decoded.failure.message }))
  })
  return { peer: channel.peer, bytes, say, hear, ask: (frame) => Effect.andThen(say(frame), hear) }
}

/** Reads all that the peer has below the horizon, as one who has nothing. */
export const readAll = Effect.fnUntraced(
  function*(talk: Talk, hashes: Hashes, hello: Frames.Hello, learn: (record: Record) => void) {
    const theirs = yield* talk.ask(hello)
    if (theirs._tag !== "Hello") return
    for (const kind of kinds) {
      let cursor: Uint8Array | undefined
      for (let pages = 0; pages < pagesMax; pages++) {
        const ask = { _tag: "Stream" as const, kind, from: 0, to: leavesCount }
        const page = yield* talk.ask(cursor === undefined ? ask : { ...ask, cursor })
        if (page._tag !== "Page") return
        for (const bytes of page.records) {
          const record = Wire.decode(hashes, kind, bytes)
          if (Result.isSuccess(record)) learn(record.success)
        }
        if (page.next === undefined) break
        cursor = page.next
      }
    }
    yield* talk.say({ _tag: "End" })
  }
)
