/**
 * One direction of a simulated stream: frames arrive late but in order, as over TCP. What is under way stays there while
 * the way is cut, and is lost when the connection goes.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { frameBytesMax } from "../../domain/limits.ts"
import { ChannelError } from "../../services/Network.ts"
import type { Life } from "../virtual-time.ts"

/** Bytes that a peer may have unread before its sender waits: as a window of yamux. */
const windowBytes = 256 * 1024

/** What carries the frames: how long one takes, and whether the way is open. */
export interface Way {
  readonly isCut: () => boolean
  readonly delayMs: (bytes: number) => number
  /** Told of each frame that is sent on it. */
  readonly carried: (bytes: number) => void
}

const Reason = Schema.Literals(["unreachable", "unsupported", "closed", "oversized"])
export const channelError = (reason: typeof Reason.Type, message: string): ChannelError =>
  new ChannelError({ reason, message })

type Flying = { readonly frame: Uint8Array | "end"; readonly dueMs: number }

export class Pipe {
  readonly #way: Way
  readonly #sender: Life
  readonly #receiver: Life
  readonly #flying: Array<Flying> = []
  readonly #inbox: Array<Uint8Array> = []
  readonly #wakes = new Map<symbol, () => void>()
  #unreadBytes = 0
  #timed = false
  /** The sender has ended it, or knows that nobody reads. */
  #sealed = false
  /** The receiver has seen the end. */
  #ended = false
  /** Called when the end arrives. */
  onEnd: () => void = () => {}

  constructor(way: Way, sender: Life, receiver: Life) {
    this.#way = way
    this.#sender = sender
    this.#receiver = receiver
  }

  /** Lets all who wait look again, each in a task of its own. */
  #stir(): void {
    for (const wake of this.#wakes.values()) wake()
    this.#wakes.clear()
  }

  #wait(life: Life): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const key = Symbol()
      this.#wakes.set(key, () => life.queue(() => resume(Effect.void)))
      return Effect.sync(() => {
        this.#wakes.delete(key)
      })
    })
  }

  /** Moves what is due: called when time has come, and when the way is open again. */
  pump = (): void => {
    const { time } = this.#receiver
    while (!this.#way.isCut()) {
      const next = this.#flying[0]
      if (next === undefined) return
      if (next.dueMs > time.now) {
        if (this.#timed) return
        this.#timed = true
        time.at(next.dueMs, () => {
          this.#timed = false
          this.pump()
        })
        return
      }
      this.#flying.shift()
      if (next.frame === "end") {
        this.#ended = true
        this.onEnd()
      } else this.#inbox.push(next.frame)
      this.#stir()
    }
  }

  #fly(frame: Uint8Array | "end"): void {
    const due = this.#sender.time.now + this.#way.delayMs(frame === "end" ? 0 : frame.length)
    this.#flying.push({ frame, dueMs: Math.max(due, this.#flying.at(-1)?.dueMs ?? 0) })
    this.pump()
  }

  send(frame: Uint8Array): Effect.Effect<void, ChannelError> {
    return Effect.suspend(() => {
      if (frame.length > frameBytesMax) {
        return Effect.fail(channelError("oversized", `a frame has at most ${frameBytesMax} bytes`))
      }
      if (this.#sealed) return Effect.fail(channelError("closed", "the stream has ended"))
      if (this.#unreadBytes > 0 && this.#unreadBytes + frame.length > windowBytes) {
        return Effect.andThen(this.#wait(this.#sender), this.send(frame))
      }
      this.#unreadBytes += frame.length
      this.#way.carried(frame.length)
      this.#fly(frame.slice())
      return Effect.void
    })
  }

  readonly receive: Effect.Effect<Uint8Array, ChannelError> = Effect.suspend(() => {
    const frame = this.#inbox.shift()
    if (frame !== undefined) {
      this.#unreadBytes -= frame.length
      this.#stir()
      return Effect.succeed(frame)
    }
    if (this.#ended) return Effect.fail(channelError("closed", "the peer has ended the stream"))
    return Effect.andThen(this.#wait(this.#receiver), this.receive)
  })

  /** The sender ends it: what was sent still arrives. */
  end(): void {
    if (this.#sealed) return
    this.#sealed = true
    this.#fly("end")
    this.#stir()
  }

  /** The sender has learnt that nobody reads any more. */
  seal(): void {
    this.#sealed = true
    this.#stir()
  }

  /** The connection is gone: nothing more arrives. */
  reset(): void {
    this.#sealed = true
    this.#ended = true
    this.#flying.length = 0
    this.#inbox.length = 0
    this.#stir()
  }
}
