/** Attacks by records and messages that are invalid for ever: no honest node may keep any of it, or pass it on. */
import * as Bytes from "../../domain/bytes.ts"
import * as Payload from "../../domain/gossip-payload.ts"
import * as Hlc from "../../domain/hlc.ts"
import * as Limits from "../../domain/limits.ts"
import { opTypes, type Record } from "../../domain/record.ts"
import type { Random } from "../random.ts"
import type { User } from "../users.ts"
import type { Forgery } from "./attacks.ts"
import { wired } from "./forge.ts"
import { type Attack, insider, type Stage, tell, tellEach, victim } from "./stage.ts"

/** The order n of secp256k1. */
const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

const toBytes32 = (x: bigint): Uint8Array => Bytes.fromHex(x.toString(16).padStart(64, "0"))

/** The other signature of the same text, with s above n/2: right for a library, and not for this protocol. */
const highS = (sig: Uint8Array): Uint8Array => {
  const s = BigInt(`0x${Bytes.toHex(sig.subarray(32, 64))}`)
  return Bytes.concat([sig.subarray(0, 32), toBytes32(order - s), Uint8Array.of(1 - sig[64]!)])
}

const spoil = (sig: Uint8Array, random: Random): Uint8Array => {
  const rest = sig.subarray(0, 64)
  return random.pick<() => Uint8Array>([
    () => Bytes.concat([rest, Uint8Array.of(1 - sig[64]!)]),
    () => Bytes.concat([rest, Uint8Array.of(random.between(2, 255))]),
    () => highS(sig),
    () => new Uint8Array(65),
    () => Bytes.concat([sig.subarray(0, 32), new Uint8Array(32), sig.subarray(64)]),
    () => Bytes.concat([toBytes32(order), sig.subarray(32)]),
    () => Bytes.concat([random.bytes(31), Uint8Array.of(1), sig.subarray(32)])
  ])()
}

/** A stamp that would win over the true one. */
const better = (record: Record): Hlc.Hlc =>
  (record.kind === "message" || record.kind === "op" ? record.hlc - 1n : record.hlc + 1n) as Hlc.Hlc

/** Somebody's record that it has seen, or, before it has, one of its own users'. */
const seen = (stage: Stage, random: Random): Record => stage.lore.pick(random) ?? fresh(stage, random)

const fresh = (stage: Stage, random: Random): Record =>
  stage.forge.direct(
    random.pick(stage.users),
    victim(stage, random),
    `text ${random.word()}`,
    stage.forge.at(stage.nowMs)
  )

const altered = (record: Record, random: Random): Record => {
  const ts = { ...record, ts: record.ts + random.pick([-1, 1]) }
  switch (record.kind) {
    case "message":
      return random.pick([ts, { ...record, content: `${record.content}!` }, {
        ...record,
        msgType: 255 - record.msgType
      }, {
        ...record,
        control: Bytes.concat([record.control ?? new Uint8Array(), Uint8Array.of(1)])
      }])
    case "op": {
      const targets = [...record.targets, Bytes.toHex(random.bytes(20)) as typeof record.targets[number]].sort()
      return random.pick([
        ts,
        { ...record, hlc: better(record) },
        record.op === opTypes.setTitle
          ? { ...record, title: `${record.title ?? ""}!`.slice(-40) }
          : { ...record, targets },
        record.observed === undefined ? { ...record, stamp: random.bytes(64) } : { ...record, observed: [] }
      ])
    }
    case "read":
      return random.pick([ts, { ...record, upTo: record.upTo - 1n as Hlc.Hlc }, { ...record, upTo: record.hlc }])
    case "identity":
      return random.pick([ts, { ...record, blob: random.bytes(8) }])
  }
}

/** Signs with its own key what is said to be another's. */
const impostor = (stage: Stage, user: User, random: Random): User => ({ ...user, address: victim(stage, random) })

const ofImpostor = (stage: Stage, random: Random): ReadonlyArray<Record> => {
  const { forge, nowMs } = stage
  const { group, user: own } = insider(stage, random)
  const user = impostor(stage, own, random)
  const when = forge.at(nowMs, random.between(0, 99))
  const place = { chatId: group.chatId }
  return [
    forge.message(user, place, `not hers ${random.word()}`, when),
    forge.direct(user, victim(stage, random), `not hers ${random.word()}`, when),
    forge.identity(user, random.bytes(4), when),
    forge.read(user, place, Hlc.make(nowMs - 1, 0), when),
    forge.op(user, { ...place, op: opTypes.setTitle, title: `not hers ${random.word()}` }, when)
  ]
}

