/** What an attack works with: keys, what was learnt, and the ways out. */
import type * as Effect from "effect/Effect"
import * as Bytes from "../../domain/bytes.ts"
import * as Payload from "../../domain/gossip-payload.ts"
import { horizonMs } from "../../domain/horizon.ts"
import type { Address, NodeId } from "../../domain/ids.ts"
import { batchRecordsMax } from "../../domain/limits.ts"
import { authorOf, type Record } from "../../domain/record.ts"
import * as Frames from "../../domain/sync-frames.ts"
import type { ChannelError } from "../../services/Network.ts"
import type { Random } from "../random.ts"
import type { User } from "../users.ts"
import { type Forge, wired } from "./forge.ts"
import type { Insider, Lore } from "./lore.ts"
import type { Talk } from "./talk.ts"

export interface Stage {
  readonly forge: Forge
  readonly lore: Lore
  /** Users whose keys it has; at least one. */
  readonly users: ReadonlyArray<User>
  /** Its wall clock. */
  readonly nowMs: number
  /** Connected nodes, in the order of their ids. */
  readonly peers: ReadonlyArray<NodeId>
  /** Gossips any bytes; more than the network carries are cut. */
  readonly gossip: (payload: Uint8Array) => void
  /** Leads a round, or something like it. Ends by itself after a while. */
  readonly lead: (peer: NodeId, script: (talk: Talk) => Effect.Effect<void, ChannelError>) => void
}

export type Attack = (stage: Stage, random: Random) => void

/** Bytes of one payload: well below what gossip carries. */
const payloadBytes = 512 * 1024

/** Gossips records, as many in a message as it takes. */
export const tell = (stage: Stage, records: ReadonlyArray<Record>): void => {
  for (const batch of batchesOf(records)) stage.gossip(Payload.encode(batch))
}

const batchesOf = (records: ReadonlyArray<Record>): ReadonlyArray<ReadonlyArray<Payload.Wired>> => {
  const batches: Array<Array<Payload.Wired>> = []
  let bytes = 0
  for (const each of records.map(wired)) {
    const last = batches.at(-1)
    if (last === undefined || last.length === batchRecordsMax || bytes + each.bytes.length > payloadBytes) {
      batches.push([each])
      bytes = 0
    } else last.push(each)
    bytes += each.bytes.length + 32
  }
  return batches
}

/** Each in a message of its own, so that one that is refused does not take others with it. */
export const tellEach = (stage: Stage, records: ReadonlyArray<Record>): void => {
  for (const record of records) stage.gossip(Payload.encode([wired(record)]))
}

/** Addresses of others that it has seen. */
const others = ({ lore, users }: Stage): ReadonlyArray<Address> => {
  const own = new Set(users.map(({ address }) => address))
  return [...new Set(lore.records.map(authorOf))].filter((address) => !own.has(address))
}

/** Somebody else's address, or one that nobody has. */
export const victim = (stage: Stage, random: Random): Address => {
  const seen = others(stage)
  return seen.length === 0 ? Bytes.toHex(random.bytes(20)) as Address : random.pick(seen)
}

/** One of its users in a group where she has, or had, a say; a group is founded when there is none. */
export const insider = (stage: Stage, random: Random): Insider => {
  const found = stage.lore.insiders(stage.users)
  if (found.length > 0) return random.pick(found)
  const user = random.pick(stage.users)
  const create = stage.forge.create(user, random.bytes(16), [victim(stage, random)], stage.forge.at(stage.nowMs))
  stage.lore.learn(create)
  tell(stage, [create])
  return stage.lore.insiders([user]).find(({ group }) => group.chatId === create.chatId)!
}

/** A hello of one who has nothing, and makes no secret of it. */
export const helloOf = (stage: Stage, rest: Partial<Frames.Hello> = {}): Frames.Hello => ({
  _tag: "Hello",
  version: Frames.syncVersion,
  network: "",
  keyCheck: new Uint8Array(),
  wallMs: stage.nowMs,
  horizonMs: horizonMs(stage.nowMs),
  counts: [0, 0, 0],
  roots: [new Uint8Array(32), new Uint8Array(32), new Uint8Array(32)],
  ...rest
})
