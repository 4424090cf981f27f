/** The check at the end of every scenario with real nodes can fail: what it finds missing, doubled and invented. */
import { assert, describe, it } from "@effect/vitest"
import { Ledger } from "../cluster/ledger.ts"

const line = (kind: string, id: string, more: object = {}): string =>
  JSON.stringify({ domain: "any", kind, id, hlc: "05", ...more })
const dumpOf = (...lines: ReadonlyArray<string>): string => [...lines, "{\"view\":\"group\"}", ""].join("\n")

const written = () => {
  const ledger = new Ledger()
  for (const id of ["a", "b", "m1", "m2", "unanswered"]) ledger.trying(id)
  ledger.answered({ kind: "message", id: "a" }, 0, 1, 201)
  ledger.answered({ kind: "message", id: "b" }, 1, 1, 202)
  return ledger
}
const [a, b] = [line("message", "a"), line("message", "b")]

describe("what nodes owe", () => {
  it("is there once, and nothing that nobody wrote", () => {
    const ledger = written()
    assert.deepStrictEqual(ledger.problems(dumpOf(a, b)), [])
    assert.deepStrictEqual(ledger.problems(dumpOf(a, b, line("message", "unanswered"))), [])
    assert.match(ledger.problems(dumpOf(a)).join(), /^missing: message b, answered 202 by node 1 in life 1 at /)
    assert.deepStrictEqual(ledger.problems(dumpOf(a, a, b)), ["message a is there twice"])
    assert.deepStrictEqual(ledger.problems(dumpOf(a, b, line("op", "c"))), ["op c is there, and nobody wrote it"])
  })

  it("is no 202 that its node was killed right after, but a 201 is", () => {
    const ledger = written()
    ledger.killed(1, 2)
    assert.strictEqual(ledger.problems(dumpOf(a)).length, 1, "another life of that node")
    ledger.killed(1, 1)
    ledger.killed(0, 1)
    assert.deepStrictEqual(ledger.problems(dumpOf(a)), [])
    assert.strictEqual(ledger.problems(dumpOf(b)).length, 1)
  })

  it("goes with the files of the only node that had it, and stays when all had it", () => {
    const [lost, agreed] = [written(), written()]
    lost.lost(0)
    assert.deepStrictEqual(lost.problems(dumpOf(b)), [])
    agreed.agreed()
    agreed.lost(0)
    agreed.killed(1, 1)
    assert.strictEqual(agreed.problems(dumpOf()).length, 2)
  })

  it("is met by a higher read mark or identity in the same place", () => {
    const ledger = written()
    ledger.agreed()
    ledger.answered({ kind: "read", id: "m1", slot: "c/u", rank: "0305" }, 0, 1, 201)
    const markAt = (id: string, upTo: string) => line("read", id, { chat: "c", reader: "u", up_to: upTo })
    assert.deepStrictEqual(ledger.problems(dumpOf(a, b, markAt("m1", "03"))), [])
    assert.deepStrictEqual(ledger.problems(dumpOf(a, b, markAt("m2", "04"))), [])
    assert.match(ledger.problems(dumpOf(a, b, markAt("m2", "02"))).join(), /^missing: read m1/)
    assert.deepStrictEqual(ledger.problems(dumpOf(a, b, markAt("m1", "03"), markAt("m2", "04"))), [
      "there are two of read c/u"
    ])
  })
})
