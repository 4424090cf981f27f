/**
 * Attacks by records that the protocol takes, or lets wait: what a node of one's own may stamp, what a former admin may date
 * back, what costs others most. All replicas must end with the same of it.
 */
import * as Effect from "effect/Effect"
import * as Bytes from "../../domain/bytes.ts"
import * as Hlc from "../../domain/hlc.ts"
import type { Address, ChatId, OpId } from "../../domain/ids.ts"
import * as Limits from "../../domain/limits.ts"
import { bucketOf } from "../../domain/merkle.ts"
import {
  type Dot,
  dotOf,
  dotTarget,
  type Identity,
  type Message,
  type Op,
  opTypes,
  type Record,
  roles
} from "../../domain/record.ts"
import * as Retention from "../../domain/retention.ts"
import type { Random } from "../random.ts"
import type { Lawful } from "./attacks.ts"
import { wired } from "./forge.ts"
import { dotsOf, type Insider } from "./lore.ts"
import { type Attack, helloOf, insider, type Stage, tell, tellEach, victim } from "./stage.ts"

/** Candidates whose ids are looked at to find some in one bucket. */
const groundMax = 4_096
const replayedMax = 40
const inertOps = 24
const floodSmall = 48
const floodLarge = 12
const edgeRecords = 40
const lateMsMax = 29 * 24 * 3_600_000

const address = (random: Random): Address => Bytes.toHex(random.bytes(20)) as Address
const unknownChat = (random: Random): ChatId => Bytes.toHex(random.bytes(32)) as ChatId
const phantomDot = (random: Random, target: Address): Dot => dotOf(Bytes.toHex(random.bytes(32)) as OpId, target)

/** Another stamp that the 90 s rule allows, and a mark's position; the bounds themselves as often as not. */
const near = (record: Record, random: Random): Hlc.Hlc => {
  const { stampMsMax } = Limits
  const off = random.chance(0.3) ? random.pick([-stampMsMax, stampMsMax]) : random.between(-stampMsMax, stampMsMax)
  const stamp = Hlc.make(Math.max(0, record.ts + off), random.between(0, 0xffff))
  return record.kind === "read" ? Hlc.max(record.upTo, stamp) : stamp
}

/** A legal op of one who is, or was, an admin. */
const someOp = (stage: Stage, { group, user }: Insider, random: Random, at: ReturnType<Stage["forge"]["at"]>): Op => {
  const { chatId } = group
  const target = victim(stage, random)
  const say = (rest: { readonly op: Op["op"]; readonly [key: string]: unknown }) =>
    stage.forge.op(user, { chatId, ...rest }, at)
  return random.weighted<() => Op>([
    [3, () => say({ op: opTypes.add, targets: [target] })],
    [2, () => say({ op: opTypes.add, role: roles.admin, targets: [random.pick(stage.users).address] })],
    [2, () => say({ op: opTypes.setTitle, title: `title ${random.word()}` })],
    [1, () => say({ op: opTypes.remove, targets: [user.address], observed: [] })],
    [3, () => {
      const dots = dotsOf(group)
      if (dots.length === 0) return say({ op: opTypes.setTitle, title: "" })
      const chosen = random.shuffle(dots).slice(0, random.between(1, 3))
      const targets = [...new Set(chosen.map(dotTarget))]
      return say({ op: opTypes.remove, targets, observed: chosen })
    }]
  ])()
}

/** Different variants of one thing to different nodes, by the way that reaches just one. */
const pushEach = (stage: Stage, variants: ReadonlyArray<Record>): void => {
  stage.peers.forEach((peer, i) => {
    const record = variants[i % variants.length]!
    stage.lead(peer, (talk) =>
      Effect.gen(function*() {
        const theirs = yield* talk.ask(helloOf(stage))
        if (theirs._tag !== "Hello") return
        yield* talk.ask({ _tag: "Push", records: [wired(record)] })
        yield* talk.say({ _tag: "End" })
      }))
  })
}

