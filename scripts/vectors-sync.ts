/**
 * Sessions of sync as test vectors: `test/vectors/sync-*.json`. Each frame that crossed the stream, as bytes and as what they
 * say, with what both sides held and when it was. Written by `scripts/vectors.ts`; replayed by
 * `test/domain/vectors-sync.test.ts`.
 *
 * Both sides run the code of a node over records that are really signed; time, nonces and keys are fixed.
 */
import { Effect, Fiber, Layer, type Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Bytes from "../src/domain/bytes.ts"
import * as Hlc from "../src/domain/hlc.ts"
import * as Ids from "../src/domain/ids.ts"
import { horizonsKept, horizonStepMs } from "../src/domain/limits.ts"
import { bucketOf } from "../src/domain/merkle.ts"
import { domainOf, type Record as Rec } from "../src/domain/record.ts"
import * as Frames from "../src/domain/sync-frames.ts"
import * as Wire from "../src/domain/wire.ts"
import * as Line from "../src/layers/sync/line.ts"
import * as Responder from "../src/layers/sync/responder.ts"
import { channels, listening, makeSide, ready, round, type Side, type SideOptions } from "../test/sync/fixture.ts"
import * as Vectors from "./vectors.ts"

const { alice, bob, carol, edNode, edNode2, hashes, hex, identity, message, networkKey, op, read, ts } = Vectors

/** When the sessions take place: all records are below the horizon, none is aged. */
const builtMs = ts + 20 * 60_000
export const wallMs = builtMs + 10 * 60_000 + 1_234
/** Bytes in a page of `sync-catch-up.json`: small, so that there are two. */
const catchUpPageBytes = 48_000
/** In `sync-questions.json`: one record a page. */
const questionPageBytes = 1

// -------------------------------------------------------------------------------------------------------------- as JSON

const snake = (key: string): string => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
const digestOf = (bytes: Uint8Array): string => hex(Wire.leafDigestOf(hashes.blake3, bytes))

/** A value of a frame: bytes in hex, a record by its leaf digest. */
const plain = (key: string, value: unknown): unknown => {
  if (key === "records") {
    return (value as ReadonlyArray<Uint8Array | Frames.WiredRecord>).map((record) =>
      record instanceof Uint8Array ? digestOf(record) : { kind: record.kind, digest: digestOf(record.bytes) }
    )
  }
  if (value instanceof Uint8Array) return hex(value)
  return Array.isArray(value) ? value.map((each) => plain("", each)) : value
}

/** What a frame says. */
export const frameJson = ({ _tag, ...fields }: Frames.Frame): { readonly [key: string]: unknown } => ({
  frame: snake(_tag).slice(1),
  ...Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined).map((
      [key, value]
    ) => [snake(key), plain(key, value)])
  )
})

const recordJson = (record: Rec) => {
  const bytes = Wire.encode(record)
  return { kind: record.kind, digest: digestOf(bytes), cbor: hex(bytes) }
}

// ------------------------------------------------------------------------------------------------------------ sessions

/** How one side of a session is set; all of it is in the file. */
export interface Setting {
  readonly skewMs?: number
  readonly network?: string
  readonly networkKey?: Uint8Array
  readonly pageBytes?: number
  /** Whether it holds a round with the peer already. */
  readonly busy?: boolean
  /** Whether its trees are still being built. */
  readonly building?: boolean
  /** How many steps the horizon that it offers is behind its newest. */
  readonly stepsBehind?: number
}

interface Session {
  readonly name: string
  readonly leader: Setting
  readonly answerer: Setting
  readonly leaders: ReadonlyArray<Rec>
  readonly answerers: ReadonlyArray<Rec>
  /** Frames of the leader, where no node is to choose them; else a node leads. */
  readonly script?: (answerer: Side) => Effect.Effect<ReadonlyArray<Frames.Frame>>
}