const oversize = (stage: Stage, random: Random): ReadonlyArray<Record> => {
  const { forge, nowMs } = stage
  const { group, user } = insider(stage, random)
  const when = forge.at(nowMs)
  const { chatId } = group
  const someone = victim(stage, random)
  const addresses = (count: number) =>
    Array.from({ length: count }, () => Bytes.toHex(random.bytes(20)) as typeof someone)
  return [
    forge.direct(user, someone, "a".repeat(Limits.contentBytesMax + 1), when),
    forge.direct(user, someone, `${"é".repeat(Limits.contentBytesMax / 2)}a`, when),
    forge.direct(user, someone, "", when, new Uint8Array(Limits.controlBytesMax + 1)),
    forge.identity(user, new Uint8Array(Limits.identityBytesMax + 1), when),
    forge.op(user, { chatId, op: opTypes.setTitle, title: "t".repeat(Limits.titleBytesMax + 1) }, when),
    forge.op(user, { chatId, op: opTypes.add, targets: addresses(Limits.targetsMax + 1) }, when)
  ]
}

/** {"Batch": [...]} of whatever maps. */
const batchOf = (maps: ReadonlyArray<Uint8Array>): Uint8Array => {
  const count = maps.length < 24 ? Uint8Array.of(0x80 + maps.length) : Uint8Array.of(0x98, maps.length)
  return Bytes.concat([Uint8Array.of(0xa1, 0x65), Bytes.fromText("Batch"), count, ...maps])
}

const payloadOf = (record: Record): Uint8Array => Payload.encode([wired(record)])

const junk = (random: Random): Uint8Array =>
  random.pick<() => Uint8Array>([
    () => random.bytes(random.between(1, 300)),
    () => new Uint8Array(),
    () => new Uint8Array(Limits.gossipBytesMax),
    // arrays in arrays
    () => new Uint8Array(random.between(100, 50_000)).fill(0x81),
    // a text of 2^32 bytes, so it says
    () => Bytes.concat([Uint8Array.of(0xa1, 0x7a, 0xff, 0xff, 0xff, 0xff), random.bytes(20)]),
    () => batchOf([]),
    // an unknown variant, two variants, and an array that does not say how long it is
    () => Bytes.concat([Uint8Array.of(0xa1, 0x63), Bytes.fromText("Put"), Uint8Array.of(0xa0)]),
    () => Bytes.concat([Uint8Array.of(0xa2, 0x61, 0x61, 0x00, 0x61, 0x62, 0x00)]),
    () => Bytes.concat([Uint8Array.of(0xa1, 0x65), Bytes.fromText("Batch"), Uint8Array.of(0x9f, 0xff)])
  ])()

const damaged = (payload: Uint8Array, random: Random): Uint8Array => {
  const copy = payload.slice()
  const at = random.between(0, copy.length - 1)
  return random.pick<() => Uint8Array>([
    () => copy.subarray(0, at),
    () => Bytes.concat([copy, random.bytes(random.between(1, 3))]),
    () => {
      copy[at]! ^= 1 << random.between(0, 7)
      return copy
    }
  ])()
}

