import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { makeNetworkKey, readNetworkKey } from "../../src/layers/network/network-key.ts"
import { markerOf, mdnsServiceOf, networkOf, topicOf } from "../../src/layers/network/options.ts"
import { stranger } from "./insides.ts"
import { bytes, eventually, joined, listen, start } from "./nodes.ts"

const key = (seed: number) => new Uint8Array(32).fill(seed)

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync("/tmp/p2p-mes-network-")),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

describe("networks", () => {
  it("have names of their own on the wire", () => {
    for (const network of ["", "x", "a/b", "Häuser & Höfe", "%"]) {
      assert.strictEqual(networkOf(["/other/1", markerOf(network)]), network)
      assert.match(mdnsServiceOf(noble, network), /^_[a-z0-9-]{1,15}\._udp\.local$/)
    }
    assert.isUndefined(networkOf(["/p2p-mes/sync/1.0.0"]))
    assert.strictEqual(topicOf(""), "p2p-mes/commands")
    assert.strictEqual(topicOf("x"), "p2p-mes/commands/x")
    assert.notStrictEqual(mdnsServiceOf(noble, "x"), mdnsServiceOf(noble, "y"))
  })

  it.live("of another name are left, and the log says so", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const theirs: Array<string> = []
      const said = (list: ReadonlyArray<string>) => list.filter((line) => line.includes("is dropped")).length
      const a = yield* start({ seed: 1, network: "x" }, lines)
      const b = yield* start({ seed: 2, network: "y", bootstrap: a.network.addresses() }, theirs)
      const heard = yield* listen(a)
      yield* eventually("both say it", () => said(lines) > 0 && said(theirs) > 0)
      yield* eventually("they have parted", () => a.network.peers().length + b.network.peers().length === 0)
      yield* b.network.publish(bytes("x"))
      yield* Effect.sleep(1_500)
      assert.deepStrictEqual([a.network.peers(), b.network.peers(), heard], [[], [], []])
      assert.deepStrictEqual([said(lines), said(theirs)], [1, 1])
    }).pipe(Effect.scoped))

  it.live("nodes that are of no such network at all are left", () =>
    Effect.gen(function*() {
      const other = yield* stranger()
      const a = yield* start({ seed: 1, bootstrap: other.getMultiaddrs().map(String) })
      yield* eventually("they have met", () => other.getConnections().length > 0)
      yield* eventually("they have parted", () => other.getConnections().length === 0)
      assert.deepStrictEqual(a.network.peers(), [])
    }).pipe(Effect.scoped))

  it.live("with the same key work, with another or none nobody gets in, and the log says so", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const a = yield* start({ seed: 1, networkKey: key(1) }, lines)
      const bootstrap = a.network.addresses()
      const b = yield* start({ seed: 2, networkKey: key(1), bootstrap })
      yield* joined(a, b)
      const theirs: Array<string> = []
      const c = yield* start({ seed: 3, networkKey: key(2), bootstrap }, theirs)
      const d = yield* start({ seed: 4, bootstrap })
      yield* eventually(
        "both say it",
        () =>
          theirs.some((line) => line.includes("cannot be reached")) &&
          lines.some((line) => line.includes("network key")),
        15_000
      )
      assert.deepStrictEqual([c.network.peers(), d.network.peers()], [[], []])
      assert.deepStrictEqual(a.network.peers().map(({ id }) => id), [b.id])
      assert.isAtMost(lines.filter((line) => line.includes("network key")).length, 1)
    }).pipe(Effect.scoped))

  it.effect("keep their key in a file, for the owner only", () =>
    Effect.gen(function*() {
      const file = `${yield* directory}/keys/network.key`
      const made = yield* makeNetworkKey(file)
      assert.strictEqual(made.length, 32)
      assert.deepStrictEqual(yield* readNetworkKey(file), made)
      assert.strictEqual(statSync(file).mode & 0o777, 0o600)
      assert.match(readFileSync(file, "utf8"), /^\/key\/swarm\/psk\/1\.0\.0\/\n\/base16\/\n[0-9a-f]{64}\n$/)
      assert.match((yield* Effect.flip(makeNetworkKey(file))).message, /cannot write the network key .*EEXIST/)
    }).pipe(Effect.scoped))

  it.effect("say what is wrong with a key's file", () =>
    Effect.gen(function*() {
      const file = `${yield* directory}/network.key`
      const heading = "/key/swarm/psk/1.0.0/"
      const digits = "0123456789abcdefABCDEF0123456789".repeat(2)
      writeFileSync(file, `${heading}\r\n/base16/\r\n${digits}`)
      assert.deepStrictEqual(yield* readNetworkKey(file), Uint8Array.fromHex(digits))
      for (
        const text of [
          "",
          `${heading}\n/base64/\n${digits}\n`,
          `/key/swarm/psk/2.0.0/\n/base16/\n${digits}\n`,
          `${heading}\n/base16/\n${digits.slice(1)}\n`,
          `${heading}\n/base16/\n${digits.slice(1)}g\n`,
          `${heading}\n/base16/\n${digits}\nmore`,
          "x".repeat(5_000)
        ]
      ) {
        writeFileSync(file, text)
        assert.match((yield* Effect.flip(readNetworkKey(file))).message, /^cannot read the network key /)
      }
    }).pipe(Effect.scoped))
})
