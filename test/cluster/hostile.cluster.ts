/**
 * Peers that flood, stall, lie and send junk (FAILURES 5, 24): what they cost a node is bounded, and honest nodes agree as
 * if they were not there.
 */
import { assert, describe, it } from "@effect/vitest"
import type { Stream } from "@libp2p/interface"
import { randomBytes } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import * as GossipPayload from "../../src/domain/gossip-payload.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import type { Message } from "../../src/domain/record.ts"
import * as Frames from "../../src/domain/sync-frames.ts"
import { encode } from "../../src/domain/wire.ts"
import { topicOf } from "../../src/layers/network/options.ts"
import { groupMessageOf } from "./fill.ts"
import { type Cluster, until, withCluster } from "./harness.ts"
import { framed, gossiping, type Hostile, join, over } from "./hostile.ts"

const topic = topicOf("")
const mebibyte = 1024 * 1024
/** What a node may take more under attack: buffers, each bounded, and garbage that is not collected yet. */
const moreMemoryMax = 400 * mebibyte
/** A flood lasts for so long, and until so much was sent: on a slow machine longer. */
const floodMs = 15_000
const floodMsMax = 120_000
const floodBytesMin = 40 * mebibyte
/** Something that is wrong is found at once, on a busy machine a little later. */
const quickSecondsMax = 20
/** A question may take a minute. */
const stalledSecondsMax = 90
/** A client's call, on two cores that the attacker shares. */
const answerMsMax = 15_000

/** Asks the node for its health again and again until `stop` is called; the longest answer took so many ms. */
const watch = (cluster: Cluster) => {
  const [node] = cluster.nodes
  let [slowest, most, stopping] = [0, 0, false]
  const watching = (async () => {
    while (!stopping && node!.running) {
      const startMs = performance.now()
      await node!.get("/healthz").catch(() => undefined)
      slowest = Math.max(slowest, performance.now() - startMs)
      if (node!.running) most = Math.max(most, node!.memory)
      await sleep(200)
    }
  })()
  return async () => {
    stopping = true
    await watching
    return { slowest, most }
  }
}

/** Messages of a group that nobody knows: well signed, and kept until its first op comes. */
const waiting = (size: number): Uint8Array => {
  const records: Array<Message> = Array.from(
    { length: 16 },
    () => groupMessageOf(randomBytes(size / 2).toString("hex"))
  )
  return GossipPayload.encode(records.map((record) => ({ kind: "message", bytes: encode(record) })))
}
/** Well formed, and signed by nobody. */
const forged = (): Uint8Array => {
  const record = groupMessageOf("forged")
  const sig = Uint8Array.from(record.sig)
  sig[9]! ^= 1
  return GossipPayload.encode([{ kind: "message", bytes: encode({ ...record, sig }) }])
}

