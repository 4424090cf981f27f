/**
 * What an operator does with a data directory while no node runs on it: compares it with another (`dump`), looks for
 * damage and has it repaired (`verify --repair`). And the options of a node that meets others.
 */
import { assert, describe, it } from "@effect/vitest"
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys"
import { Effect } from "effect"
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { afterAll } from "vitest"
import * as Hlc from "../../src/domain/hlc.ts"
import * as Ids from "../../src/domain/ids.ts"
import type { Message, Read, Record } from "../../src/domain/record.ts"
import { cutoffMs } from "../../src/domain/retention.ts"
import { signedDigest, stringToSign } from "../../src/domain/signature.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { fromPrivateKey } from "../../src/layers/node/node-key.ts"
import { layerSqlite } from "../../src/layers/store/sqlite.ts"
import { Store } from "../../src/services/Store.ts"
import { sign, type User, user } from "../http/fixture.ts"
import { run } from "./processes.ts"

const directory = mkdtempSync(join(tmpdir(), "p2p-mes-replicas-"))
const place = (name: string) => join(directory, name)
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const node = fromPrivateKey(await generateKeyPairFromSeed("Ed25519", new Uint8Array(32).fill(9)))
const [ann, ben, cid] = [user(1), user(2), user(3)]

const sigOf = (who: User, purpose: "message" | "read", ts: number, id: string): Uint8Array => {
  const sig = Uint8Array.fromHex(sign(who.key, signedDigest(noble, 1, stringToSign(purpose, ts, node.id, id))))
  sig[64]! -= 27
  return sig
}

const message = (from: User, to: User, ms: number, content: string): Message => {
  const fields = {
    chatId: Ids.dmChatId(noble, from.address, to.address),
    sender: from.address,
    ts: ms,
    msgType: 0,
    content
  }
  const id = Ids.messageId(noble, fields)
  const sig = sigOf(from, "message", ms, id)
  return { kind: "message", id, ...fields, peer: to.address, node: node.id, sig, sigVersion: 1, hlc: Hlc.make(ms, 0) }
}

const mark = (reader: User, peer: User, ms: number): Read => {
  const fields = {
    chatId: Ids.dmChatId(noble, reader.address, peer.address),
    reader: reader.address,
    ts: ms,
    upTo: Hlc.make(ms, 0)
  }
  const id = Ids.readId(noble, fields)
  const sig = sigOf(reader, "read", ms, id)
  return { kind: "read", id, ...fields, peer: peer.address, node: node.id, sig, sigVersion: 1, hlc: Hlc.make(ms, 0) }
}

/** Commits to the store of `name`, then runs `after` on it. */
const fill = (
  name: string,
  records: ReadonlyArray<Record>,
  after = (_: Store["Service"]): Effect.Effect<unknown, unknown> => Effect.void
) =>
  Effect.runPromise(
    Effect.gen(function*() {
      const store = yield* Store
      yield* store.commit(records, Hlc.zero)
      yield* after(store)
    }).pipe(Effect.provide(layerSqlite({ directory: place(name) })), Effect.scoped)
  )

const now = Date.now()
const cutoff = cutoffMs(now)
/** The last that is aged, and the first that is not. An hour may turn while this runs: then both are aged. */
const kept = [message(ann, ben, now - 5_000, "new"), message(ben, ann, cutoff + 7_200_000, "old"), mark(ann, ben, now)]
const aged = [message(ann, ben, cutoff, "aged"), message(cid, ann, cutoff - 1, "gone"), mark(ben, ann, cutoff)]

const dump = async (name: string): Promise<string> => {
  const { code, stderr, stdout } = await run("dump", "--data", place(name))
  assert.strictEqual(code, 0, stderr)
  return stdout
}

describe("dump", { timeout: 120_000 }, () => {
  it("is the same whether aged records were collected, are still there, or never were (FAILURES 1)", async () => {
    await fill("never", kept)
    await fill("there", [...aged, ...kept])
    await fill("collected", [...kept.toReversed(), ...aged], (store) => store.collect(Hlc.make(cutoff, 0xffff), 1_000))
    const [never, there, collected] = await Promise.all(["never", "there", "collected"].map(dump))
    assert.strictEqual(there, never)
    assert.strictEqual(collected, never)
    const lines = never!.trimEnd().split("\n").map((line) => JSON.parse(line) as { [key: string]: unknown })
    assert.deepStrictEqual(lines.filter((line) => line["kind"] === "message").map((line) => line["content"]).sort(), [
      "new",
      "old"
    ])
    assert.isFalse(never!.includes(cid.address), "who is in aged records only")
    assert.deepStrictEqual(
      lines.filter((line) => line["view"] === "inbox").map(({ unread, user }) => [user, unread]).sort(),
      [[ann.address, 0], [ben.address, 1]].sort()
    )
  })
})

