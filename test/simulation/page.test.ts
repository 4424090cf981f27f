/** The page of a history: everything that happened is on it, as text and as pictures, and it asks for nothing else. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Script } from "node:vm"
import { drawing, type View } from "../../src/testing/page/draw.ts"
import { page, pageEntriesMax } from "../../src/testing/page/page.ts"
import { sceneOf } from "../../src/testing/page/scene.ts"
import { colorNames, style } from "../../src/testing/page/style.ts"
import { type Report, simulate } from "../../src/testing/simulation.ts"
import type { Entry } from "../../src/testing/trace.ts"

const timeout = 120_000
const run = simulate({ seed: 3, profile: "crash", nodes: 3, steps: 4, history: true })
const report = Effect.runSync(Effect.cached(run))

/** What stands between tags. */
const rowsOf = (html: string): ReadonlyArray<ReadonlyArray<string>> =>
  [...html.matchAll(/<tr data-kind[^>]*>(.*?)<\/tr>/g)]
    .map(([, row]) => [...row!.matchAll(/<td>(.*?)<\/td>/g)].map((cell) => cell[1]!))

const sceneIn = (html: string): ReturnType<typeof sceneOf> =>
  JSON.parse(/<script type="application\/json" id="scene">(.*?)<\/script>/s.exec(html)![1]!) as ReturnType<
    typeof sceneOf
  >

/** Tags that are open and not closed, or closed and not open. */
const tagProblems = (html: string): ReadonlyArray<string> => {
  const open: Array<string> = []
  const alone = new Set(["meta", "input", "br"])
  const problems: Array<string> = []
  const markup = html.replaceAll(/<(script|style)([^>]*)>.*?<\/\1>/gs, "")
  for (const [, end, name = ""] of markup.matchAll(/<(\/?)([a-z][a-z0-9]*)/g)) {
    if (alone.has(name)) continue
    if (end === "") open.push(name)
    else if (open.pop() !== name) problems.push(name)
  }
  return [...problems, ...open]
}

const entry = (atMs: number, kind: Entry["kind"], text: string, node?: number, peer?: number): Entry => ({
  atMs,
  kind,
  text,
  node,
  peer
})

const evil = `</script><img src=x onerror=alert(1)>"'&\u2028<!--`

/** The report of a run that found something, with texts that would like to be markup. */
const evilOf = (sound: Report): Report => ({
  ...sound,
  entries: sound.told.length + 1,
  told: [...sound.told, entry(sound.virtualMs, "finding", `trees: ${evil}`, 1)],
  findings: [{ oracle: evil, atMs: 5, text: evil }]
})