const variantsOf = (stage: Stage, random: Random): ReadonlyArray<Record> => {
  const { forge, nowMs } = stage
  const known = stage.lore.pick(random)
  if (known !== undefined && known.kind !== "op" && random.chance(0.5)) {
    return [0, 1, 2].map(() => ({ ...known, hlc: near(known, random) }))
  }
  const op = someOp(stage, insider(stage, random), random, forge.at(nowMs, random.between(0, 9)))
  const dots = op.observed
  const other = dots === undefined ? undefined : [phantomDot(random, op.targets[0]!)]
  return [op, forge.restamp(op, near(op, random)), forge.restamp(op, near(op, random), other ?? dots)]
}

/** When a former admin may have said something: within her term, and now. */
const inTerm = (stage: Stage, { since }: Insider, random: Random) => {
  const from = Math.max(1, Hlc.physicalMs(since))
  return stage.forge.at(random.between(Math.min(from, stage.nowMs), stage.nowMs), random.between(0, 0xffff))
}

const backDated = (stage: Stage, random: Random): ReadonlyArray<Record> => {
  const { forge, nowMs } = stage
  const user = random.pick(stage.users)
  const group = insider(stage, random)
  const agedMs = Retention.cutoffMs(nowMs)
  const when = () => forge.at(nowMs - random.between(1, lateMsMax), random.between(0, 9))
  const someone = victim(stage, random)
  const read = (at: ReturnType<typeof when>) =>
    forge.read(group.user, { chatId: group.group.chatId }, at.hlc - 1n as Hlc.Hlc, at)
  return [
    forge.direct(user, someone, `old ${random.word()}`, when()),
    forge.message(group.user, { chatId: group.group.chatId }, `old ${random.word()}`, when()),
    forge.message(group.user, { chatId: group.group.chatId }, "in term", inTerm(stage, group, random)),
    read(when()),
    forge.identity(user, random.bytes(5), random.pick([when(), forge.at(1)])),
    // too old for everybody
    forge.direct(user, someone, "aged", forge.at(agedMs - 3_600_000)),
    forge.direct(user, someone, "ancient", forge.at(1)),
    read(forge.at(agedMs - 3_600_000)),
    { ...forge.op(group.user, { chatId: group.group.chatId, op: opTypes.setTitle, title: "at 0" }, forge.at(1)) }
  ]
}

const aheadMs = [59_000, 60_000, 60_001, 61_000, 70_000, 150_000, 600_000, 7 * 3_600_000, 253_370_764_800_000]

const future = (stage: Stage, random: Random): ReadonlyArray<Record> => {
  const { forge, nowMs } = stage
  const who = insider(stage, random)
  return aheadMs.flatMap((ms) => {
    const when = forge.at(Math.min(ms > 1e12 ? ms : nowMs + ms, Limits.tsMsEnd - 1), random.between(0, 9))
    return random.pick<() => ReadonlyArray<Record>>([
      () => [forge.direct(who.user, victim(stage, random), `ahead ${ms}`, when)],
      () => [forge.identity(random.pick(stage.users), Bytes.fromText(`ahead ${ms}`), when)],
      () => [someOp(stage, who, random, when)],
      () => [forge.read(who.user, { chatId: who.group.chatId }, when.hlc, when)]
    ])()
  })
}

/** Ops that change nothing at their place. */
const inert = (stage: Stage, random: Random): ReadonlyArray<Op> => {
  const who = insider(stage, random)
  const { group, user } = who
  const { chatId } = group
  const target = victim(stage, random)
  return Array.from({ length: inertOps }, (_, i) => {
    const at = inTerm(stage, who, random)
    const say = random.pick([
      { op: opTypes.remove, targets: [target], observed: [] },
      { op: opTypes.remove, targets: [address(random)], observed: [] },
      { op: opTypes.setTitle, title: "" },
      { op: opTypes.setTitle, title: `the same ${i % 2}` },
      { op: opTypes.add, targets: [user.address] }
    ])
    return stage.forge.op(user, { chatId, ...say }, at)
  })
}