/** A side as it is set, at the time of the sessions, with trees that are built. */
export const sideOf = Effect.fn(function*(
  name: string,
  { building, network, networkKey, pageBytes, skewMs, stepsBehind }: Setting,
  records: ReadonlyArray<Rec>
) {
  yield* TestClock.setTime(builtMs)
  const options: SideOptions = {
    name,
    skewMs: skewMs ?? 0,
    network: network ?? "",
    keyCheck: networkKey === undefined ? new Uint8Array() : Frames.keyCheck(hashes.blake3Keyed(networkKey)),
    ...(pageBytes === undefined ? {} : {
      seen: (store) => ({ ...store, stream: (query) => store.stream({ ...query, bytesMax: pageBytes }) })
    })
  }
  const side = yield* makeSide(options)
  yield* side.put(records)
  yield* ready(side)
  yield* TestClock.setTime(wallMs)
  const { trees } = side.ground
  const horizonMs = () => {
    const newest = trees.horizonMs()
    return building === true || newest === undefined ? undefined : newest - (stepsBehind ?? 0) * horizonStepMs
  }
  return { ...side, ground: { ...side.ground, trees: { ...trees, horizonMs } } } satisfies Side as Side
})

/** What a side answers to frames that a peer sends one after the other. */
export const answersOf = Effect.fn(function*(side: Side, busy: boolean, questions: ReadonlyArray<Uint8Array>) {
  const wire = yield* channels("leader" as Ids.NodeId, side.id)
  const serving = Line.make(wire.server, Line.questionMsMax)
  const fiber = yield* Effect.forkChild(Effect.exit(Responder.run(side.ground, serving, () => busy)))
  const answers: Array<Uint8Array> = []
  for (const question of questions) {
    yield* wire.opener.send(question)
    const decoded = Frames.decode(question)
    if (decoded._tag === "Success" && decoded.success._tag !== "End") answers.push(yield* wire.opener.receive)
  }
  yield* Fiber.join(fiber)
  yield* wire.close
  return answers
})

const settingJson = ({ networkKey, skewMs, ...rest }: Setting) => ({
  wall_ms: wallMs + (skewMs ?? 0),
  ...(networkKey === undefined ? {} : { network_key: hex(networkKey) }),
  ...Object.fromEntries(Object.entries(rest).map(([key, value]) => [snake(key), value]))
})

const play = Effect.fn(function*(session: Session) {
  const { answerer, answerers, leader, leaders, name, script } = session
  const [left, right] = [yield* sideOf("leader", leader, leaders), yield* sideOf("answerer", answerer, answerers)]
  const heard: Array<{ readonly by: string; readonly bytes: Uint8Array }> = []
  if (script === undefined) {
    const { heard: both, tap } = listening()
    yield* round(left, right, { tap, busy: () => answerer.busy === true })
    heard.push(...both.map(({ bytes, from }) => ({ by: from === "opener" ? "leader" : "answerer", bytes })))
  } else {
    const questions = (yield* script(right)).map(Frames.encode)
    const answers = yield* answersOf(right, answerer.busy === true, questions)
    questions.forEach((bytes, i) => {
      heard.push({ by: "leader", bytes })
      if (answers[i] !== undefined) heard.push({ by: "answerer", bytes: answers[i] })
    })
  }
  const digests = (records: ReadonlyArray<Rec>) => records.map((record) => digestOf(Wire.encode(record))).sort()
  return {
    name,
    leader: settingJson(leader),
    answerer: settingJson(answerer),
    held: { leader: leaders.map(recordJson), answerer: answerers.map(recordJson) },
    frames: heard.map(({ by, bytes }) => {
      const frame = Frames.decode(bytes)
      if (frame._tag === "Failure") throw new Error(`${name}: ${frame.failure.message}`)
      return { by, ...frameJson(frame.success), cbor: hex(bytes) }
    }),
    held_after: { leader: digests(yield* left.all), answerer: digests(yield* right.all) }
  }
}, Effect.scoped)

// ------------------------------------------------------------------------------------------------------------- records

const dm = (a: typeof alice, b: typeof alice) => Ids.dmChatId(hashes, a.address, b.address)
const said = (content: string): Rec => message({ content })
const byBob = { user: bob }
const byCarol = { user: carol }
const mark = (a: typeof alice, b: typeof alice): Rec =>
  read({ chatId: dm(a, b), reader: a.address, peer: b.address }, { user: a })