describe("the page of a run", () => {
  it.effect("has every entry, a lane for each node, the verdict and what repeats it", () =>
    Effect.gen(function*() {
      const sound = yield* report
      const html = page(sound)
      assert.deepStrictEqual(tagProblems(html), [])
      const rows = rowsOf(html)
      assert.strictEqual(rows.length, sound.entries)
      assert.strictEqual(sound.told.length, sound.entries)
      for (const [i, { kind }] of sound.told.entries()) assert.strictEqual(rows[i]![1], kind)
      for (const lane of ["cluster", "n0", "n1", "n2"])
        assert.match(html, new RegExp(`data-lane="\\d" checked>${lane}<`))
      assert.match(html, /<title>ok: seed 3, crash/)
      assert.include(html, "<code>npm run sim -- --seed 3 --profile crash --nodes 3 --steps 4</code>")
      assert.include(html, sound.history)
      assert.isAbove(sceneIn(html).divergence.length, 2)
      assert.strictEqual(sceneIn(html).marks.length, sound.entries)
    }), timeout)

  it.effect("asks for nothing else, and its script is one", () =>
    Effect.gen(function*() {
      const html = page(yield* report)
      assert.notMatch(html, /https?:|\b(?:src|href|action)\s*=|url\(|@import|\bfetch\(|import\(|WebSocket|XMLHttp/)
      assert.match(html, /Content-Security-Policy" content="default-src 'none'/)
      const code = /<script>(.*?)<\/script>/s.exec(html)![1]!
      assert.doesNotThrow(() => new Script(code))
      assert.notInclude(code, "innerHTML")
      for (const name of colorNames)
        assert.strictEqual(style.split(`--${name}:`).length, 3, `--${name} by light and dark`)
    }), timeout)

  it.effect("shows texts of the run as text", () =>
    Effect.gen(function*() {
      const sound = yield* report
      const html = page(evilOf(sound))
      assert.deepStrictEqual(tagProblems(html), [])
      assert.notInclude(html, "<img")
      assert.strictEqual(html.match(/<\/script>/g)?.length, 2)
      assert.strictEqual(html.match(/<!--/g), null)
      assert.include(html, `&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;`)
      assert.match(html, /<title>failed: /)
      assert.match(html, new RegExp(`<button data-entry="${sound.entries}">`))
    }), timeout)

  it.effect("is bounded: of a long history the end, of a long text the beginning", () =>
    Effect.gen(function*() {
      const sound = yield* report
      const told = Array.from({ length: pageEntriesMax + 5 }, (_, i) =>
        entry(i, "log", i === pageEntriesMax ? "x".repeat(9_000) : "l", 0))
      const html = page({ ...sound, told, entries: told.length })
      const rows = rowsOf(html)
      assert.strictEqual(rows.length, pageEntriesMax)
      assert.strictEqual(rows[0]![0], "0.005")
      assert.include(html, `the last ${pageEntriesMax} entries of ${told.length}`)
      assert.match(html, /x… \(9000 characters\)/)
      assert.notInclude(html, "x".repeat(4_001))
    }), timeout)
})

describe("what is drawn", () => {
  it("nodes are up between their start and end; cuts and partitions last until all is healed", () => {
    const { spans } = sceneOf(
      [
        entry(0, "life", "start", 0),
        entry(2, "life", "up", 0),
        entry(10, "fault", "partition 0,2 | 1"),
        entry(12, "fault", "cut", 0, 1),
        entry(15, "fault", "disk-slow for 4", 1),
        entry(20, "fault", "heal"),
        entry(30, "life", "crash, silently", 0),
        entry(40, "note", "end")
      ],
      [],
      3
    )
    const of = (kind: string) =>
      spans.filter((span) => span.kind === kind).map(({ fromMs, lane, toMs }) => [lane, fromMs, toMs])
    assert.deepStrictEqual(of("starting"), [[1, 0, 2]])
    assert.deepStrictEqual(of("up"), [[1, 2, 30]])
    assert.deepStrictEqual(of("partition"), [[1, 10, 20], [3, 10, 20], [2, 10, 20]])
    assert.deepStrictEqual(spans.filter(({ side }) => side === 1).map(({ lane }) => lane), [2])
    assert.deepStrictEqual(of("cut"), [[1, 12, 20], [2, 12, 20]])
    assert.deepStrictEqual(of("disk"), [[2, 15, 19]])
  })

  it("gossip goes from where a message was to where it is taken", () => {
    const { arrows } = sceneOf(
      [
        entry(1, "gossip", "aaaaaaaa published", 0),
        entry(5, "gossip", "aaaaaaaa accept", 1, 0),
        entry(9, "gossip", "aaaaaaaa accept", 2, 1),
        entry(11, "gossip", "aaaaaaaa ignore", 2, 0),
        entry(12, "gossip", "bbbbbbbb accept", 2, 0)
      ],
      [],
      3
    )
    assert.deepStrictEqual(arrows, [
      { fromLane: 1, fromMs: 1, toLane: 2, toMs: 5, mark: 1 },
      { fromLane: 2, fromMs: 5, toLane: 3, toMs: 9, mark: 2 }
    ])
  })

  it("months in which nothing happens are left out, and times after them are still true", () => {
    const month = 30 * 86_400_000
    const times = [0, 1_000, month, month + 700, 2 * month, 2 * month + 50]
    const scene = sceneOf(times.map((atMs) => entry(atMs, "note", "x")), [{ atMs: month + 500, missing: [0] }], 1)
    assert.isBelow(scene.endMs, 20_000)
    const { clock, realMs } = drawing()
    assert.deepStrictEqual(scene.marks.map(({ atMs }) => Math.round(realMs(scene, atMs))), times)
    assert.strictEqual(realMs(scene, scene.divergence[0]!.atMs), month + 500)
    assert.strictEqual(clock(month + 700, 100), "30 d 0:00:00.7")
    assert.strictEqual(clock(83_456, 1_000), "1:23")
    assert.strictEqual(clock(83_456, 1), "1:23.456")
  })

  it("marks stand where they can be pointed at, findings in their colour over all lanes", () => {
    const scene = sceneOf(
      [
        entry(100, "write", "u0 message aaaaaaaa", 1),
        entry(200, "answer", "aaaaaaaa refused NotFound", 1),
        entry(300, "finding", "trees: wrong")
      ],
      [{ atMs: 100, missing: [0, 3] }, { atMs: 300, missing: [undefined, 0] }],
      2
    )
    const view: View = {
      fromMs: 0,
      toMs: 400,
      width: 400,
      shown: new Uint8Array(3).fill(2),
      lanes: [true, true, true],
      searching: false,
      selected: -1,
      hovered: -1,
      cursorX: -1
    }
    const { graph, heightOf, lanes, nearest, xOf, yOf } = drawing()
    for (const [i, mark] of scene.marks.entries()) {
      assert.strictEqual(nearest(scene, view, xOf(view, mark.atMs) + 3, yOf(scene, mark) - 3, 14), i)
    }
    assert.strictEqual(nearest(scene, view, 30, 30, 14), -1)
    view.shown[0] = 1
    assert.strictEqual(nearest(scene, view, 100, yOf(scene, scene.marks[0]!), 14), -1)

    // a pen that remembers its strokes and their colour
    const strokes: Array<readonly [color: string, x: number, y: number]> = []
    const pen = new Proxy({ strokeStyle: "" } as Record<string, unknown>, {
      get: (target, name: string) =>
        name in target
          ? target[name]
          : (x: number, y: number) => {
            if (name === "lineTo") strokes.push([String(target["strokeStyle"]), x, y])
          }
    }) as unknown as CanvasRenderingContext2D
    const colors = Object.fromEntries(colorNames.map((name) => [name, name]))
    lanes(pen, scene, view, colors)
    assert.deepInclude(strokes, ["finding", 300, heightOf(scene)])
    assert.isTrue(strokes.some(([color]) => color === "refused"))
    strokes.length = 0
    graph(pen, scene, view, colors)
    assert.isFalse(strokes.some(([color]) => color === "node0"), "n0 was down at the second look")
    assert.strictEqual(strokes.filter(([color]) => color === "node1").length, 1)
  })
})
