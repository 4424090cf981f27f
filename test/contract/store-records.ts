/** Records for storage tests: right ids and shapes, made-up signatures, which a store does not look at. */
import * as Hlc from "../../src/domain/hlc.ts"
import * as Ids from "../../src/domain/ids.ts"
import {
  type Dot,
  dotOf,
  type Identity,
  type Message,
  type Op,
  type Read,
  type Record
} from "../../src/domain/record.ts"
import * as Wire from "../../src/domain/wire.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"

/** Numbers from a seed (mulberry32). */
export const random = (seed: number) => {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let x = Math.imul(state ^ (state >>> 15), state | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return (x ^ (x >>> 14)) >>> 0
  }
  const below = (n: number) => next() % n
  const bytes = (length: number) => Uint8Array.from({ length }, () => below(256))
  return { below, bytes, pick: <A>(list: ReadonlyArray<A>): A => list[below(list.length)]! }
}
export type Random = ReturnType<typeof random>

export const at = (ms: number, logical = 0): Hlc.Hlc => Hlc.make(1_800_000_000_000 + ms, logical)
export const user = (n: number): Ids.Address => n.toString(16).padStart(40, "0") as Ids.Address
export const nodes = ["12D3KooWA", "12D3KooWB", "16Uiu2HAmC"] as ReadonlyArray<string> as ReadonlyArray<Ids.NodeId>
const sigOf = (n: number) => Uint8Array.from({ length: 65 }, (_, i) => (n * 31 + i) & 0xff)

const envelope = { node: nodes[0]!, sig: sigOf(1), sigVersion: 1 as const, hlc: at(0) }

export const dm = (a: Ids.Address, b: Ids.Address) => Ids.dmChatId(noble, a, b)
export const group = (n: number) => Ids.groupChatId(noble, user(1), n.toString(16).padStart(32, "0") as Ids.Nonce)

export const message = (
  fields: Partial<Omit<Message, "kind" | "id" | "chatId">> & { chatId?: Ids.ChatId }
): Message => {
  const { peer } = fields
  const sender = fields.sender ?? user(1)
  const whole = {
    ...envelope,
    chatId: peer === undefined ? group(0) : dm(sender, peer),
    ts: 1_800_000_000_000,
    msgType: 0,
    content: "hello",
    ...fields,
    sender
  }
  return { kind: "message", id: Ids.messageId(noble, whole), ...whole }
}

export const op = (fields: Partial<Omit<Op, "kind" | "id">>): Op => {
  const whole = {
    ...envelope,
    chatId: group(0),
    actor: user(1),
    ts: 1_800_000_000_000,
    op: 1 as const,
    role: 0 as const,
    targets: [user(2)],
    stamp: new Uint8Array(64).fill(7),
    ...fields
  }
  return { kind: "op", id: Ids.opId(noble, whole), ...whole }
}

export const read = (fields: Partial<Omit<Read, "kind" | "id">>): Read => {
  const reader = fields.reader ?? user(1)
  const chatId = fields.peer === undefined ? group(0) : dm(reader, fields.peer)
  const whole = { ...envelope, ts: 1_800_000_000_000, upTo: at(0), chatId, ...fields, reader }
  return { kind: "read", id: Ids.readId(noble, whole), ...whole }
}

export const identity = (fields: Partial<Omit<Identity, "kind" | "id">>): Identity => {
  const whole = { ...envelope, address: user(1), ts: 1_800_000_000_000, blob: Uint8Array.of(1, 2, 3), ...fields }
  return { kind: "identity", id: Ids.identityId(noble, whole), ...whole }
}

const texts = ["", "a", "a\0b\0", "\0", "\u{feff}bom", "\u{1f600}\u{1f468}\u{200d}\u{1f469}", "\ufffd", "é ✓\r\n\u2028"]

/** Few users, chats, times and texts, so that slots and stamps collide often. */
const anyRecord = (from: Random): Record => {
  const [a, b] = [user(1 + from.below(4)), user(1 + from.below(4))]
  const common = {
    node: from.pick(nodes),
    sig: sigOf(from.below(3)),
    sigVersion: from.pick([1, 2] as const),
    hlc: at(from.below(6), from.below(2)),
    ts: 1_800_000_000_000 + from.below(2)
  }
  const peer = from.below(2) === 0 ? { peer: b } : { chatId: group(from.below(2)) }
  switch (from.below(6)) {
    case 0:
    case 1:
    case 2: {
      const control = from.below(3) === 0 ? { control: from.bytes(from.below(4)) } : {}
      return message({ ...common, ...peer, sender: a, content: from.pick(texts), msgType: from.below(2), ...control })
    }
    case 3: {
      const targets = [user(1 + from.below(3)), user(5 + from.below(3))]
      const observed: ReadonlyArray<Dot> = [dotOf(group(7), targets[0]!)]
      const removal = from.below(2) === 0 ? { op: 2 as const, observed: from.below(2) === 0 ? observed : [] } : {}
      const stamp = new Uint8Array(64).fill(from.below(2))
      return op({ ...common, chatId: group(from.below(2)), actor: a, targets, ...removal, stamp })
    }
    case 4:
      return read({ ...common, ...peer, reader: a, upTo: at(from.below(3)) })
    default:
      return identity({ ...common, address: a, blob: from.bytes(from.below(3)) })
  }
}

export const manyRecords = (seed: number, count: number): ReadonlyArray<Record> => {
  const from = random(seed)
  return Array.from({ length: count }, () => anyRecord(from))
}

export const digestOf = (record: Record): Uint8Array => Wire.leafDigest(noble.blake3, record)
