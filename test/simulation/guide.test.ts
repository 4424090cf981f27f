/** The story in docs/simulator.md runs, and ends as the page says. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { story } from "./guide-story.ts"

const read = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8")

describe("the example of docs/simulator.md", () => {
  it("is the one that is run here", () => {
    const [, shown = ""] = /```ts\n([\s\S]*?)```/.exec(read("../../docs/simulator.md")) ?? []
    const run = read("guide-story.ts").replace(/^\/\*\*.*\n/, "")
      .replace("../../src/testing/index.ts", "p2p-mes/testing")
      .replace("export const story", "const story")
    assert.strictEqual(shown, `${run}\nconsole.log(await Effect.runPromise(Effect.scoped(story))) // []\n`)
  })

  it.effect("prints what it says", () =>
    Effect.map(Effect.scoped(story), (problems) => assert.deepStrictEqual(problems, [])))
})