describe.skipIf(process.platform !== "linux")("hostile peers", () => {
  it("that flood with gossip: memory stays bounded, the node answers, honest nodes agree (FAILURES 5)", () =>
    withCluster({ nodes: 3 }, async (cluster) => {
      const { load, nodes: [target] } = cluster
      await load.found(target!)
      const before = target!.memory
      const done = watch(cluster)
      load.start(10)
      let sent = 0
      const flood = async (make: () => Uint8Array, pauseMs: number): Promise<void> => {
        let hostile: Hostile | undefined
        const startMs = performance.now()
        const lasted = (ms: number): boolean => performance.now() - startMs >= ms
        while (!lasted(floodMsMax) && (!lasted(floodMs) || sent < floodBytesMin)) {
          // who is dropped comes back under another name
          if (hostile?.connected() !== true) {
            await hostile?.stop()
            hostile = await join(target!).catch(() => undefined)
            if (hostile === undefined || !await gossiping(hostile).then(() => true, () => false)) continue
          }
          const payload = make()
          await hostile.gossip.publish(topic, payload).then(() => sent += payload.length, () => undefined)
          await sleep(pauseMs)
        }
        await hostile?.stop()
      }
      await Promise.all([
        flood(() => new Uint8Array(randomBytes(mebibyte)), 10),
        flood(() => waiting(30_000), 0),
        flood(() => waiting(500), 0),
        flood(forged, 0)
      ])
      const { most, slowest } = await done()
      await load.stop()
      console.log(
        `sent ${Math.round(sent / mebibyte)} MiB; memory ${Math.round(before / mebibyte)} to ${
          Math.round(most / mebibyte)
        } MiB; slowest answer ${Math.round(slowest)} ms`
      )
      assert.isAtLeast(sent, floodBytesMin)
      assert.isBelow(most - before, moreMemoryMax)
      assert.isBelow(slowest, answerMsMax)
      const { waiting: kept } = await target!.peers()
      assert.isAtMost(kept.bytes, 32 * mebibyte)
      assert.match(target!.log, /a peer is dropped for a while/)
      await cluster.connected()
      await cluster.agree()
    }))

  it("that send malformed, oversized, endless and slow frames of sync: each costs little (FAILURES 24)", () =>
    withCluster({ nodes: 3 }, async (cluster) => {
      const { load, nodes: [target] } = cluster
      await load.found(target!)
      const before = target!.memory
      const done = watch(cluster)
      load.start(10)
      const hello = (): Uint8Array => {
        const now = Date.now()
        return Frames.encode({
          _tag: "Hello",
          version: Frames.syncVersion,
          network: "",
          keyCheck: new Uint8Array(),
          wallMs: now,
          horizonMs: now - 15_000 - ((now - 15_000) % 5_000),
          counts: [9_999_999, 9_999_999, 9_999_999],
          roots: [new Uint8Array(randomBytes(32)), new Uint8Array(randomBytes(32)), new Uint8Array(randomBytes(32))]
        })
      }
      const asks = (): Uint8Array =>
        framed(Frames.encode({
          _tag: "Ask",
          domain: "messages",
          bytes: 32,
          level: 3,
          nodes: Array.from({ length: 4_096 }, (_, i) => i)
        }))
      const liar = (): Uint8Array => {
        const record = {
          ...groupMessageOf("a lie"),
          sig: new Uint8Array(65).fill(1),
          hlc: Hlc.make(Date.now() - 20_000, 0)
        }
        return framed(Frames.encode({ _tag: "Push", records: [{ kind: "message", bytes: encode(record) }] }))
      }
      type Trick = readonly [name: string, play: (stream: Stream) => unknown]
      const endless = framed(new Uint8Array(100), 15 * mebibyte)
      const manyItems = framed(Uint8Array.from([0x9a, 0, 0x0f, 0xff, 0xff, ...new Uint8Array(0x0fffff)]))
      /** What is seen through at once. */
      const quick: ReadonlyArray<Trick> = [
        ["junk", (stream) => stream.send(framed(new Uint8Array(randomBytes(10_000))))],
        ["an empty frame", (stream) => stream.send(framed(new Uint8Array()))],
        ["an oversized frame", (stream) => stream.send(framed(new Uint8Array(10), 0xffffffff))],
        ["deep nesting", (stream) => stream.send(framed(new Uint8Array(200_000).fill(0x81)))],
        ["many items", (stream) => stream.send(manyItems)],
        ["a list that claims to be long", (stream) => stream.send(framed(Uint8Array.of(0x9a, 0xff, 0xff, 0xff, 0xff)))],
        ["a hello, and a lie", (stream) => {
          stream.send(framed(hello()))
          stream.send(liar())
        }],
        ["a hello, and an answer", (stream) => {
          stream.send(framed(hello()))
          stream.send(framed(Frames.encode({ _tag: "Taken", count: 1 })))
        }]
      ]
      /** What costs one bounded time-out; all at once. */
      const slow: ReadonlyArray<Trick> = [
        ["a frame that never ends", (stream) => stream.send(endless)],
        ["a hello, and nothing", (stream) => stream.send(framed(hello()))],
        ["byte by byte", async (stream) => {
          for (const byte of framed(hello())) {
            if (stream.status !== "open") return
            stream.send(Uint8Array.of(byte))
            await sleep(1_000)
          }
        }],
        // two mebibytes of answer to each question, and none is read
        ["questions without end", async (stream) => {
          stream.pause()
          stream.send(framed(hello()))
          const question = asks()
          for (let i = 0; i < 1_000 && stream.status === "open"; i++) if (!stream.send(question)) await sleep(100)
        }]
      ]
      const played = async ([name, play]: Trick, seconds: number): Promise<void> => {
        const hostile = await join(target!)
        try {
          const stream = await hostile.open()
          const playing = Promise.resolve(play(stream)).catch(() => undefined)
          assert.isTrue(await over(stream, seconds), `${name}: the stream goes on`)
          await playing
        } finally {
          await hostile.stop()
        }
      }
      const inTurn = async (): Promise<void> => {
        for (const trick of quick) await played(trick, quickSecondsMax)
        const many = await join(target!)
        const streams = await Promise.allSettled(Array.from({ length: 100 }, () => many.open()))
        await sleep(3_000)
        const open = streams.filter((one) => one.status === "fulfilled" && one.value.status === "open").length
        assert.isBelow(open, 10, "one peer has that many streams")
        await many.stop()
      }
      await Promise.all([inTurn(), ...slow.map((trick) => played(trick, stalledSecondsMax))])

      // and what a node is told when it begins a round itself
      const replies: ReadonlyArray<(one: Stream) => void> = [
        (one) => one.send(framed(new Uint8Array(randomBytes(1_000)))),
        (one) => one.send(framed(hello())),
        (one) => one.send(framed(new Uint8Array(10), 0x7fffffff)),
        (one) => one.abort(new Error("no"))
      ]
      const servers = await Promise.all(replies.map((reply) => join(target!, reply)))
      await sleep(20_000)
      for (const server of servers) await server.stop()

      const { most, slowest } = await done()
      await load.stop()
      console.log(
        `memory ${Math.round(before / mebibyte)} to ${Math.round(most / mebibyte)} MiB; slowest ${
          Math.round(slowest)
        } ms`
      )
      assert.isBelow(most - before, moreMemoryMax)
      assert.isBelow(slowest, answerMsMax)
      assert.match(target!.log, /no sync with .*: /)
      await until("the node is ready", 30, async () => (await target!.ready()).ready, () => cluster.explain())
      await cluster.connected()
      await cluster.agree()
    }))
})
