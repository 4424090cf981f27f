/**
 * How a hostile peer answers rounds that honest nodes lead. It shows a set (`mirror.ts`) and says what an honest node
 * with that set would, except where its lie begins.
 */
import * as Effect from "effect/Effect"
import * as Bytes from "../../domain/bytes.ts"
import { leavesCount } from "../../domain/limits.ts"
import { bucketOf } from "../../domain/merkle.ts"
import { domainOf, domains, type Record } from "../../domain/record.ts"
import * as Frames from "../../domain/sync-frames.ts"
import type { ChannelError } from "../../services/Network.ts"
import type { Random } from "../random.ts"
import type { AnswerLie } from "./attacks.ts"
import { wired } from "./forge.ts"
import { Mirror } from "./mirror.ts"
import { helloLie, junkFrame } from "./rounds.ts"
import { helloOf, type Stage, victim } from "./stage.ts"
import type { Talk } from "./talk.ts"

/** Frames answered in one round. */
const framesMax = 2_000
/** Between 20 s and what an honest node waits. */
const slowMs = [20_000, 29_500] as const
/** Digests that a lie adds: a few, more than are forgiven, or as much as a catch-up needs. */
const inventedFew = 20
const inventedMany = 1_300
const inventedCatchUp = 400
/** Hashes of one answer that are made up: all would have every bucket compared, at a cost that no run can pay often. */
const wrongHashes = 3
/** Digests in a list that has no end. */
const listedFew = 16

type Answer = Frames.Frame | Uint8Array | "silence"

/** A way to answer one round; what is not told apart is answered as an honest node would. */
interface Way {
  /** Changes the set that is shown. */
  readonly show?: (mirror: Mirror) => void
  readonly hello?: (hello: Frames.Hello) => Answer
  readonly answer?: (frame: Frames.Frame, truth: Frames.Frame | undefined, mirror: Mirror) => Answer | undefined
  readonly pauseMs?: () => number
}

const invented = (random: Random, count: number) => (mirror: Mirror): void => {
  const domain = random.pick(domains)
  for (let i = 0; i < count; i++) mirror.invent(domain, random.between(0, leavesCount - 1), random.bytes(32))
}

/** Records of an own user under signatures that prove nothing. */
const forged = (stage: Stage, random: Random): ReadonlyArray<Record> =>
  Array.from({ length: 3 }, (_, i) => {
    const at = stage.forge.at(stage.nowMs - 30_000, i)
    const user = random.pick(stage.users)
    const made = stage.forge.direct(user, victim(stage, random), `shown ${random.word()}`, at)
    return random.chance(0.5)
      ? { ...made, sig: Bytes.concat([random.bytes(31), Uint8Array.of(1), made.sig.subarray(32)]) }
      : stage.forge.direct({ ...user, address: victim(stage, random) }, user.address, "not hers", at)
  })

/** A page that no stream has: out of order, again, from elsewhere, or empty with more to come. */
const pageLie = (frame: Frames.Frame, mirror: Mirror, random: Random): Frames.Frame | undefined => {
  if (frame._tag !== "Stream") return undefined
  const all = mirror.streamed(frame.kind).map((record) => wired(record).bytes)
  const next = random.bytes(8)
  return random.pick<() => Frames.Frame>([
    () => ({ _tag: "Page", records: [], next }),
    () => ({ _tag: "Page", records: all.toReversed(), next }),
    () => ({ _tag: "Page", records: all.slice(0, 5), next }),
    () => ({ _tag: "Page", records: [...all.slice(0, 1), ...all.slice(0, 1)] }),
    () => ({ _tag: "Page", records: [random.bytes(50)], next }),
    () => ({ _tag: "Page", records: [] })
  ])()
}

/** The digest that follows, in its first eight bytes, where a comparison sees it. */
const following = (digest: Uint8Array): Uint8Array => {
  const next = digest.slice()
  for (let i = 7; i >= 0; i--) {
    next[i] = next[i]! + 1 & 0xff
    if (next[i] !== 0) break
  }
  return next
}

/**
 * A list that is always cut right behind its beginning: it has nothing that one could ask for, or only what there is not.
 */
const endless = (frame: Frames.Frame, isEmpty: boolean): Frames.Frame | undefined => {
  if (frame._tag !== "List") return undefined
  const digests = [following(frame.after ?? new Uint8Array(32))]
  while (digests.length < listedFew) digests.push(following(digests.at(-1)!))
  const list = isEmpty
    ? new Uint8Array(frame.bytes).fill(0xff)
    : Bytes.concat(digests.map((digest) => digest.subarray(0, frame.bytes)))
  return { _tag: "Digests", lists: [list], last: digests.at(-1) }
}

