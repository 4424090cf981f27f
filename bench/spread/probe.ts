/**
 * How long until what is written at one node can be read at another: writes a message to a user of its own and asks the other
 * node for that conversation, again and again, until the message is in the answer. Requests are signed as they are sent.
 */
import { Effect } from "effect"
import { loadWasm } from "../../src/layers/crypto/hashing.ts"
import { makeUser, Signer } from "../load/http-load.ts"
import { Wire } from "../load/wire.ts"
import { pause } from "../nodes/processes.ts"

/** A node as its clients know it. */
export interface Place {
  readonly id: string
  readonly port: number
}

/** Of one message, ms since its write was sent. */
export interface Seen {
  /** The write was answered. */
  readonly takenMs: number
  /** The question was sent that found nothing last; 0: the first one found it. */
  readonly missedMs: number
  /** The answer was here that had it. */
  readonly seenMs: number
  readonly questions: number
}

export interface Probed {
  readonly seen: ReadonlyArray<Seen>
  /** Writes that were refused. */
  readonly refused: number
  /** Not seen within {@link seenMsMax}, or the question was refused. */
  readonly unseen: number
}

/** Pairs of users, so that none asks more often than a node lets one user ask. */
const pairs = 200
const seenMsMax = 10_000

/** Writes at `from` and reads at `to`, `perSecond` messages of `probers` concurrent writers, for `ms`. */
export const probe = async (
  from: Place,
  to: Place,
  { ms, perSecond, probers }: { readonly ms: number; readonly perSecond: number; readonly probers: number }
): Promise<Probed> => {
  const hashes = await Effect.runPromise(loadWasm)
  const [writing, reading] = [new Signer(hashes, from.id), new Signer(hashes, to.id)]
  const users = Array.from({ length: pairs }, (_, n) => ({
    writer: makeUser(hashes, `probe ${n}`),
    reader: makeUser(hashes, `probed ${n}`)
  }))
  const seen: Array<Seen> = []
  let [refused, unseen, written] = [0, 0, 0]

  const one = async (at: Wire, there: Wire): Promise<void> => {
    const number = written++
    const { reader, writer } = users[number % pairs]!
    const content = `${number} of ${Date.now()} `.padEnd(300, "to be seen ")
    const request = writing.dm(writer, reader, content, Date.now())
    const begun = performance.now()
    if ((await at.ask(request)).status !== 202) return void refused++
    const takenMs = performance.now() - begun
    const target = `/dialogs/0x${writer.address}/messages?limit=1`
    let missedMs = 0
    for (let questions = 1; performance.now() - begun < seenMsMax; questions++) {
      const question = reading.get(reader, target, Date.now())
      const askedMs = performance.now() - begun
      const { body, status } = await there.ask(question)
      if (status === 200 && body.includes(content)) {
        seen.push({ takenMs, missedMs, seenMs: performance.now() - begun, questions })
        return
      }
      if (status !== 200) break
      missedMs = askedMs
    }
    unseen++
  }

  const end = performance.now() + ms
  await Promise.all(Array.from({ length: probers }, async (_, n) => {
    const [at, there] = await Promise.all([Wire.open(from.port), Wire.open(to.port)])
    const everyMs = probers / perSecond * 1_000
    let nextMs = performance.now() + n * everyMs / probers
    while (nextMs < end) {
      await pause(Math.max(0, nextMs - performance.now()))
      await one(at, there)
      nextMs = Math.max(nextMs + everyMs, performance.now())
    }
    at.close()
    there.close()
  }))
  return { seen, refused, unseen }
}
