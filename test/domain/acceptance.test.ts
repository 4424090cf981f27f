import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as Acceptance from "../../src/domain/acceptance.ts"
import { Authority } from "../../src/domain/authority.ts"
import * as Bytes from "../../src/domain/bytes.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import * as Ids from "../../src/domain/ids.ts"
import { nodeIdOf, parseNodeId } from "../../src/domain/node-id.ts"
import { authorOf } from "../../src/domain/record.ts"
import type { Dot, Identity, Message, Op, Read, Record as Rec } from "../../src/domain/record.ts"
import * as Retention from "../../src/domain/retention.ts"
import * as Signature from "../../src/domain/signature.ts"
import { aMessage, anIdentity, anOp, aRead, aRecord, Dice, hashes, kinds, nodes, Seed, ts, users } from "./records.ts"

const [alice, bob, carol, dave] = users as [Ids.Address, Ids.Address, Ids.Address, Ids.Address]
const nonce = "07".repeat(16) as Ids.Nonce
const group = Ids.groupChatId(hashes, alice, nonce)
const envelope = {
  ts,
  node: nodes[0]!,
  sig: Bytes.fromHex("01".repeat(64) + "00"),
  sigVersion: 1 as const,
  hlc: Hlc.make(ts, 0)
}
const message: Message = {
  ...envelope,
  kind: "message",
  id: "" as Ids.MessageId,
  chatId: Ids.dmChatId(hashes, alice, bob),
  sender: alice,
  peer: bob,
  msgType: 0,
  content: "x"
}
const { peer: _peer, ...groupMessage } = { ...message, chatId: group }
const op: Op = {
  ...envelope,
  kind: "op",
  id: "" as Ids.OpId,
  chatId: group,
  actor: alice,
  op: 1,
  role: 0,
  targets: [bob],
  stamp: new Uint8Array(64)
}
const create: Op = { ...op, op: 0, targets: [bob], nonce }
const removal: Op = { ...op, op: 2, observed: [] }
const title: Op = { ...op, op: 3, targets: [], title: "x" }
const read: Read = {
  ...envelope,
  kind: "read",
  id: "" as Ids.ReadId,
  chatId: Ids.dmChatId(hashes, alice, bob),
  reader: alice,
  peer: bob,
  upTo: Hlc.make(ts, 0)
}
const { peer: _peer2, ...groupRead } = { ...read, chatId: group }
const identity: Identity = {
  ...envelope,
  kind: "identity",
  id: "" as Ids.IdentityId,
  address: alice,
  blob: new Uint8Array()
}
const one: ReadonlyArray<Rec> = [message, groupMessage, op, create, removal, title, read, groupRead, identity]

/** The key at fault, or "" when the form is good. */
const fault = (record: Rec): string => Acceptance.formProblem(hashes, record)?.field ?? ""
const good = (record: Rec, label = ""): void => assert.strictEqual(fault(record), "", label)
const bad = (record: Rec, field: string, label = ""): void => assert.strictEqual(fault(record), field, label)

/** 20-byte names in ascending order. */
const addresses = (count: number): ReadonlyArray<Ids.Address> =>
  Array.from({ length: count }, (_, i) => (i + 1).toString(16).padStart(40, "0") as Ids.Address)
const dots = (count: number): ReadonlyArray<Dot> =>
  Array.from({ length: count }, (_, i) => (i + 1).toString(16).padStart(104, "0") as Dot)

