/** Signs blocks of planned writes for `planned-load.ts`. */
import { Effect } from "effect"
import { parentPort } from "node:worker_threads"
import { loadWasm } from "../../src/layers/crypto/hashing.ts"
import { makeUser, Signer } from "./http-load.ts"
import { contentOf, pairOf, userCount, userName } from "./people.ts"
import type { Plan } from "./planned.ts"

export interface Block {
  readonly plan: Plan
  /** Of the writes of the plan, `from` to before `to`. */
  readonly from: number
  readonly to: number
}

/** Whole requests, one after the other. */
export interface Signed {
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Where each ends. */
  readonly ends: Uint32Array<ArrayBuffer>
}

const hashes = await Effect.runPromise(loadWasm)
const users = Array.from({ length: userCount }, (_, n) => makeUser(hashes, userName(n)))

let present: string | undefined

parentPort!.on("message", ({ from, plan, to }: Block) => {
  // plans for several nodes have one time: a user's must not go on after that of the plan before
  const name = `${plan.nodeId} ${plan.first}`
  if (name !== present) { for (const user of users) user.lastTs = 0 }
  present = name
  const signer = new Signer(hashes, plan.nodeId)
  const requests: Array<Buffer> = []
  const ends = new Uint32Array(to - from)
  let end = 0
  for (let n = from; n < to; n++) {
    const number = plan.first + n
    const pair = pairOf(number)
    const [who, peer] = [users[pair.from]!, users[pair.to]!]
    const plannedMs = plan.startMs + n * 1_000 / plan.perSecond
    const request = signer.dm(who, peer, contentOf(number), plannedMs)
    requests.push(request)
    ends[n - from] = end += request.length
  }
  const bytes = new Uint8Array(end)
  let at = 0
  for (const request of requests) {
    bytes.set(request, at)
    at += request.length
  }
  const signed: Signed = { bytes, ends }
  parentPort!.postMessage(signed, [bytes.buffer, ends.buffer])
})
