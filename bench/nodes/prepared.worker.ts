/** Makes signed messages for `prepared.ts`, beside the thread that stores them. */
import { Effect } from "effect"
import { parentPort } from "node:worker_threads"
import type { Message } from "../../src/domain/record.ts"
import { loadWasm } from "../../src/layers/crypto/hashing.ts"
import { makeUser, type User } from "../load/http-load.ts"
import { contentOf, pairOf, userCount, userName } from "../load/people.ts"
import { signedMessage } from "../load/records.ts"

/** Messages `from` to before `to`, the n-th stamped at `startMs` + n × `stepMs`. */
export interface Wanted {
  readonly from: number
  readonly to: number
  readonly startMs: number
  readonly stepMs: number
}

const hashes = await Effect.runPromise(loadWasm)
const users: ReadonlyArray<User> = Array.from({ length: userCount }, (_, n) => makeUser(hashes, userName(n)))

const messageOf = (n: number, ms: number): Message => {
  const pair = pairOf(n)
  return signedMessage(hashes, n, ms, { sender: users[pair.from]!, peer: users[pair.to]!, content: contentOf(n) })
}

parentPort!.on("message", ({ from, startMs, stepMs, to }: Wanted) => {
  const messages: Array<Message> = []
  for (let n = from; n < to; n++) messages.push(messageOf(n, Math.floor(startMs + n * stepMs)))
  parentPort!.postMessage(messages, [])
})
