/**
 * How does what a thing costs grow with what is there already?
 *
 *     node bench/growth.ts [--quick] [--large] [--turns N]       a table, bench/results/growth.json and a plot a curve
 *     node bench/growth.ts … [stores] [groups] [clusters]        only these; a table, and nothing is kept
 *
 * Over 10 000, 100 000 and 1 000 000 stored messages (with --large also 5 000 000), groups of 10 to 10 000 members, and 2 to 5
 * real nodes. All sizes of a curve are there at once and are measured in turns, so that whatever else the machine does hits
 * all alike. Nothing on a hot path may grow faster than log n; a curve that does says why.
 */
import { Effect, Exit, References, Scope } from "effect"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { loadWasm } from "../src/layers/crypto/hashing.ts"
import { clusters, groupRows, inboxRow } from "./growth/nodes.ts"
import { differences, rowsOf, treeRow } from "./growth/stores.ts"
import { endAll } from "./nodes/processes.ts"
import {
  alternate,
  isQuick,
  median,
  numberGiven,
  type Row,
  table,
  type Watched,
  writeResults
} from "./report/measure.ts"
import { type Point, svgOf } from "./report/plot.ts"

const turns = isQuick ? 1 : 3
const storeSizes = isQuick
  ? [2_000, 20_000]
  : [10_000, 100_000, 1_000_000, ...(process.argv.includes("--large") ? [5_000_000] : [])]
const groupSizes = isQuick ? [10, 1_000] : [10, 100, 1_000, 10_000]
const nodesMost = isQuick ? 3 : 5
const clusterLoad = { perSecond: 100, writes: isQuick ? 200 : 600, turns: numberGiven("turns", isQuick ? 1 : 2) }
/** Above log n by no more than this is not told from it: pages that leave the caches, noise. */
const slack = 1.25

interface Drawn {
  readonly file: string
  readonly title: string
  readonly of: string
  readonly unit: string
  /** How it may grow: hot paths by log n; a list by its length, because all of it is the answer. */
  readonly allowed: "log n" | "n"
  readonly why: string
  readonly points: ReadonlyArray<Point & { readonly values: ReadonlyArray<number> }>
}

type Text = Omit<Drawn, "points">

const texts = {
  commit: {
    file: "growth-commit",
    title: "Commit, batches of 100",
    of: "stored messages",
    unit: "CPU µs a message",
    allowed: "log n",
    why:
      "bodies are written in order of arrival; of the indexes, pages of random keys are touched, the more of them the " +
      "larger the index, until each message touches its own"
  },
  page: {
    file: "growth-page",
    title: "Page of 50 messages",
    of: "stored messages",
    unit: "CPU µs a page",
    allowed: "log n",
    why:
      "one descent of the index by chat and stamp, then 50 rows; rows of a chat that many talk beside lie on pages of " +
      "their own, and from some size on these are not in the database's cache"
  },
  inbox: {
    file: "growth-inbox",
    title: "GET /conversations, 50 of 200 chats, 5 unread each",
    of: "stored messages",
    unit: "CPU µs a call",
    allowed: "log n",
    why: "it reads heads of the reader's own chats, each by one descent of an index: others' messages are not looked at"
  },
  tree: {
    file: "growth-tree",
    title: "Merkle tree: one record and the root",
    of: "records in the tree",
    unit: "CPU µs",
    allowed: "log n",
    why: "the tree has 65 536 leaves whatever it holds: one addition, and the hashes on one path of four levels"
  },
  reconcile: {
    file: "growth-reconcile",
    title: `Sync round, ${differences} differences`,
    of: "stored messages",
    unit: "CPU µs of both sides",
    allowed: "log n",
    why:
      "in a sparse tree whole nodes of 16 leaves are compared, each leaf looked up by itself; in a full one the leaves that " +
      "differ alone, and a leaf holds n / 65 536 records: about 15 digests at 1 000 000, proportional to n from there on"
  },
  send: {
    file: "growth-group-send",
    title: "Message to a group",
    of: "members",
    unit: "CPU µs of the node",
    allowed: "log n",
    why: "membership is looked up in the fold of the group, kept in memory; nothing is stored per member"
  },
  op: {
    file: "growth-group-op",
    title: "Change of a group's title",
    of: "members",
    unit: "CPU µs of the node",
    allowed: "log n",
    why: "the fold takes an op at its end: what changes is what the op names, if nothing copies the members"
  },
  members: {
    file: "growth-group-members",
    title: "GET /groups/{chat_id}/members",
    of: "members",
    unit: "CPU µs of the node",
    allowed: "n",
    why: "the answer names every member"
  },
  cluster: {
    file: "growth-nodes",
    title: "One write, all nodes together",
    of: "nodes",
    unit: "CPU µs",
    allowed: "n",
    why: "full replication: each node verifies and commits every record (SPEC §1.3), so a node's own share is flat"
  },
  wire: {
    file: "growth-wire",
    title: "One write: gossip received and sync frames, all nodes together",
    of: "nodes",
    unit: "bytes",
    allowed: "n",
    why: "each node must get each record once; a mesh of gossip brings some twice, at most once a link"
  }
} satisfies Record<string, Text>

type Name = keyof typeof texts

const pointOf = (x: number, values: ReadonlyArray<number>) => ({
  x,
  y: median(values),
  low: Math.min(...values),
  high: Math.max(...values),
  values
})

