/**
 * The client's stream of events is cut wherever it can be, and ends with exactly what was told, once each (SPEC §8;
 * FAILURES 14, 16).
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { direct, eventText, hex, stamp, start } from "./events-node.ts"
import { open, signer } from "./events-watch.ts"

const now = Date.now()
const parallel = 64

/** What a node told once: events, places alone, and characters of two, three and four bytes. */
const recorded = [
  { name: "message", data: direct(1, now, "größer → 👋🏽") },
  {},
  { name: "identity", data: { address: `0x${hex(7, 20)}`, identity: "AQI=", hlc: stamp(now) } },
  { name: "message", data: direct(1, now, "end") }
]
const expected = ["größer → 👋🏽", "identity", "end"]

const textFrom = (epoch: string, from: number): Buffer =>
  Buffer.from(
    eventText(`${epoch}-${from}`)
      + recorded.slice(from).map(({ data, name }, i) => eventText(`${epoch}-${from + i + 1}`, name, data)).join("")
  )

describe("a stream of events that is cut", () => {
  it.live("at any byte, goes on with the next event and tells none twice", () =>
    Effect.gen(function*() {
      const node = yield* start(1)
      node.trusts = true
      /** How often each stream was opened. In place of the epoch its ids say where it is cut the first time. */
      const openings = new Map<number, number>()
      node.write = (response, _, lastId) => {
        const [epoch, from] = lastId!.split("-") as [string, string]
        const at = Number.parseInt(epoch, 16)
        const opening = (openings.get(at) ?? 0) + 1
        openings.set(at, opening)
        const text = textFrom(epoch, Number(from))
        if (opening > 1) response.write(text)
        // half of the cuts are the node's own doing
        else if (at % 2 === 0) response.end(text.subarray(0, at))
        else response.write(text.subarray(0, at), () => setImmediate(() => response.socket?.destroy()))
      }
      const client = yield* open(node.url, { signer: { ...signer, sign: () => Effect.succeed(new Uint8Array(65)) } })
      const bytes = textFrom("0".repeat(16), 0).length
      const told = yield* Effect.forEach(
        Array.from({ length: bytes }, (_, at) => at),
        (at) =>
          client.events({ resume: `${at.toString(16).padStart(16, "0")}-0` }).pipe(
            Stream.filter((event) => event.type !== "connection"),
            Stream.map((event) => event.type === "message" ? event.message.content : event.type),
            Stream.takeUntil((content) => content === "end"),
            Stream.runCollect
          ),
        { concurrency: parallel }
      )
      for (const [at, contents] of told.entries()) {
        assert.deepStrictEqual(contents, expected, `cut at byte ${at} of ${bytes}`)
        assert.strictEqual(openings.get(at), 2)
      }
    }), 300_000)
})