describe("acceptance: form (failure 7: inside, at and outside of each bound)", () => {
  it.prop("takes every well-formed record", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    for (const kind of kinds) good(aRecord(kind, dice))
  })

  it("ts is from 1 to 2^48 - 1, an integer", () => {
    for (const base of one) {
      const at = (ts: number, hlcMs: number): Rec => ({ ...base, ts, hlc: Hlc.make(hlcMs, 0), ...upTo(base) })
      good(at(1, 0))
      good(at(2, 0))
      good(at(2 ** 48 - 2, 2 ** 48 - 1))
      good(at(2 ** 48 - 1, 2 ** 48 - 1))
      bad(at(2 ** 48, 2 ** 48 - 1), "ts")
      bad(at(0, 0), "ts")
      bad(at(-1, 0), "ts")
      bad(at(1.5, 0), "ts")
      bad(at(Number.NaN, 0), "ts")
      bad(at(Number.POSITIVE_INFINITY, 0), "ts")
    }
  })

  it("the stamp lies within 90 000 ms of ts, either way, whatever its counter", () => {
    for (const base of one) {
      const at = (ms: number, logical: number): Rec => ({ ...base, hlc: Hlc.make(ts + ms, logical), ...upTo(base) })
      for (const logical of [0, 65_535]) {
        for (const ms of [-90_000, -89_999, 0, 89_999, 90_000]) good(at(ms, logical), `${base.kind} ${ms}`)
        for (const ms of [-90_001, 90_001, -ts, 2 ** 40]) bad(at(ms, logical), "hlc", `${base.kind} ${ms}`)
      }
    }
    bad({ ...message, ts: 2 ** 48 - 1, hlc: (1n << 64n) as Hlc.Hlc }, "hlc")
    bad({ ...message, ts: 1, hlc: -1n as Hlc.Hlc }, "hlc")
  })

  it("the node is a node id", () => {
    for (const base of one) {
      for (const node of nodes) good({ ...base, node })
      for (
        const node of [
          "",
          "x",
          "z".repeat(64),
          "1".repeat(65),
          `${nodes[0]!} `,
          "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"
        ]
      ) {
        bad({ ...base, node: node as Ids.NodeId }, "node", node)
      }
    }
  })

  it("the signature has the shape of one", () => {
    for (const base of one) {
      const sig = (hex: string): Rec => ({ ...base, sig: Bytes.fromHex(hex) })
      good(sig("01".repeat(64) + "01"))
      for (
        const hex of [
          "01".repeat(64),
          "01".repeat(66),
          "01".repeat(64) + "02",
          "01".repeat(64) + "1b",
          "00".repeat(65),
          "01".repeat(32) + "ff".repeat(32) + "00",
          "ff".repeat(32) + "01".repeat(32) + "00"
        ]
      ) {
        bad(sig(hex), "sig", hex)
      }
    }
  })

  it("content is up to 32 KiB, counted in UTF-8 bytes", () => {
    const content = (text: string): Rec => ({ ...message, content: text })
    for (const [text, width] of [["a", 1], ["é", 2], ["中", 3], ["😀", 4]] as const) {
      const most = Math.floor(32_768 / width)
      const rest = "a".repeat(32_768 - most * width)
      good(content(text.repeat(most - 1)))
      good(content(text.repeat(most) + rest), text)
      bad(content(text.repeat(most) + rest + "a"), "content", text)
      bad(content(text.repeat(most + 1)), "content", text)
    }
    good(content(""))
  })

  it("control is up to 32 KiB", () => {
    for (const length of [0, 1, 32_767, 32_768]) good({ ...message, control: new Uint8Array(length) }, String(length))
    for (const length of [32_769, 65_536])
      bad({ ...message, control: new Uint8Array(length) }, "control", String(length))
  })

  it("a lone surrogate is an error in content and in a title", () => {
    for (const text of ["\ud800", "a\udc00", "\udc00\ud800", "😀\ud83d"]) {
      bad({ ...message, content: text }, "content")
      bad({ ...title, title: text }, "title")
      bad({ ...create, title: text }, "title")
    }
    good({ ...message, content: "😀\ufeff\u0000" })
  })

  it("msg_type is a byte", () => {
    for (const msgType of [0, 1, 254, 255]) good({ ...message, msgType })
    for (const msgType of [-1, 256, 0.5, Number.NaN]) bad({ ...message, msgType }, "msg_type")
  })

  it("a title is up to 128 bytes, an identity too", () => {
    for (const [text, width] of [["a", 1], ["é", 2], ["😀", 4]] as const) {
      for (const base of [create, title]) {
        good({ ...base, title: text.repeat(128 / width - 1) })
        good({ ...base, title: text.repeat(128 / width) })
        bad({ ...base, title: `${text.repeat(128 / width)}a` }, "title")
      }
    }
    good({ ...title, title: "" })
    for (const length of [0, 1, 127, 128]) good({ ...identity, blob: new Uint8Array(length) })
    for (const length of [129, 70_000]) bad({ ...identity, blob: new Uint8Array(length) }, "blob")
  })

  it("an op has up to 256 targets, a removal up to 4 096 dots", () => {
    for (const base of [create, op, removal]) {
      for (const count of [1, 255, 256]) good({ ...base, targets: addresses(count) }, String(count))
      for (const count of [257, 1_000]) bad({ ...base, targets: addresses(count) }, "targets", String(count))
    }
    for (const count of [0, 1, 4_095, 4_096]) good({ ...removal, observed: dots(count) }, String(count))
    for (const count of [4_097, 70_000]) bad({ ...removal, observed: dots(count) }, "observed", String(count))
  })

  it("targets and dots are strictly ascending", () => {
    const [a, b, c] = addresses(3) as [Ids.Address, Ids.Address, Ids.Address]
    for (const base of [create, op, removal]) {
      good({ ...base, targets: [a, b, c] })
      for (const targets of [[b, a], [a, a], [a, c, b], [a, b, b]]) bad({ ...base, targets }, "targets")
    }
    const [p, q, r] = dots(3) as [Dot, Dot, Dot]
    good({ ...removal, observed: [p, q, r] })
    for (const observed of [[q, p], [p, p], [p, r, q]]) bad({ ...removal, observed }, "observed")
  })

  it("dots that are not of its targets are legal", () => {
    good({ ...removal, targets: [bob], observed: [`${"ab".repeat(32)}${carol}` as Dot] })
  })

  it("all combinations of op, role, targets, title, nonce and observed: those of the table and no others", () => {
    const targetLists: ReadonlyArray<readonly [string, ReadonlyArray<Ids.Address>]> = [
      ["none", []],
      ["one", [bob]],
      ["the actor", [alice]],
      ["more", [bob, carol]],
      ["more with the actor", [alice, bob].sort()],
      ["not sorted", [carol, bob]],
      ["twice", [bob, bob]]
    ]
    let taken = 0
    for (const type of [0, 1, 2, 3] as const) {
      for (const role of [0, 1] as const) {
        for (const [label, targets] of targetLists) {
          for (const name of [undefined, "", "x"]) {
            for (const salt of [undefined, nonce]) {
              for (const observed of [undefined, [], dots(1)]) {
                const sorted = label !== "not sorted" && label !== "twice"
                const many = targets.length
                const legal = sorted && (role === 0 || type === 1) && (type === 2) === (observed !== undefined)
                  && (type === 0) === (salt !== undefined)
                  && (type === 0
                    ? !targets.includes(alice)
                    : type === 3
                    ? many === 0 && name !== undefined
                    : many > 0 && name === undefined)
                const record: Op = { ...op, op: type, role, targets, title: name, nonce: salt, observed }
                const label2 = JSON.stringify({ type, role, label, name, salt, observed })
                assert.strictEqual(fault(record) === "", legal, `${label2}: ${fault(record)}`)
                if (legal) taken++
              }
            }
          }
        }
      }
    }
    // create 3 lists × 3 titles, add 2 roles × 4 lists, remove 4 lists × 2 observed, set-title 2
    assert.strictEqual(taken, 9 + 8 + 8 + 2)
  })

  it("an op's shape is known before it is stamped", () => {
    const { observed: _observed, stamp: _stamp, ...unstamped } = removal
    assert.isUndefined(Acceptance.opShapeProblem(hashes, unstamped))
    assert.strictEqual(Acceptance.opShapeProblem(hashes, { ...unstamped, role: 1 })?.[0], "role")
  })

  it("a create's chat is derived from its actor and nonce", () => {
    bad({ ...create, actor: bob, targets: [] }, "chat_id")
    bad({ ...create, nonce: "08".repeat(16) as Ids.Nonce }, "chat_id")
    bad({ ...create, chatId: message.chatId }, "chat_id")
    good({ ...create, targets: [] })
  })

  it("a stamp has 64 bytes", () => {
    for (const length of [0, 63, 65]) bad({ ...op, stamp: new Uint8Array(length) }, "stamp")
  })

  it("a direct chat is derived from author and peer, for messages and read marks", () => {
    good({ ...message, sender: bob, peer: alice })
    good({ ...message, peer: alice, chatId: Ids.dmChatId(hashes, alice, alice) })
    for (const wrong of [{ peer: carol }, { chatId: group }, { peer: alice }]) {
      bad({ ...message, ...wrong }, "chat_id")
      bad({ ...read, ...wrong }, "chat_id")
    }
    bad({ ...message, sender: carol }, "chat_id")
    bad({ ...read, reader: carol }, "chat_id")
  })

  it("a read mark reaches its own stamp at most", () => {
    for (const base of [read, groupRead]) {
      good({ ...base, upTo: (base.hlc - 1n) as Hlc.Hlc })
      good({ ...base, upTo: base.hlc })
      good({ ...base, upTo: Hlc.zero })
      bad({ ...base, upTo: (base.hlc + 1n) as Hlc.Hlc }, "up_to")
    }
  })
})

