import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as Bytes from "../../src/domain/bytes.ts"
import type { Hashes } from "../../src/domain/hashing.ts"
import * as Ids from "../../src/domain/ids.ts"
import type { Dot } from "../../src/domain/record.ts"
import { observedBytes } from "../../src/domain/signature.ts"
import { aMessage, anIdentity, anOp, aRead, Dice, hashes, nodes, Seed, ts, users } from "./records.ts"

/** What is hashed for an id, in hex: two inputs that differ must differ here. */
const preimage = (name: (hashes: Hashes) => string): string => {
  let seen = ""
  name({ ...hashes, blake3: (bytes) => (seen = Bytes.toHex(bytes), hashes.blake3(bytes)) })
  return seen
}
const ofMessage = (m: Ids.MessageFields) => preimage((h) => Ids.messageId(h, m))
const ofOp = (o: Ids.OpFields) => preimage((h) => Ids.opId(h, o))

const shape = (value: unknown): string =>
  JSON.stringify(
    value,
    (_key, item) => item instanceof Uint8Array ? Bytes.toHex(item) : typeof item === "bigint" ? item.toString(16) : item
  )

const text = (value: string): string => Bytes.toHex(Bytes.fromText(value))
const u64 = (value: number): string => value.toString(16).padStart(16, "0")

const message: Ids.MessageFields = {
  chatId: "ab".repeat(32) as Ids.ChatId,
  sender: users[0]!,
  ts,
  msgType: 7,
  content: "hé",
  control: Uint8Array.of(1, 2)
}
const op: Ids.OpFields = {
  chatId: message.chatId,
  actor: users[0]!,
  ts,
  node: nodes[0]!,
  op: 0,
  role: 0,
  targets: [users[1]!, users[2]!],
  title: "t",
  nonce: "cd".repeat(16) as Ids.Nonce
}

