/** Refusals are what clients see: their words, numbers and JSON are the protocol's (SPEC §8), not this program's to change. */
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as Refusal from "../../src/domain/refusal.ts"

const statuses = [
  [Refusal.InvalidRequest, "InvalidRequest", 400],
  [Refusal.Unauthenticated, "Unauthenticated", 401],
  [Refusal.Forbidden, "Forbidden", 403],
  [Refusal.NotFound, "NotFound", 404],
  [Refusal.Conflict, "Conflict", 409],
  [Refusal.TooLarge, "TooLarge", 413],
  [Refusal.RateLimited, "RateLimited", 429],
  [Refusal.Overloaded, "Overloaded", 503]
] as const

const isRefusal = (value: unknown): boolean =>
  statuses.some(([schema]) => Result.isSuccess(Schema.decodeUnknownResult(schema)(value)))

describe("refusals", () => {
  it("are all of SPEC §8, with its status each", () => {
    const named = new Map(statuses.map(([schema, tag]) => [tag as string, schema as unknown]))
    const reasons = ["AuthenticationFailure", "ConflictReason", "OverloadReason"]
    assert.sameMembers(Object.keys(Refusal), [...named.keys(), ...reasons])
    for (const [name, value] of Object.entries(Refusal)) if (named.has(name)) assert.strictEqual(value, named.get(name))
    for (const [schema, tag, status] of statuses) {
      assert.strictEqual(schema.ast.annotations?.["httpApiStatus"], status, tag)
      assert.strictEqual(schema.identifier, tag)
    }
  })

  it("are JSON with a tag, words, and the fields that are there, both ways", () => {
    const message = "in words"
    const samples: ReadonlyArray<readonly [refusal: Error, json: object]> = [
      [new Refusal.InvalidRequest({ message }), { _tag: "InvalidRequest", message }],
      [
        new Refusal.InvalidRequest({ message, field: "limit", allowed: ["GET"] }),
        { _tag: "InvalidRequest", message, field: "limit", allowed: ["GET"] }
      ],
      [
        new Refusal.Unauthenticated({ message, reason: "expired", time: 1 }),
        { _tag: "Unauthenticated", message, reason: "expired", time: 1 }
      ],
      [
        new Refusal.Unauthenticated({ message, reason: "wrong-node", node: "12D3" }),
        { _tag: "Unauthenticated", message, reason: "wrong-node", node: "12D3" }
      ],
      [new Refusal.Forbidden({ message }), { _tag: "Forbidden", message }],
      [new Refusal.NotFound({ message }), { _tag: "NotFound", message }],
      [new Refusal.Conflict({ message, reason: "creator" }), { _tag: "Conflict", message, reason: "creator" }],
      [new Refusal.TooLarge({ message, limit: 9 }), { _tag: "TooLarge", message, limit: 9 }],
      [new Refusal.RateLimited({ message, retry_after: 2 }), { _tag: "RateLimited", message, retry_after: 2 }],
      [
        new Refusal.Overloaded({ message, reason: "queue", retry_after: 2 }),
        { _tag: "Overloaded", message, reason: "queue", retry_after: 2 }
      ]
    ]
    for (const [refusal, json] of samples) {
      const [schema] = statuses.find(([each]) => refusal instanceof each)!
      assert.deepStrictEqual(Schema.encodeUnknownSync(schema as Schema.Codec<unknown, object>)(refusal), json)
      const read = Schema.decodeUnknownSync(schema as Schema.Codec<Error, object>)(json)
      assert.isTrue(read instanceof schema)
      assert.deepStrictEqual({ ...read }, { ...refusal })
      assert.strictEqual(read.message, message)
    }
  })

  it("give just the reasons that SPEC §8 lists", () => {
    const reasons = {
      Unauthenticated: ["missing-header", "malformed-header", "bad-signature", "wrong-node", "expired", "replayed"],
      Conflict: ["last-admin", "creator", "group-exists", "no-change"],
      Overloaded: ["queue", "in-flight", "clock", "replay-cache"]
    }
    assert.deepStrictEqual<ReadonlyArray<string>>(Refusal.AuthenticationFailure.literals, reasons.Unauthenticated)
    assert.deepStrictEqual<ReadonlyArray<string>>(Refusal.ConflictReason.literals, reasons.Conflict)
    assert.deepStrictEqual<ReadonlyArray<string>>(Refusal.OverloadReason.literals, reasons.Overloaded)
    for (const [_tag, known] of Object.entries(reasons)) {
      for (const reason of known) assert.isTrue(isRefusal({ _tag, message: "", reason, retry_after: 1 }), reason)
      assert.isFalse(isRefusal({ _tag, message: "", reason: "other", retry_after: 1 }), _tag)
      assert.isFalse(isRefusal({ _tag, message: "", retry_after: 1 }), _tag)
    }
  })
})