const heavyRemoval = (stage: Stage, random: Random): ReadonlyArray<Op> => {
  const { group, user } = insider(stage, random)
  const targets = [victim(stage, random), address(random)]
  const dots = Array.from({ length: Limits.observedMax + 1 }, (_, i) => phantomDot(random, targets[i % 2]!))
  const say = (observed: ReadonlyArray<Dot>, logical: number) =>
    stage.forge.op(
      user,
      { chatId: group.chatId, op: opTypes.remove, targets, observed },
      stage.forge.at(stage.nowMs, logical)
    )
  // the second names one more than may be
  return [say(dots.slice(1), 0), say(dots, 1)]
}

const largest = (stage: Stage, random: Random): ReadonlyArray<Record> => {
  const { forge, nowMs } = stage
  const { group, user } = insider(stage, random)
  const when = forge.at(nowMs)
  const { chatId } = group
  const content = random.pick(["a".repeat(Limits.contentBytesMax), "é".repeat(Limits.contentBytesMax / 2)])
  return [
    forge.direct(user, victim(stage, random), content, when, random.bytes(Limits.controlBytesMax)),
    forge.message(user, { chatId }, content, when),
    forge.identity(user, random.bytes(Limits.identityBytesMax), when),
    forge.op(user, { chatId, op: opTypes.setTitle, title: "t".repeat(Limits.titleBytesMax) }, when),
    forge.op(
      user,
      { chatId, op: opTypes.add, targets: Array.from({ length: Limits.targetsMax }, () => address(random)) },
      when
    )
  ]
}

/** What lacks a prerequisite that never comes: small and many, or few and large. */
const lacking = (stage: Stage, random: Random): ReadonlyArray<Record> => {
  const { forge, nowMs } = stage
  const isLarge = random.chance(0.5)
  const text = isLarge ? "w".repeat(Limits.contentBytesMax) : "w"
  const control = new Uint8Array(isLarge ? Limits.controlBytesMax : 1)
  return Array.from({ length: isLarge ? floodLarge : floodSmall }, (_, i) => {
    const user = random.pick(stage.users)
    const at = forge.at(nowMs - i, random.between(0, 99))
    const groups = stage.lore.groups.filter(({ authority }) => !authority.isWriter(user.address))
    const chatId = groups.length > 0 && random.chance(0.5) ? random.pick(groups).chatId : unknownChat(random)
    return !isLarge && random.chance(0.5)
      ? forge.op(user, { chatId, op: opTypes.add, targets: [user.address] }, at)
      : forge.message(user, { chatId }, text, at, control)
  })
}

/** Records of its own whose ids share a bucket: as many as little work finds. */
const ground = (stage: Stage, random: Random): ReadonlyArray<Record> => {
  const { forge, nowMs } = stage
  const { hashes } = forge
  const user = random.pick(stage.users)
  const base = random.word()
  const byBucket = new Map<number, Array<string>>()
  const chatId = forge.direct(user, user.address, "", forge.at(nowMs)).chatId
  const prefix = Bytes.concat([
    Bytes.fromText("p2p-mes/msg/v1"),
    Bytes.fromHex(chatId + user.address),
    Bytes.u64be(nowMs)
  ])
  for (let i = 0; i < groundMax; i++) {
    const content = `${base} ${i}`
    const id = hashes.blake3(
      Bytes.concat([prefix, Bytes.u8(0), Bytes.len32(Bytes.fromText(content)), Bytes.opt(undefined)])
    )
    const bucket = bucketOf(Bytes.toHex(id.subarray(0, 2)))
    const same = byBucket.get(bucket)
    if (same === undefined) byBucket.set(bucket, [content])
    else same.push(content)
  }
  const fullest = [...byBucket.values()].sort((a, b) => b.length - a.length).slice(0, 4).flat()
  return fullest.map((content, i): Message =>
    forge.message(user, { chatId, peer: user.address }, content, forge.at(nowMs, i))
  )
}

