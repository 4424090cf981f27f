/**
 * Memory that the pool shares with one thread: items go in, answers come back in the same order. A message costs some
 * ten microseconds on either side, a slot of the ring half of one, so a message is only what wakes the caller's event loop.
 *
 * 1. Each counter has one writer: `asked` the caller, `answered` the thread. A slot belongs to the thread from the moment
 *    it is counted as asked until it is counted as answered.
 * 2. The thread sleeps on `asked` when it has answered everything.
 * 3. The thread calls when all is answered, and every {@link callEvery} answers; not again before the call was heard.
 *
 * 4. The thread is ended between two items: native code that is broken off takes the whole process along.
 *
 *     counters   asked i32 · answered i32 · called i32, 1 from a call until it was heard · ended i32; the first two wrap around
 *     slot       item[130] · answer[21], see `packing`
 */
import type { Backend } from "./backend.ts"
import { type Answer, check, type Item } from "./check.ts"
import { answerBytes, itemBytes, packAnswer, packItem, unpackAnswer, unpacker } from "./packing.ts"

/** Items at a thread, a power of two: enough that it need not wait for the event loop for 4 ms. */
export const laneItems = 64
/** At 60 µs each, a caller waits for the answers to others for a millisecond at most. */
const callEvery = 16

const [askedAt, answeredAt, calledAt, endedAt] = [0, 1, 2, 3]
const countersCount = 4
const headBytes = 16
const slotBytes = itemBytes + answerBytes

/** The byte at which the slot of the `count`th item begins. */
const slotOf = (count: number): number => headBytes + (count & (laneItems - 1)) * slotBytes

/** The caller's side. */
export interface Lane {
  /** For the thread. */
  readonly buffer: SharedArrayBuffer
  /** Items must be packable, and with those that were not received yet be {@link laneItems} at most. */
  readonly send: (items: ReadonlyArray<Item>) => void
  /** Call it when the thread called: from then on it may call again. Gives the count of answers that wait. */
  readonly heard: () => number
  /** The next answer that waits; `item` is what was asked. */
  readonly receive: (item: Item) => Answer
}

export const make = (): Lane => {
  const buffer = new SharedArrayBuffer(headBytes + laneItems * slotBytes)
  const [counters, bytes] = [new Int32Array(buffer, 0, countersCount), new Uint8Array(buffer)]
  let [asked, received] = [0, 0]
  return {
    buffer,
    send: (items) => {
      for (const item of items) {
        packItem(bytes, slotOf(asked), item)
        asked = (asked + 1) | 0
      }
      Atomics.store(counters, askedAt, asked)
      Atomics.notify(counters, askedAt)
    },
    heard: () => {
      Atomics.store(counters, calledAt, 0)
      return (Atomics.load(counters, answeredAt) - received) | 0
    },
    receive: (item) => {
      const answer = unpackAnswer(bytes, slotOf(received) + itemBytes, item)
      received = (received + 1) | 0
      return answer
    }
  }
}

/** Has the thread of this lane stop after the item that it is at. */
export const end = (buffer: SharedArrayBuffer): void => {
  const counters = new Int32Array(buffer, 0, countersCount)
  Atomics.store(counters, endedAt, 1)
  Atomics.notify(counters, askedAt)
}

/** The thread's side: answers until it is ended. `call` wakes the caller. */
export const serve = (buffer: SharedArrayBuffer, backend: Backend, call: () => void): void => {
  const [counters, bytes] = [new Int32Array(buffer, 0, countersCount), new Uint8Array(buffer)]
  // native code is not given shared memory
  const own = new Uint8Array(itemBytes)
  const unpack = unpacker(own)
  let answered = 0
  while (Atomics.load(counters, endedAt) === 0) {
    const asked = Atomics.load(counters, askedAt)
    if (asked === answered) {
      Atomics.wait(counters, askedAt, asked)
      continue
    }
    const at = slotOf(answered)
    own.set(bytes.subarray(at, at + itemBytes))
    packAnswer(bytes, at + itemBytes, check(backend, unpack()))
    answered = (answered + 1) | 0
    Atomics.store(counters, answeredAt, answered)
    const isCallDue = answered % callEvery === 0 || Atomics.load(counters, askedAt) === answered
    if (isCallDue && Atomics.exchange(counters, calledAt, 1) === 0) call()
  }
}