export const forgeries: { readonly [A in Forgery]: Attack } = {
  /** Fresh texts, and known ones under a stamp that would win, with signatures that prove nothing. */
  "forge-signature": (stage, random) => {
    const known = seen(stage, random)
    const made = fresh(stage, random)
    tellEach(stage, [
      { ...known, hlc: better(known), sig: spoil(known.sig, random) },
      { ...made, sig: spoil(made.sig, random) },
      { ...known, hlc: better(known), sig: made.sig }
    ])
  },
  "forge-author": (stage, random) => {
    tellEach(stage, ofImpostor(stage, random))
  },
  /** Ops that it has seen, at a place before their own, with stamps that their node did not give. */
  "forge-stamp": (stage, random) => {
    const ops = random.shuffle(stage.lore.ofKind("op")).slice(0, 3)
    tellEach(
      stage,
      ops.flatMap((op) => [
        { ...op, hlc: better(op) },
        // its own key's, over an op that names another node
        { ...stage.forge.restamp(op, better(op)), node: op.node },
        { ...op, hlc: better(op), stamp: random.bytes(64) }
      ])
    )
  },
  "alter-record": (stage, random) => {
    tellEach(stage, [0, 1, 2].map(() => altered(seen(stage, random), random)))
  },
  "restamp-far": (stage, random) => {
    const off = Limits.stampMsMax + random.pick([1, 2, 1_000, 3_600_000])
    tellEach(
      stage,
      [0, 1, 2].map(() => {
        const record = seen(stage, random)
        return { ...record, hlc: Hlc.make(Math.max(0, record.ts + random.pick([-off, off])), random.between(0, 9)) }
      })
    )
  },
  "wrong-peer": (stage, random) => {
    const { forge, nowMs } = stage
    const user = random.pick(stage.users)
    const when = forge.at(nowMs)
    const right = forge.direct(user, victim(stage, random), "to you", when)
    const wrong = Bytes.toHex(random.bytes(20)) as typeof user.address
    const { group } = insider(stage, random)
    tellEach(stage, [
      { ...right, peer: wrong },
      forge.message(user, { chatId: right.chatId, peer: wrong }, "to whom", when),
      forge.message(user, { chatId: group.chatId, peer: wrong }, "to a group", when),
      forge.read(user, { chatId: right.chatId, peer: wrong }, Hlc.make(nowMs - 1, 0), when)
    ])
  },
  "mark-above-stamp": (stage, random) => {
    const { forge, nowMs } = stage
    const { group, user } = insider(stage, random)
    const when = forge.at(nowMs)
    const { chatId, peer } = forge.direct(user, victim(stage, random), "", when)
    tellEach(
      stage,
      [{ chatId: group.chatId }, { chatId, peer }].map((place) =>
        forge.read(user, place, when.hlc + BigInt(random.pick([1, 0x10000, 2 ** 40])) as Hlc.Hlc, when)
      )
    )
  },
  "oversize-record": (stage, random) => tellEach(stage, oversize(stage, random)),
  /** A Create of somebody else's group. */
  "foreign-create": (stage, random) => {
    const user = random.pick(stage.users)
    const chatId = stage.lore.groups.length === 0 ? undefined : random.pick(stage.lore.groups).chatId
    const create = stage.forge.create(user, random.bytes(16), [], stage.forge.at(stage.nowMs))
    const { nonce } = create
    if (chatId === undefined || nonce === undefined) return
    const at = stage.forge.at(stage.nowMs, 1)
    tellEach(stage, [stage.forge.op(user, { chatId, op: opTypes.create, nonce, targets: [] }, at), {
      ...create,
      chatId
    }])
  },
  "junk-gossip": (stage, random) => {
    for (let i = 0; i < 5; i++) stage.gossip(junk(random))
  },
  "truncated-gossip": (stage, random) => {
    for (let i = 0; i < 5; i++) {
      const { payloads } = stage.lore
      stage.gossip(damaged(payloads.length > 0 ? random.pick(payloads) : payloadOf(fresh(stage, random)), random))
    }
  },
  "nested-batch": (stage, random) => {
    const one = payloadOf(fresh(stage, random))
    stage.gossip(batchOf([batchOf([one])]))
    stage.gossip(batchOf([one, batchOf([payloadOf(fresh(stage, random))])]))
    stage.gossip(batchOf(Array.from({ length: Limits.batchRecordsMax + 1 }, () => one)))
  },
  /** Good ones with what is bad, early, waits, or is known, in any order. */
  "mixed-batch": (stage, random) => {
    const { forge, nowMs } = stage
    const good = [fresh(stage, random), fresh(stage, random)]
    const known = seen(stage, random)
    const early = forge.identity(random.pick(stage.users), random.bytes(3), forge.at(nowMs + 70_000))
    const lacking = forge.message(
      random.pick(stage.users),
      { chatId: Bytes.toHex(random.bytes(32)) as Parameters<typeof forge.message>[1]["chatId"] },
      "nowhere",
      forge.at(nowMs)
    )
    const bad = { ...fresh(stage, random), sig: random.bytes(65) }
    for (const rest of [[bad], [early], [lacking], [known], [known, early, lacking, bad]]) {
      tell(stage, random.shuffle([...good, ...rest]))
    }
  }
}