export const lawful: { readonly [A in Lawful]: Attack } = {
  "restamp-near": (stage, random) => {
    for (let i = 0; i < 3; i++) {
      const known = stage.lore.pick(random)
      if (known === undefined) return
      tellEach(stage, [0, 1, 2].map(() => ({ ...known, hlc: near(known, random) })).filter(({ kind }) => kind !== "op"))
    }
  },
  /** The op of an own user, stamped again and again. */
  "op-variants": (stage, random) => {
    const op = someOp(stage, insider(stage, random), random, stage.forge.at(stage.nowMs, random.between(0, 9)))
    const again = [0, 1, 2].map(() => stage.forge.restamp(op, near(op, random)))
    tellEach(stage, random.shuffle([op, ...again]))
  },
  "equivocate": (stage, random) => pushEach(stage, random.shuffle(variantsOf(stage, random))),
  "back-date-ops": (stage, random) => {
    const who = insider(stage, random)
    const count = random.between(1, 6)
    tellEach(stage, Array.from({ length: count }, () => someOp(stage, who, random, inTerm(stage, who, random))))
  },
  "back-date-records": (stage, random) => tellEach(stage, backDated(stage, random)),
  "future-records": (stage, random) => tellEach(stage, future(stage, random)),
  /** As far ahead as is taken at once, with counters that are full: each drives clocks to their bound. */
  "clock-edge": (stage, random) => {
    const { forge, nowMs } = stage
    const user = random.pick(stage.users)
    tell(
      stage,
      Array.from({ length: edgeRecords }, (_, i): Identity => {
        const ms = nowMs + i * 2
        return forge.identity(user, Bytes.u32be(i), {
          ts: ms,
          hlc: Hlc.make(ms + Limits.driftMsMax, 0xffff),
          node: forge.key.id
        })
      })
    )
  },
  "inert-ops": (stage, random) => tell(stage, inert(stage, random)),
  "phantom-removal": (stage, random) => {
    const { group, user } = insider(stage, random)
    const target = victim(stage, random)
    const removal = (observed: ReadonlyArray<Dot>, logical: number) =>
      stage.forge.op(
        user,
        { chatId: group.chatId, op: opTypes.remove, targets: [target], observed },
        stage.forge.at(stage.nowMs, logical)
      )
    tellEach(stage, [
      removal([phantomDot(random, target), phantomDot(random, target)], 0),
      removal([phantomDot(random, address(random))], 1),
      removal(dotsOf(group).slice(0, 50), 2),
      removal([], 3)
    ])
  },
  "heavy-removal": (stage, random) => tellEach(stage, heavyRemoval(stage, random)),
  "largest-records": (stage, random) => tellEach(stage, largest(stage, random)),
  /** A group with everybody in it, whether they like it or not. */
  "own-group": (stage, random) => {
    const { forge, nowMs } = stage
    const user = random.pick(stage.users)
    const someone = victim(stage, random)
    const create = forge.create(
      user,
      random.bytes(16),
      [someone, victim(stage, random)].filter(distinct),
      forge.at(nowMs)
    )
    const { chatId } = create
    const all: ReadonlyArray<Record> = [
      create,
      forge.op(user, { chatId, op: opTypes.add, role: roles.admin, targets: [someone] }, forge.at(nowMs, 1)),
      forge.message(user, { chatId }, "welcome", forge.at(nowMs, 2)),
      forge.op(user, { chatId, op: opTypes.setTitle, title: "mine" }, forge.at(nowMs, 3))
    ]
    for (const record of all) stage.lore.learn(record)
    tellEach(stage, random.shuffle(all))
  },
  /** As it came, and the same records in other company, so that no memory of messages helps. */
  "replay": (stage, random) => {
    const { payloads, records } = stage.lore
    for (const payload of random.shuffle(payloads).slice(0, replayedMax)) stage.gossip(payload)
    for (let i = 0; i < 4; i++) {
      const some = random.shuffle(records).slice(0, random.between(1, 40))
      if (some.length > 0) tell(stage, some)
    }
    const one = stage.lore.pick(random)
    if (one === undefined) return
    for (let i = 1; i < 8; i++) tell(stage, Array.from({ length: i }, () => one))
  },
  "waiting-flood": (stage, random) => tell(stage, lacking(stage, random)),
  "grind": (stage, random) => tell(stage, ground(stage, random))
}

const distinct = (each: Address, i: number, all: ReadonlyArray<Address>): boolean => all.indexOf(each) === i