/** Held by both sides. */
const common: ReadonlyArray<Rec> = [
  identity(),
  Vectors.create,
  mark(bob, alice),
  ...["one", "two", "three", "four"].map(said)
]
/** Held by the one who leads only, and by the other one only: one a kind. */
const onlyLeader: ReadonlyArray<Rec> = [
  identity({ address: bob.address }, byBob),
  op({ op: 3, targets: [], title: "leader", hlc: Hlc.make(ts + 20, 0) }),
  mark(alice, carol),
  said("of the leader")
]
const onlyAnswerer: ReadonlyArray<Rec> = [
  identity({ address: carol.address }, byCarol),
  op({ op: 3, targets: [], title: "answerer", hlc: Hlc.make(ts + 21, 0) }),
  mark(carol, alice),
  said("of the answerer")
]
const later = Hlc.make(ts + 30, 0)

/** Messages whose ids lie in the first 4 096 leaves: below 16 nodes of level 2. */
const missing = (count: number): ReadonlyArray<Rec> => {
  const found: Array<Rec> = []
  for (let i = 0; found.length < count; i++) {
    const content = String(i)
    const id = Ids.messageId(hashes, { chatId: dm(alice, bob), sender: alice.address, ts, msgType: 0, content })
    if (id.startsWith("0")) found.push(message({ content, hlc: Hlc.make(ts + 100 + (i % 1_000), 0) }))
  }
  return found
}

const scripted = (answerer: Side): Effect.Effect<ReadonlyArray<Frames.Frame>> =>
  Effect.gen(function*() {
    const { ground } = answerer
    const snapshot = ground.trees.at(ground.trees.horizonMs()!)!
    const all = yield* answerer.all
    const ofDomain = (domain: "messages" | "members") => all.filter((record) => domainOf(record) === domain)
    const digest = (record: Rec) => Wire.leafDigest(hashes.blake3, record)
    const messages = ofDomain("messages")
    const buckets = messages.map((record) => bucketOf(record.id)).sort((a, b) => a - b)
    const [first, second] = messages as [Rec, Rec]
    const unknown = new Uint8Array(8).fill(0xee)
    const emptyNonce = new Uint8Array(Frames.nonceBytes)
    const ask = (bytes: 8 | 32, level: number, nodes: ReadonlyArray<number>): Frames.Frame => ({
      _tag: "Ask",
      domain: "messages",
      bytes,
      level,
      nodes
    })
    const nodeOf = (level: number, bucket: number) => bucket >> (4 * (4 - level))
    const list = (bytes: 8 | 32, nodes: ReadonlyArray<number>, listed: ReadonlyArray<number>): Frames.Frame => ({
      _tag: "List",
      domain: "messages",
      bytes,
      nodes,
      buckets: listed
    })
    const ops = yield* Effect.orDie(
      ground.store.stream({ kind: "op", from: 0, to: 65_536, span: snapshot.span, bytesMax: questionPageBytes })
    )
    return [
      {
        _tag: "Hello",
        version: Frames.syncVersion,
        network: "",
        keyCheck: new Uint8Array(),
        wallMs,
        horizonMs: snapshot.horizonMs,
        counts: [0, 0, 0],
        roots: [new Uint8Array(32), new Uint8Array(32), new Uint8Array(32)]
      },
      ask(8, 0, [0]),
      ask(32, 1, [nodeOf(1, buckets[0]!)]),
      ask(8, 3, [nodeOf(3, buckets[0]!)]),
      list(8, [nodeOf(3, buckets[0]!)], []),
      list(32, [], buckets.slice(0, 2)),
      { ...list(8, [], [bucketOf(first.id)]), after: digest(first) } as Frames.Frame,
      {
        _tag: "Pull",
        domain: "messages",
        bytes: 8,
        picks: [[bucketOf(first.id), Bytes.concat([digest(first).subarray(0, 8), unknown])]]
      },
      { _tag: "Pull", domain: "messages", bytes: 32, picks: [[bucketOf(second.id), digest(second)]] },
      { _tag: "Audit", domain: "messages", nonce: emptyNonce, buckets: [buckets[0]! - 1, buckets[0]!] },
      { _tag: "Stream", kind: "op", from: 0, to: 65_536 },
      { _tag: "Stream", kind: "op", from: 0, to: 65_536, cursor: ops.next! },
      { _tag: "Stream", kind: "identity", from: 0, to: 65_536 },
      { _tag: "Push", records: [first, said("pushed")].map((each) => ({ kind: each.kind, bytes: Wire.encode(each) })) },
      { _tag: "End" }
    ]
  })

