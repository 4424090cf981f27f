/** A little world of groups and direct conversations around one reader, drawn by dice. Signatures are none. */
import * as Hlc from "../../src/domain/hlc.ts"
import * as Ids from "../../src/domain/ids.ts"
import { type Message, type Op, opTypes, type Record, roles } from "../../src/domain/record.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import type { Dice } from "../domain/records.ts"

const node = "12D3KooWGzh8mCmvhYkjQg5gqLhQSnRy4bRkFkLhrTfAwB3VwF4c" as Ids.NodeId
const user = (n: number) => n.toString(16).padStart(40, "0") as Ids.Address
export const reader = user(1)
export const others = [2, 3, 4, 5].map(user)

/** Records of a little world that began a minute ago: ticks are ms, and stamps tie. */
export class World {
  readonly records: Array<Record> = []
  readonly #startMs: number
  #count = 0

  constructor(startMs = Date.now() - 60_000) {
    this.#startMs = startMs
  }

  #envelope(tick: number) {
    return { node, sig: new Uint8Array(65), sigVersion: 1 as const, hlc: Hlc.make(this.#startMs + tick, 0) }
  }

  group(n: number): Ids.ChatId {
    return Ids.groupChatId(noble, others[0]!, n.toString(16).padStart(32, "0") as Ids.Nonce)
  }

  op(n: number, tick: number, fields: Pick<Op, "op" | "targets"> & Partial<Op>): Op {
    const { hlc, ...envelope } = this.#envelope(tick)
    const nonce = fields.op === opTypes.create ? { nonce: n.toString(16).padStart(32, "0") as Ids.Nonce } : {}
    const whole = {
      ...envelope,
      chatId: this.group(n),
      actor: others[0]!,
      ts: this.#startMs + this.#count++,
      role: roles.member,
      ...nonce,
      ...fields
    }
    const op: Op = { kind: "op", id: Ids.opId(noble, whole), ...whole, hlc, stamp: new Uint8Array(64) }
    this.records.push(op)
    return op
  }

  message(place: number | Ids.Address, sender: Ids.Address, tick: number): Message {
    const peer = typeof place === "number" ? undefined : sender === reader ? place : reader
    const fields = {
      chatId: typeof place === "number" ? this.group(place) : Ids.dmChatId(noble, reader, place),
      sender,
      ts: this.#startMs + this.#count++,
      msgType: 0,
      content: `${tick}`
    }
    const message: Message = {
      kind: "message",
      id: Ids.messageId(noble, fields),
      ...fields,
      ...this.#envelope(tick),
      ...(peer === undefined ? {} : { peer })
    }
    this.records.push(message)
    return message
  }

  read(place: number | Ids.Address, tick: number): void {
    const peer = typeof place === "number" ? {} : { peer: place }
    const fields = {
      chatId: typeof place === "number" ? this.group(place) : Ids.dmChatId(noble, reader, place),
      reader,
      ts: this.#startMs + this.#count++,
      upTo: Hlc.make(this.#startMs + tick, 0)
    }
    this.records.push({ kind: "read", id: Ids.readId(noble, fields), ...fields, ...this.#envelope(tick), ...peer })
  }
}

/** Groups that people come to and leave, some of them silent, and direct conversations. */
export const worldOf = (dice: Dice): World => {
  const world = new World()
  const tick = () => dice.below(40)
  for (let n = 0; n < 12; n++) {
    world.op(n, dice.below(5), { op: opTypes.create, targets: others.filter(() => dice.coin()), title: `${n}` })
    if (dice.below(5) > 0) world.op(n, tick(), { op: opTypes.add, targets: [reader] })
    const live = world.records.filter((record) => record.kind === "op" && record.chatId === world.group(n)) as Array<Op>
    for (let i = dice.below(3); i > 0; i--) {
      const target = [reader, ...others][dice.below(5)]!
      const observed = live.filter(({ targets }) => targets.includes(target)).map(({ id }) => `${id}${target}` as never)
      const op = dice.coin() ? { op: opTypes.add } : { op: opTypes.remove, observed: observed.toSorted() }
      live.push(world.op(n, tick(), { ...op, targets: [target] }))
    }
    for (let i = dice.below(6); i > 0; i--) world.message(n, [reader, ...others][dice.below(5)]!, tick())
    if (dice.coin()) world.read(n, tick())
  }
  for (const peer of others) {
    for (let i = dice.below(4); i > 0; i--) world.message(peer, dice.coin() ? reader : peer, tick())
    if (dice.coin()) world.read(peer, tick())
  }
  return world
}
