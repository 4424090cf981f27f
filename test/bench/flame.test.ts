import { assert, describe, it } from "@effect/vitest"
import { flameOf, type Profile, treeOf } from "../../bench/report/flame.ts"

const frame = (id: number, functionName: string, url: string, children: ReadonlyArray<number> = []) => ({
  id,
  callFrame: { functionName, url, lineNumber: 9 },
  children
})

/** main calls work twice, from two places of V8's tree; work calls parse. */
const profile: Profile = {
  nodes: [
    frame(1, "(root)", "", [2, 6]),
    frame(2, "main", "file:///somewhere/src/main.ts", [3, 4]),
    frame(3, "work", "file:///somewhere/node_modules/effect/dist/internal/effect.js", [5]),
    frame(4, "work", "file:///somewhere/node_modules/effect/dist/internal/effect.js"),
    frame(5, "parse", ""),
    frame(6, "(idle)", "")
  ],
  samples: [2, 3, 4, 5, 6, 2, 6],
  timeDeltas: [0, 100, 200, 300, 400, 5_000, 100]
}

describe("flame graphs", () => {
  it("add up what is called from one place, and leave out what is idle or early", () => {
    const root = treeOf(profile)
    assert.strictEqual(root.micros, 1_100)
    const main = root.below.get("main src/main.ts:10")!
    assert.deepInclude(main, { micros: 1_100, origin: "own" })
    const work = main.below.get("work effect/effect.js:10")!
    assert.deepInclude(work, { micros: 900, origin: "effect" })
    assert.deepInclude(work.below.get("parse")!, { micros: 400, origin: "engine" })
    assert.strictEqual(treeOf(profile, 6).micros, 100)
  })

  it("are as wide as their share, and their names are text", () => {
    const svg = flameOf("a < b", treeOf(profile))
    assert.include(svg, "a &lt; b")
    assert.match(svg, /<title>parse: 36\.4 %<\/title><rect class="frame engine" x="0\.0" y="120" width="436\.4"/)
    assert.include(flameOf("nothing", treeOf({ nodes: profile.nodes, samples: [], timeDeltas: [] })), "</svg>")
  })
})