/** Rows by curve and size, run in turns; a point a row. */
const measure = async (rows: ReadonlyArray<{ readonly name: Name; readonly x: number; readonly row: Row }>) => {
  const measured = await alternate(rows.map(({ row }) => row), turns)
  const names = [...new Set(rows.map(({ name }) => name))]
  return names.map((name): Drawn => ({
    ...texts[name],
    points: rows.flatMap((each, i) =>
      each.name === name
        ? [pointOf(each.x, measured[i]!.turns.map(({ cpuMs, units }) => cpuMs * 1_000 / units))]
        : []
    )
  }))
}

const ofStores = async (directory: string): Promise<ReadonlyArray<Drawn>> => {
  const hashes = await Effect.runPromise(loadWasm)
  const scope = await Effect.runPromise(Scope.make())
  try {
    const rows: Array<{ readonly name: Name; readonly x: number; readonly row: Row }> = []
    for (const x of storeSizes) {
      const at = join(directory, `store ${x}`)
      const opened = Effect.provideService(rowsOf(hashes, at, x), References.MinimumLogLevel, "None")
      const { commit, page, reconcile } = await Effect.runPromise(Scope.provide(opened, scope))
      const inbox = await inboxRow(hashes, join(at, "filled"), join(at, "node"), x)
      const tree = treeRow(hashes, x)
      for (const [name, row] of Object.entries({ commit, page, inbox, tree, reconcile })) {
        rows.push({ name: name as Name, x, row })
      }
      console.error(`${x} messages are stored`)
    }
    return await measure(rows)
  } finally {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    await endAll()
  }
}

const ofGroups = async (directory: string): Promise<ReadonlyArray<Drawn>> => {
  const hashes = await Effect.runPromise(loadWasm)
  const { close, rows } = await groupRows(hashes, join(directory, "groups"), groupSizes)
  try {
    return await measure(rows.flatMap(({ members, op, send, size }) => [
      { name: "send" as const, x: size, row: send },
      { name: "op" as const, x: size, row: op },
      { name: "members" as const, x: size, row: members }
    ]))
  } finally {
    await close()
    await endAll()
  }
}

const ofClusters = async (directory: string): Promise<ReadonlyArray<Drawn>> => {
  const hashes = await Effect.runPromise(loadWasm)
  try {
    const samples = await clusters(hashes, join(directory, "cluster"), nodesMost, clusterLoad)
    const sizes = [...new Set(samples.map(({ nodes }) => nodes))]
    const points = (value: (sample: typeof samples[number]) => number) =>
      sizes.map((x) => pointOf(x, samples.filter(({ nodes }) => nodes === x).map(value)))
    return [
      { ...texts.cluster, points: points(({ cpuMicros }) => cpuMicros) },
      { ...texts.wire, points: points(({ wireBytes }) => wireBytes) }
    ]
  } finally {
    await endAll()
  }
}

/** How many times as much as at `from` it may cost at `to`. */
const mayGrow = (allowed: Drawn["allowed"], from: number, to: number): number =>
  allowed === "n" ? to / from : Math.log(to) / Math.log(from)

const growthOf = ({ allowed, points }: Drawn) => {
  const [first, last] = [points[0]!, points.at(-1)!]
  const times = last.y / first.y
  const may = mayGrow(allowed, first.x, last.x) * slack
  return { times, may, met: times <= may }
}

const plotOf = ({ allowed, of, points, title, unit }: Drawn): string => {
  const first = points[0]!
  const may = points.map(({ x }) => ({ x, y: first.y * mayGrow(allowed, first.x, x) }))
  return svgOf({
    title,
    xLabel: of,
    yLabel: unit,
    curves: [{ name: "measured, median and range of the turns", points }, {
      name: `growth as ${allowed}, from the first`,
      points: may,
      dashed: true
    }]
  })
}

const print = (drawn: ReadonlyArray<Drawn>): void => {
  console.log(table(
    ["what", "over", "at the first", "at the last", "times", "may be", ""],
    drawn.map((curve) => {
      const { may, met, times } = growthOf(curve)
      const [first, last] = [curve.points[0]!, curve.points.at(-1)!]
      return [
        `${curve.title}, ${curve.unit}`,
        `${first.x} to ${last.x} ${curve.of}`,
        first.y,
        last.y,
        times,
        may,
        met ? "met" : "grows faster"
      ]
    })
  ))
  console.log(`\n${drawn.map(({ title, why }) => `- ${title}: ${why}.`).join("\n")}\n`)
}

const keep = (drawn: ReadonlyArray<Drawn>): void => {
  const results = new URL("results/", import.meta.url)
  mkdirSync(results, { recursive: true })
  for (const curve of drawn) {
    writeFileSync(new URL(`${curve.file}${isQuick ? ".quick" : ""}.svg`, results), plotOf(curve))
  }
  const watched = drawn.flatMap(({ points, title, unit }): ReadonlyArray<Watched> =>
    points.map(({ values, x }) => ({ name: `${title}, ${x}`, unit, values }))
  )
  const curves = drawn.map((curve) => ({ ...curve, growth: growthOf(curve) }))
  console.log(writeResults("growth", ["effect", "libp2p"], { curves }, watched))
}

const directory = mkdtempSync(join(tmpdir(), "p2p-mes-bench-"))
try {
  const parts = { stores: ofStores, groups: ofGroups, clusters: ofClusters }
  const only = Object.entries(parts).filter(([name]) => process.argv.includes(name))
  const drawn: Array<Drawn> = []
  for (const [, part] of only.length > 0 ? only : Object.entries(parts)) drawn.push(...await part(directory))
  print(drawn)
  if (only.length === 0) keep(drawn)
} finally {
  await endAll()
  rmSync(directory, { recursive: true, force: true })
}
