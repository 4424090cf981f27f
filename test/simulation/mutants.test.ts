/** Defects that are put in on purpose must fit the sources as they are, or they would test nothing. */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { stripTypeScriptTypes } from "node:module"
import { mutants } from "../mutants/mutants.ts"

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8")

describe("defects to be noticed", () => {
  it("are many, each with a name of its own", () => {
    assert.isAtLeast(mutants.length, 15)
    assert.strictEqual(new Set(mutants.map(({ name }) => name)).size, mutants.length)
  })

  for (const { edits, name } of mutants) {
    it(`${name}: each text is found once, and what comes out is a program`, () => {
      const changed = new Map<string, string>()
      for (const { file, find, replace } of edits) {
        const parts = (changed.get(file) ?? read(file)).split(find)
        assert.strictEqual(parts.length, 2, `${file}: ${find}`)
        changed.set(file, parts.join(replace))
      }
      for (const [file, text] of changed) {
        assert.notStrictEqual(text, read(file))
        assert.doesNotThrow(() => stripTypeScriptTypes(text), file)
      }
    })
  }
})

describe("the last run over all of them", () => {
  const results = JSON.parse(read("test/mutants/results.json")) as ReadonlyArray<{
    readonly name: string
    readonly caught: number
  }>

  it("was over these, and saw each", () => {
    assert.deepStrictEqual(results.map(({ name }) => name), mutants.map(({ name }) => name))
    assert.deepStrictEqual(results.filter(({ caught }) => caught === 0), [])
  })

  it("is the table of docs/testing.md", () => {
    const table = read("docs/testing.md")
    for (const { name } of results) assert.match(table, new RegExp(`\\| ${name} +\\|`))
  })
})