const wayOf: { readonly [A in AnswerLie]: (stage: Stage, random: Random) => Way } = {
  "answer-wrong-roots": (_, random) => ({
    hello: (hello) => ({ ...hello, roots: [random.bytes(32), random.bytes(32), random.bytes(32)] }),
    answer: (_frame, truth) => {
      if (truth?._tag !== "Hashes") return truth
      const hashes = truth.hashes.slice()
      for (let i = 0; i < wrongHashes; i++) hashes.set(random.bytes(8), random.between(0, hashes.length / 8 - 1) * 8)
      return { ...truth, hashes }
    }
  }),
  "answer-endless-counts": (_, random) => ({
    show: invented(random, inventedCatchUp),
    hello: (hello) => ({
      ...hello,
      counts: [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]
    })
  }),
  "answer-endless-lists": (_, random) => {
    const isEmpty = random.chance(0.5)
    return { show: invented(random, inventedFew), answer: (frame, truth) => endless(frame, isEmpty) ?? truth }
  },
  "answer-false-claims": (_, random) => ({ show: invented(random, random.pick([inventedFew, inventedMany])) }),
  "answer-other-records": (_, random) => ({
    show: invented(random, inventedFew),
    answer: (frame, truth, mirror) => {
      if (frame._tag !== "Pull" || truth?._tag !== "Records") return truth
      const known = domains.flatMap(() => mirror.streamed(random.pick(["message", "op", "read", "identity"]))).slice(
        0,
        3
      )
      return { ...truth, records: known.map(wired), done: random.pick([truth.done, 0, truth.done + 1]) }
    }
  }),
  "answer-forged-records": (stage, random) => ({
    show: (mirror) => {
      for (const record of forged(stage, random)) {
        mirror.invent(domainOf(record), bucketOf(record.id), stage.forge.digest(record), record)
      }
    }
  }),
  "answer-wrong-audit": (_, random) => ({
    answer: (_frame, truth) =>
      truth?._tag === "Audited"
        ? { ...truth, hashes: random.bytes(random.pick([truth.hashes.length, truth.hashes.length, 31])) }
        : truth
  }),
  "answer-page-lies": (_, random) => ({
    show: invented(random, inventedCatchUp),
    answer: (frame, truth, mirror) => pageLie(frame, mirror, random) ?? truth
  }),
  "answer-stall": (_, random) => {
    let left = random.between(0, 5)
    return { show: invented(random, inventedFew), answer: (_frame, truth) => left-- > 0 ? truth : "silence" }
  },
  /** As slow as it may be, with lists that go on and on: to keep a place among those that a node leads. */
  "answer-slowly": (_, random) => ({
    show: invented(random, inventedFew),
    answer: (frame, truth) => endless(frame, false) ?? truth,
    pauseMs: () => random.between(...slowMs)
  }),
  "answer-junk": (_, random) => {
    let left = random.between(0, 4)
    return {
      show: invented(random, inventedFew),
      answer: (_frame, truth) => left-- > 0 ? truth : junkFrame(random)
    }
  },
  "answer-hello-lies": (_, random) => ({ hello: (hello) => helloLie(hello, random) }),
  "answer-refuse": (stage, random) => ({
    hello: () => ({ _tag: "Refuse", reason: random.pick(Frames.refusals), wallMs: stage.nowMs })
  })
}

/** Answers as one who holds what it has learnt, and takes what it is given. */
const honestly: Way = {}

const send = (talk: Talk, answer: Answer): Effect.Effect<boolean, ChannelError> =>
  answer === "silence"
    ? Effect.succeed(false)
    : Effect.as(answer instanceof Uint8Array ? talk.bytes(answer) : talk.say(answer), true)

/** Says nothing more, until the other end has had enough. */
const silence = (talk: Talk): Effect.Effect<never, ChannelError> => Effect.forever(talk.hear)

/** Answers one round, with a lie or without. Ends with the stream. */
export const answerRound = Effect.fnUntraced(
  function*(stage: Stage, talk: Talk, lie: AnswerLie | undefined, random: Random) {
    const way = lie === undefined ? honestly : wayOf[lie](stage, random)
    const theirs = yield* talk.hear
    if (theirs._tag !== "Hello") return
    const mirror = new Mirror(stage.forge.hashes, stage.lore.records, theirs.horizonMs)
    way.show?.(mirror)
    const hello = helloOf(stage, { horizonMs: theirs.horizonMs, counts: mirror.counts(), roots: mirror.roots() })
    if (!(yield* send(talk, way.hello?.(hello) ?? hello))) return yield* silence(talk)
    for (let frames = 0; frames < framesMax; frames++) {
      const frame = yield* talk.hear
      if (frame._tag === "End") return
      const truth = mirror.answer(frame)
      const answer = way.answer === undefined ? truth : way.answer(frame, truth, mirror)
      if (answer === undefined) return
      if (way.pauseMs !== undefined) yield* Effect.sleep(way.pauseMs())
      if (!(yield* send(talk, answer))) return yield* silence(talk)
    }
  }
)