describe("ids", () => {
  it("hash the bytes that the protocol says", () => {
    const [low, high] = [users[0]!, users[1]!]
    assert.strictEqual(preimage((h) => Ids.dmChatId(h, high, low)), `${text("p2p-mes/dm/v1")}${low}${high}`)
    assert.strictEqual(
      preimage((h) => Ids.groupChatId(h, high, op.nonce!)),
      `${text("p2p-mes/group/v1")}${high}${op.nonce}`
    )
    const head = `${text("p2p-mes/msg/v1")}${message.chatId}${message.sender}${u64(ts)}07`
    assert.strictEqual(ofMessage(message), `${head}0000000368c3a901000000020102`)
    assert.strictEqual(ofMessage({ ...message, control: undefined }), `${head}0000000368c3a900`)
    const node = `${nodes[0]!.length.toString(16).padStart(4, "0")}${text(nodes[0]!)}`
    const opHead = `${text("p2p-mes/op/v1")}${op.chatId}${op.actor}${u64(ts)}${node}`
    assert.strictEqual(ofOp(op), `${opHead}00000002${users[1]}${users[2]}0100017401${op.nonce}`)
    assert.strictEqual(
      ofOp({ ...op, op: 1, role: 1, targets: [], title: undefined, nonce: undefined }),
      `${opHead}010100000000`
    )
    assert.strictEqual(
      preimage((h) => Ids.readId(h, { chatId: op.chatId, reader: low, ts, upTo: 258n as never })),
      `${text("p2p-mes/read/v1")}${op.chatId}${low}${u64(ts)}0000000000000102`
    )
    assert.strictEqual(
      preimage((h) => Ids.identityId(h, { address: low, ts: 1, blob: Uint8Array.of(9) })),
      `${text("p2p-mes/identity/v1")}${low}0000000000000001000109`
    )
    assert.strictEqual(
      preimage((h) => Ids.requestId(h, "GET", "/a?b=%20")),
      text("p2p-mes/request/v1GET\n/a?b=%20")
    )
    assert.match(Ids.messageId(hashes, message), /^[0-9a-f]{64}$/)
  })

  it.prop("a direct chat is the same from either side, and of these two only", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const [a, b, c] = [dice.hex<Ids.Address>(20), dice.hex<Ids.Address>(20), dice.hex<Ids.Address>(20)]
    assert.strictEqual(Ids.dmChatId(hashes, a, b), Ids.dmChatId(hashes, b, a))
    assert.strictEqual(
      new Set([[a, b], [a, c], [b, c], [a, a], [b, b]].map(([x, y]) => Ids.dmChatId(hashes, x!, y!))).size,
      5
    )
  })

  it.prop("equal preimages come from equal fields", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    const [m, n] = [aMessage(dice), aMessage(dice)]
    const messages = [m, n].map(({ chatId, content, control, msgType, sender, ts }) => ({
      chatId,
      sender,
      ts,
      msgType,
      content,
      control
    }))
    assert.strictEqual(ofMessage(m) === ofMessage(n), shape(messages[0]) === shape(messages[1]))
    const [o, p] = [anOp(dice), anOp(dice)]
    const ops = [o, p].map(({ actor, chatId, node, nonce, op, role, targets, title, ts }) => ({
      chatId,
      actor,
      ts,
      node,
      op,
      role,
      targets,
      title,
      nonce
    }))
    assert.strictEqual(ofOp(o) === ofOp(p), shape(ops[0]) === shape(ops[1]))
    const [r, q] = [aRead(dice), aRead(dice)]
    const reads = [r, q].map(({ chatId, reader, ts, upTo }) => ({ chatId, reader, ts, upTo }))
    assert.strictEqual(
      preimage((h) => Ids.readId(h, r)) === preimage((h) => Ids.readId(h, q)),
      shape(reads[0]) === shape(reads[1])
    )
    const [i, j] = [anIdentity(dice), anIdentity(dice)]
    const identities = [i, j].map(({ address, blob, ts }) => ({ address, ts, blob }))
    assert.strictEqual(
      preimage((h) => Ids.identityId(h, i)) === preimage((h) => Ids.identityId(h, j)),
      shape(identities[0]) === shape(identities[1])
    )
  })

  it.prop("no byte can move from one field to its neighbour", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    // one run of bytes cut at every place into content and control: each cut is another message
    const run = dice.bytes(6).map((byte) => byte & 0x7f)
    const cuts = Array.from({ length: 7 }, (_, at) => ({
      ...message,
      content: Bytes.toText(run.subarray(0, at))!,
      control: run.subarray(at)
    }))
    const messages = [
      ...cuts,
      { ...message, content: Bytes.toText(run)!, control: undefined },
      // content that looks like the end of another encoding
      { ...message, content: `${Bytes.toText(run)!}\u0000`, control: undefined },
      { ...message, content: `${Bytes.toText(run)!}\u0001\u0000\u0000\u0000\u0000`, control: undefined }
    ]
    assert.strictEqual(new Set(messages.map(ofMessage)).size, messages.length)

    const nonce = dice.hex<Ids.Nonce>(16)
    const ops: ReadonlyArray<Ids.OpFields> = [
      { ...op, title: undefined, nonce: undefined },
      { ...op, title: "", nonce: undefined },
      { ...op, title: undefined, nonce },
      { ...op, title: "", nonce },
      { ...op, title: "\u0000", nonce: undefined },
      { ...op, title: "\u0000\u0000", nonce: undefined },
      { ...op, title: "\u0001abcdefghijklmnop", nonce: undefined },
      // an address more, or the same bytes as a title
      { ...op, targets: [...op.targets, "61".repeat(20) as Ids.Address], title: undefined, nonce: undefined },
      { ...op, targets: op.targets, title: "a".repeat(20), nonce: undefined },
      { ...op, targets: [], title: "a".repeat(60), nonce: undefined },
      { ...op, targets: [], title: undefined, nonce: undefined },
      // the node's text and what follows
      { ...op, node: `${op.node}a` as Ids.NodeId },
      { ...op, node: op.node.slice(1) as Ids.NodeId }
    ]
    assert.strictEqual(new Set(ops.map(ofOp)).size, ops.length)
    const some = dice.hex<Dot>(52)
    const lists: ReadonlyArray<ReadonlyArray<Dot> | undefined> = [undefined, [], [some], [some, some]]
    assert.strictEqual(new Set(lists.map((list) => Bytes.toHex(observedBytes(list)))).size, 4)
  })

  it("empty control is not absent, and each tag opens a space of its own", () => {
    assert.notStrictEqual(
      Ids.messageId(hashes, { ...message, control: undefined }),
      Ids.messageId(hashes, { ...message, control: new Uint8Array() })
    )
    const tags = ["dm", "group", "msg", "op", "read", "identity", "request"].map((name) => text(`p2p-mes/${name}/v1`))
    for (const tag of tags) for (const other of tags) assert.isTrue(tag === other || !other.startsWith(tag))
  })

  it("the method and the target of a request do not run into each other", () => {
    const pairs = [["GET", "/a"], ["GET", "/b"], ["PUT", "/a"], ["GE", "T/a"], ["GET", "/a?"], ["get", "/a"], [
      "GET/",
      "a"
    ]]
    assert.strictEqual(new Set(pairs.map(([method, target]) => Ids.requestId(hashes, method!, target!))).size, 7)
  })

  it("parse in any case with or without 0x, of their own length", () => {
    for (
      const [parse, length] of [[Ids.parseAddress, 20], [Ids.parseChatId, 32], [Ids.parseMessageId, 32], [
        Ids.parseNonce,
        16
      ]] as const
    ) {
      const hex = "aB".repeat(length)
      assert.deepStrictEqual(parse(hex) as unknown, Result.succeed(hex.toLowerCase()))
      assert.deepStrictEqual(parse(`0x${hex}`) as unknown, Result.succeed(hex.toLowerCase()))
      assert.isTrue(Result.isFailure(parse(`${hex}00`) as Result.Result<string, string>))
      assert.isTrue(Result.isFailure(parse(hex.slice(2)) as Result.Result<string, string>))
    }
  })

  it("a time at the edge of 48 bits fits", () => {
    for (const ts of [1, 2 ** 32, 2 ** 48 - 1]) assert.include(ofMessage({ ...message, ts }), `${u64(ts)}07`)
  })
})