describe("verify --repair", { timeout: 120_000 }, () => {
  const good = [
    message(ann, ben, now - 4_000, "one"),
    message(ben, ann, now - 3_000, "two"),
    mark(ben, ann, now - 2_000)
  ]
  const verify = (name: string, ...more: ReadonlyArray<string>) => run("verify", "--data", place(name), ...more)

  it("says so when there is nothing to repair", async () => {
    await fill("sound", good)
    const { code, stderr, stdout } = await verify("sound", "--repair")
    assert.deepStrictEqual([code, stdout], [0, "3 records, no problem: nothing to repair\n"], stderr)
  })

  it("drops what fails, rebuilds what is derived, and finds nothing more (FAILURES 19)", async () => {
    await fill("damaged", good)
    const bad = good[0] as Message
    const db = new DatabaseSync(join(place("damaged"), "messages.sqlite"))
    const sig = Uint8Array.from(bad.sig)
    sig[40]! ^= 1
    db.prepare("UPDATE messages SET sig = ? WHERE sig = ?").run(sig, bad.sig)
    db.prepare("DELETE FROM user_chats").run()
    db.close()

    const before = await verify("damaged")
    assert.strictEqual(before.code, 1)
    assert.match(before.stdout, new RegExp(`^message ${bad.id}: its author 0x${ann.address} did not sign it$`, "m"))
    assert.match(before.stderr, /--repair/)

    const { code, stderr, stdout } = await verify("damaged", "--repair")
    assert.strictEqual(code, 0, stderr + stdout)
    assert.match(stdout, /^repaired: dropped 1 message; start the node, and peers that have it bring it back$/m)
    assert.match(stdout, /^2 records, no problem\n$/m)
    assert.deepStrictEqual((await verify("damaged")).stdout, "2 records, no problem\n")

    // what peers bring back makes it whole
    await fill("damaged", [bad])
    await fill("whole", good)
    assert.strictEqual(await dump("damaged"), await dump("whole"))
  })

  it("tells programs the same", async () => {
    await fill("json", good)
    const db = new DatabaseSync(join(place("json"), "messages.sqlite"))
    db.prepare("UPDATE messages SET content = x'0066' WHERE sig = ?").run((good[1] as Message).sig)
    db.close()
    const { code, stderr, stdout } = await verify("json", "--repair", "--json")
    assert.strictEqual(code, 0, stderr)
    const lines = stdout.trimEnd().split("\n").map((line) => JSON.parse(line) as { [key: string]: unknown })
    const dropped = lines.filter((line) => "dropped" in line).map((line) => line["dropped"] as { message: number })
    assert.strictEqual(dropped.reduce((sum, { message }) => sum + message, 0), 1, stdout)
    assert.deepStrictEqual(lines.at(-1), { records: 2, problems: 0 })
  })

  it("leaves a directory alone that is in use", async () => {
    await fill("used", good, () =>
      Effect.promise(async () => {
        const { code, stderr } = await verify("used", "--repair")
        assert.strictEqual(code, 1)
        assert.match(stderr, /in use by process/)
      }))
  })
})

describe("the options of a node that meets others", { timeout: 120_000 }, () => {
  const id = node.id
  it("are checked before it starts, wherever they come from", async () => {
    const toml = place("peers.toml")
    const started = (args: ReadonlyArray<string>) => run("node", "--data", place("unused"), ...args)
    const refusals: ReadonlyArray<readonly [ReadonlyArray<string>, RegExp]> = [
      [["--listen", "4281"], /--listen: expected a multiaddr such as/],
      [["--listen", "/dns4/example.org/tcp/1"], /--listen: expected an IP address and a TCP port/],
      [["--announce", "/ip4/192.0.2.1/udp/1/quic-v1"], /--announce: expected an address over TCP/],
      [["--bootstrap", `/ip4/192.0.2.1/tcp/1/p2p/${id},/ip4/192.0.2.1/tcp/1`], /--bootstrap: expected the peer's id/],
      [["--config", toml], /bootstrap in .*peers\.toml: the peer's id in ".*QmYyQ.*" is none/],
      [["--network-key", toml], /cannot read the network key .*its first line is not/]
    ]
    writeFileSync(
      toml,
      "listen = []\nbootstrap = [\"/ip4/192.0.2.1/tcp/1/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N\"]\nmdns = true\n"
    )
    const answers = await Promise.all(refusals.map(([args]) => started(args)))
    answers.forEach(({ code, stderr, stdout }, i) => {
      assert.match(stderr, refusals[i]![1])
      assert.match(stderr, /^p2p-mes: [^\n]+\n$/)
      assert.strictEqual(stdout, "")
      assert.strictEqual(code, i === refusals.length - 1 ? 1 : 2)
    })
  })

  it("a network key is a file for its owner, and never overwritten", async () => {
    const file = place("network.key")
    const made = await run("network-key", "--out", file)
    assert.deepStrictEqual([made.code, made.stdout], [0, `${file}\n`])
    const text = readFileSync(file, "utf8")
    assert.match(text, /^\/key\/swarm\/psk\/1\.0\.0\/\n\/base16\/\n[0-9a-f]{64}\n$/)
    assert.strictEqual(statSync(file).mode & 0o777, 0o600)
    assert.strictEqual((await run("network-key", "--out", file)).code, 1)
    assert.strictEqual(readFileSync(file, "utf8"), text)
  })
})
