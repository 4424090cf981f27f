/** Attacks by rounds of sync that the hostile peer leads: lies, junk, and questions without end. */
import * as Effect from "effect/Effect"
import * as Bytes from "../../domain/bytes.ts"
import type { Hlc } from "../../domain/hlc.ts"
import { horizonMs } from "../../domain/horizon.ts"
import type { ChatId } from "../../domain/ids.ts"
import { leavesCount } from "../../domain/limits.ts"
import { domains, type Record } from "../../domain/record.ts"
import * as Frames from "../../domain/sync-frames.ts"
import type { Random } from "../random.ts"
import type { RoundLie } from "./attacks.ts"
import { wired } from "./forge.ts"
import { type Attack, helloOf, type Stage, victim } from "./stage.ts"
import type { Talk } from "./talk.ts"

/** Questions of one kind in one talk. */
const questionsMax = 150
const streamsTried = 20
const hugeBytes = 2 * 1024 * 1024
const hourMs = 3_600_000

/** Bytes that are no frame, or hardly one. */
export const junkFrame = (random: Random): Uint8Array =>
  random.pick<() => Uint8Array>([
    () => random.bytes(random.between(1, 200)),
    () => new Uint8Array(),
    () => new Uint8Array(random.between(10, 50_000)).fill(0x81),
    () => Bytes.concat([Uint8Array.of(0x9a, 0xff, 0xff, 0xff, 0xff), random.bytes(9)]),
    () => Bytes.concat([Uint8Array.of(0x82, 0x18, 99), random.bytes(3)]),
    () => Frames.encode({ _tag: "Hashes", hashes: random.bytes(64) }).subarray(0, 20)
  ])()

/** Hellos that no honest node says. */
export const helloLie = (hello: Frames.Hello, random: Random): Frames.Hello =>
  random.pick<() => Frames.Hello>([
    () => ({ ...hello, wallMs: hello.wallMs + random.pick([-hourMs, hourMs]) }),
    () => ({ ...hello, wallMs: hello.wallMs + random.pick([-60_001, 60_001]) }),
    () => ({ ...hello, wallMs: random.pick([0, Number.MAX_SAFE_INTEGER]) }),
    () => ({ ...hello, network: random.pick(["elsewhere", " ", "\u0000"]) }),
    () => ({ ...hello, version: random.pick([0, 2, 0xffff]) }),
    () => ({ ...hello, keyCheck: random.bytes(8) }),
    () => ({ ...hello, horizonMs: random.pick([0, 1, Number.MAX_SAFE_INTEGER]) }),
    () => ({ ...hello, horizonMs: hello.horizonMs + random.pick([1, -1, hourMs, -hourMs]) }),
    () => ({ ...hello, counts: [Number.MAX_SAFE_INTEGER, 0, Number.MAX_SAFE_INTEGER] }),
    () => ({ ...hello, roots: [random.bytes(32), random.bytes(32), random.bytes(32)] })
  ])()

/** Sends it whole, or waits as long as the other end lets it. */
const hugeFrame = (random: Random): Uint8Array =>
  random.pick<() => Uint8Array>([
    () => new Uint8Array(hugeBytes),
    // many small items: as many as its length tells
    () => Bytes.concat([Uint8Array.of(0x9a), Bytes.u32be(hugeBytes), new Uint8Array(hugeBytes)]),
    () => Frames.encode({ _tag: "Hashes", hashes: new Uint8Array(hugeBytes) }),
    () =>
      Frames.encode({
        _tag: "Push",
        records: Array.from({ length: 5_000 }, () => ({ kind: "op", bytes: new Uint8Array(9) }))
      })
  ])()

const greeted = (stage: Stage, talk: Talk) => talk.ask(helloOf(stage))

const question = (random: Random): Frames.Frame => {
  const domain = random.pick(domains)
  return random.pick<() => Frames.Frame>([
    () => ({ _tag: "Ask", domain, bytes: random.pick([8, 32]), level: 0, nodes: [0] }),
    () => ({ _tag: "Ask", domain, bytes: 8, level: 3, nodes: Array.from({ length: 512 }, (_, i) => i * 8) }),
    () => ({ _tag: "List", domain, bytes: 8, nodes: [0, 1, 4_095], buckets: [1, 2, leavesCount - 1] }),
    () => ({ _tag: "List", domain, bytes: 8, nodes: [0], buckets: [], after: random.bytes(32) }),
    () => ({ _tag: "Pull", domain, bytes: 8, picks: [[random.between(0, leavesCount - 1), random.bytes(80)]] }),
    () => ({ _tag: "Stream", kind: "message", from: 0, to: leavesCount }),
    () => ({ _tag: "Stream", kind: "op", from: 0, to: leavesCount, cursor: random.bytes(random.between(0, 60)) }),
    () => ({ _tag: "Audit", domain, nonce: random.bytes(16), buckets: [0, random.between(1, leavesCount - 1)] })
  ])()
}