const upTo = (base: Rec): { readonly upTo?: Hlc.Hlc } => base.kind === "read" ? { upTo: Hlc.zero } : {}

describe("acceptance: signatures", () => {
  it.prop("asks for the author's, and on an op also the node's", [Seed], ([seed]) => {
    const dice = new Dice(seed)
    for (const kind of kinds) {
      const record = aRecord(kind, dice)
      const wanted = Acceptance.signaturesOf(hashes, record)
      assert.strictEqual(wanted.author, authorOf(record))
      assert.deepStrictEqual(wanted.recovery.digest, Signature.recordDigest(hashes, record))
      assert.deepStrictEqual(Bytes.concat([wanted.recovery.rs, Bytes.u8(wanted.recovery.v)]), record.sig)
      if (record.kind !== "op") assert.isUndefined(wanted.stamp)
      else {
        assert.deepStrictEqual(wanted.stamp?.key, Result.getOrThrow(parseNodeId(record.node)))
        assert.deepStrictEqual(wanted.stamp?.digest, Signature.stampDigest(hashes, record))
        assert.strictEqual(wanted.stamp?.signature, record.stamp)
      }
    }
  }, { arbitrary: { runs: 30 } })
})

describe("acceptance: standing", () => {
  const hour = 3_600_000
  const wall = Math.ceil(ts / hour) * hour
  const cutoff = Retention.cutoffMs(wall)
  const known = new Authority()
  known.add(create)
  const standing = (record: Rec, authority: Authority | "unknown" = known, wallMs = wall): Acceptance.Standing =>
    Acceptance.standing(record, authority === "unknown" ? undefined : authority, wallMs)
  const at = (record: Rec, ms: number, logical = 0): Rec => ({ ...record, hlc: Hlc.make(ms, logical) })

  it("failure 7: is early from 60 001 ms ahead, for every kind, even where a prerequisite is missing", () => {
    for (const base of one) {
      for (const ms of [59_999, 60_000])
        assert.strictEqual(standing(at(base, wall + ms, 65_535)), "acceptable", base.kind)
      assert.strictEqual(standing(at(base, wall + 60_001)), "early", base.kind)
      assert.strictEqual(standing(at(base, wall + 60_001), "unknown"), "early", base.kind)
    }
  })

  it("failure 7: is aged at the cutoff and kept one ms above it, and the cutoff moves with the hour", () => {
    for (const base of [message, groupMessage, read, groupRead]) {
      assert.strictEqual(standing(at(base, cutoff - 1, 9)), "aged")
      assert.strictEqual(standing(at(base, cutoff, 65_535)), "aged")
      assert.strictEqual(standing(at(base, cutoff + 1)), "acceptable")
      assert.strictEqual(standing(at(base, cutoff + 1), known, wall + hour - 1), "acceptable")
      assert.strictEqual(standing(at(base, cutoff + 1), known, wall + hour), "aged")
      assert.strictEqual(standing(at(base, cutoff), known, wall - 1), "acceptable")
    }
    // aged says gone for ever: it comes before what may still change
    assert.strictEqual(standing(at(groupMessage, cutoff), "unknown"), "aged")
    for (const base of [op, create, removal, title, identity]) assert.strictEqual(standing(at(base, 0)), "acceptable")
  })

  it("waits for its group: messages and marks for the author in P, ops for the actor in W", () => {
    for (const base of [groupMessage, groupRead, op, removal, title]) {
      assert.strictEqual(standing(base, "unknown"), "waiting", base.kind)
      assert.strictEqual(standing(base, new Authority()), "waiting", base.kind)
      assert.strictEqual(standing(base), "acceptable", base.kind)
    }
    for (const base of [message, read, create, identity]) assert.strictEqual(standing(base, "unknown"), "acceptable")
    // bob is a target of the create, carol is nobody
    assert.strictEqual(standing({ ...groupMessage, sender: bob }), "acceptable")
    assert.strictEqual(standing({ ...groupMessage, sender: carol }), "waiting")
    assert.strictEqual(standing({ ...groupRead, reader: bob }), "acceptable")
    assert.strictEqual(standing({ ...groupRead, reader: carol }), "waiting")
    for (const base of [op, removal, title])
      assert.strictEqual(standing({ ...base, actor: bob, targets: [carol] }), "waiting")
  })

  it("a removal of exactly oneself needs P only", () => {
    const leave: Op = { ...removal, actor: bob, targets: [bob] }
    assert.strictEqual(standing(leave), "acceptable")
    assert.strictEqual(standing({ ...leave, targets: [bob, carol].sort() }), "waiting")
    assert.strictEqual(standing({ ...leave, targets: [carol] }), "waiting")
    assert.strictEqual(standing({ ...leave, actor: carol, targets: [carol] }), "waiting")
    assert.strictEqual(standing({ ...leave, op: 1, observed: undefined }), "waiting")
  })

  it("what waits is acceptable once the fact is there, and stays so", () => {
    const authority = new Authority()
    authority.add(create)
    const byDave = { ...op, actor: dave }
    assert.strictEqual(standing(byDave, authority), "waiting")
    authority.add({ ...op, targets: [dave], role: 0 })
    assert.strictEqual(standing(byDave, authority), "waiting")
    assert.strictEqual(standing({ ...groupMessage, sender: dave }, authority), "acceptable")
    authority.add({ ...op, targets: [dave], role: 1 })
    assert.strictEqual(standing(byDave, authority), "acceptable")
    for (const later of [{ ...op, targets: [dave], role: 0 as const }, { ...removal, targets: [dave] }, title]) {
      authority.add(later)
      assert.strictEqual(standing(byDave, authority), "acceptable")
    }
  })
})

it("fixtures are what they say", () => {
  for (const make of [aMessage, anOp, aRead, anIdentity]) good(make(new Dice(1)))
  assert.deepStrictEqual([...users].sort(), [...users])
  assert.strictEqual(nodeIdOf(Result.getOrThrow(parseNodeId(nodes[0]!))), nodes[0])
})
