/** Bodies in which two readers could see two things are refused, at a cost that does not grow faster than they do. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { problemOf } from "../../src/layers/http/strict-json.ts"

describe("strict JSON", () => {
  it.prop("takes all that JSON.stringify makes", [Schema.Json], ([value]) => {
    assert.isUndefined(problemOf(JSON.stringify(value)))
    assert.isUndefined(problemOf(JSON.stringify({ a: [value, { b: value }], c: "\\\"{[,:" }, null, 2)))
  })

  it("refuses a repeated key, however it is written and wherever it stands", () => {
    const bad = [
      `{"a":1,"a":2}`,
      `{"a":1,"b":{"c":1,"c":1}}`,
      `[{"x":[],"y":{},"x":1}]`,
      `{"a":1,"\\u0061":2}`,
      `{"a\\"b":1 , "a\\"b" : 2}`,
      `{"a":{"a":1},"a":1}`,
      `{"":1,"":2}`,
      `{"__proto__":1,"__proto__":2}`
    ]
    for (const text of bad) assert.match(problemOf(text) ?? "", /stands twice/, text)
  })

  it("takes one key in different objects, and texts that look like keys", () => {
    const good = [
      `{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}`,
      `["a","a",{"a":"a"},"a"]`,
      `{"a":"\\"a\\":1,\\"a\\":2","b":"{\\"a\\":1,\\"a\\":1}"}`,
      `{"a":1,"A":2,"\\u0041b":3}`
    ]
    for (const text of good) assert.isUndefined(problemOf(text), text)
  })

  it("refuses what is no JSON, and what is nested beyond reason", () => {
    for (const text of ["", "{", "{'a':1}", "[1,]", "nul", `{"a":1}}`, "\ufeff{}"])
      assert.isString(problemOf(text), text)
    assert.isUndefined(problemOf("[".repeat(64) + "]".repeat(64)))
    assert.match(problemOf("[".repeat(65) + "]".repeat(65)) ?? "", /deep/)
    assert.isString(problemOf("[".repeat(200_000)))
    assert.match(problemOf("[".repeat(100_000) + "]".repeat(100_000)) ?? "", /deep|stack/i)
  })
})