/** What a Push may bring that it should not. */
const pushed = (stage: Stage, random: Random): ReadonlyArray<Record> => {
  const { forge, lore, nowMs } = stage
  const user = random.pick(stage.users)
  const known = lore.pick(random)
  const made = forge.direct(user, victim(stage, random), `pushed ${random.word()}`, forge.at(nowMs))
  return random.pick<() => ReadonlyArray<Record>>([
    () => [made, { ...made, content: "another" }],
    () => Array.from({ length: 300 }, () => known ?? made),
    () => [forge.direct(user, victim(stage, random), "early", forge.at(nowMs + 65_000))],
    () => [forge.direct(user, victim(stage, random), "aged", forge.at(nowMs - 40 * 24 * hourMs))],
    () => [forge.message(user, { chatId: Bytes.toHex(random.bytes(32)) as ChatId }, "nowhere", forge.at(nowMs))],
    () => [{ ...made, hlc: made.hlc + (91_000n << 16n) as Hlc }],
    () => [{ ...(known ?? made), sig: random.bytes(65) }]
  ])()
}

/** One or all of the nodes that it is connected to. */
const some = (stage: Stage, random: Random) =>
  stage.peers.length === 0 || random.chance(0.5) ? stage.peers : [random.pick(stage.peers)]

const toSome =
  (script: (stage: Stage, talk: Talk, random: Random) => ReturnType<Talk["say"]>): Attack => (stage, random) => {
    for (const peer of some(stage, random)) {
      const own = random.part(peer)
      stage.lead(peer, (talk) => script(stage, talk, own))
    }
  }

export const roundLies: { readonly [A in RoundLie]: Attack } = {
  "sync-hello-lies": toSome((stage, talk, random) =>
    Effect.gen(function*() {
      const answer = yield* talk.ask(helloLie(helloOf(stage, { horizonMs: horizonMs(stage.nowMs) }), random))
      if (answer._tag === "Hello") yield* talk.say({ _tag: "End", roots: answer.roots })
    })
  ),
  "sync-junk-frame": toSome((stage, talk, random) =>
    Effect.gen(function*() {
      if (random.chance(0.5)) yield* greeted(stage, talk)
      yield* talk.bytes(junkFrame(random))
      yield* talk.hear
    })
  ),
  "sync-huge-frame": toSome((stage, talk, random) =>
    Effect.gen(function*() {
      if (random.chance(0.5)) yield* greeted(stage, talk)
      yield* talk.bytes(hugeFrame(random))
      yield* talk.hear
    })
  ),
  "sync-wrong-order": toSome((stage, talk, random) =>
    Effect.gen(function*() {
      const frames: ReadonlyArray<Frames.Frame> = [
        { _tag: "End" },
        { _tag: "Records", records: [], done: 1 },
        { _tag: "Taken", count: 5 },
        { _tag: "Hashes", hashes: random.bytes(128) },
        { _tag: "Digests", lists: [random.bytes(8)] },
        { _tag: "Page", records: [], next: random.bytes(8) },
        { _tag: "Refuse", reason: "busy", wallMs: stage.nowMs },
        helloOf(stage)
      ]
      if (random.chance(0.5)) yield* greeted(stage, talk)
      yield* talk.ask(random.pick(frames))
      yield* talk.ask(random.pick(frames))
    })
  ),
  /** The same questions, round after round within one. */
  "sync-ask-again": toSome((stage, talk, random) =>
    Effect.gen(function*() {
      yield* greeted(stage, talk)
      const again = question(random)
      for (let i = 0; i < questionsMax; i++) yield* talk.ask(random.chance(0.2) ? question(random) : again)
    })
  ),
  "sync-push-junk": toSome((stage, talk, random) =>
    Effect.gen(function*() {
      yield* greeted(stage, talk)
      for (let i = 0; i < 3; i++) {
        const records = random.chance(0.15)
          ? [{ kind: "message" as const, bytes: random.bytes(40) }]
          : pushed(stage, random).map(wired)
        yield* talk.ask({ _tag: "Push", records })
      }
      yield* talk.say({ _tag: "End" })
    })
  ),
  /** More than a peer may have open; some of them say nothing. */
  "sync-many-streams": (stage, random) => {
    for (const peer of some(stage, random)) {
      for (let i = 0; i < streamsTried; i++) {
        const isSilent = random.chance(0.3)
        stage.lead(
          peer,
          (talk) => isSilent ? Effect.asVoid(talk.hear) : Effect.andThen(greeted(stage, talk), Effect.asVoid(talk.hear))
        )
      }
    }
  }
}