const session = (
  name: string,
  leaders: ReadonlyArray<Rec>,
  answerers: ReadonlyArray<Rec>,
  leader: Setting = {},
  answerer: Setting = {}
): Session => ({ name, leader, answerer, leaders, answerers })

const refused = (name: string, leader: Setting, answerer: Setting): Session =>
  session(name, common.slice(0, 1), common.slice(0, 1), leader, answerer)

const helloOf = (version: number): Frames.Frame => ({
  _tag: "Hello",
  version,
  network: "",
  keyCheck: new Uint8Array(),
  wallMs,
  horizonMs: 0,
  counts: [0, 0, 0],
  roots: [new Uint8Array(32), new Uint8Array(32), new Uint8Array(32)]
})

const files: { readonly [file: string]: { readonly note: string; readonly sessions: () => ReadonlyArray<Session> } } = {
  "sync-equal.json": {
    note:
      "Equal sets: hellos, audits of what is not empty, end. Where the answering side is behind, end tells roots too.",
    sessions: () => [
      session("both hold nothing", [], []),
      session("both hold the same", common, common),
      session("the answering side's clock is 20 s behind", common, common, {}, { skewMs: -20_000 }),
      session("clocks at the bound of 60 s", common, common, { skewMs: 60_000 })
    ]
  },
  "sync-differences.json": {
    note: "Each side lacks something. held_after: the digests that each holds when it is over.",
    sessions: () => [
      session("each lacks one record a kind", [...common, ...onlyLeader], [...common, ...onlyAnswerer]),
      session("one message is missing to the one who leads", common.slice(0, -1), common),
      session(
        "both hold another variant in the same slot",
        [message({}, { node: edNode }), identity(), mark(bob, alice)],
        [
          message({ hlc: later }, { node: edNode2 }),
          identity({ hlc: later, blob: Uint8Array.of(9) }),
          read({ upTo: later, hlc: later })
        ]
      )
    ]
  },
  "sync-catch-up.json": {
    note:
      "Most is missing on one side: two pages of a stream instead of lists. The place of the first page is given back.",
    sessions: () => [
      session("260 messages are missing below 16 nodes", common, [...common, ...missing(260)], {}, {
        pageBytes: catchUpPageBytes
      })
    ]
  },
  "sync-refusals.json": {
    note:
      "Hellos to which no round follows, one a reason. Settings tell why; steps_behind: of the horizon that a side offers.",
    sessions: () => [
      refused("busy", {}, { busy: true }),
      refused("building", {}, { building: true }),
      { ...refused("version", {}, {}), script: () => Effect.succeed([helloOf(2)]) },
      refused("network", { network: "one" }, { network: "two" }),
      refused("key", { networkKey }, {}),
      refused("clock", { skewMs: 60_001 }, {}),
      refused("horizon", { stepsBehind: horizonsKept - 1 }, { skewMs: 60_000 })
    ]
  },
  "sync-questions.json": {
    note: "Each question that there is, and its answer, as no node would ask them in a row. One record a page.",
    sessions: () => [{
      ...session("questions", [], [...common, ...onlyAnswerer], {}, { pageBytes: questionPageBytes }),
      script: scripted
    }]
  }
}

/** Runs what uses sides, each with a clock of its own. */
export const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.scoped(Effect.flatMap(
    Layer.build(TestClock.layer()),
    (context) => Effect.provide(effect, context)
  )))

/** All files of this module by name. */
export const build = async (): Promise<{ readonly [file: string]: unknown }> => {
  const built: { [file: string]: unknown } = {}
  for (const [file, { note, sessions }] of Object.entries(files)) {
    const played: Array<unknown> = []
    for (const each of sessions()) played.push(await run(play(each)))
    built[file] = { note, sessions: played }
  }
  return built
}
