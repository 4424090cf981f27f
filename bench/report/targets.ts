/**
 * What was wanted of this project's speed, and what the latest results say. One list: `all.ts` prints it as the summary. A
 * figure is read from the results of one bench; results that lack it (an older form, a bench that did not run) show a dash.
 */
import { table } from "./measure.ts"

/** `bench/results/<name>.json`, as far as it is looked at here. */
export interface Stored {
  readonly date: string
  readonly data: unknown
}

interface Target {
  readonly work: string
  readonly bench: string
  readonly unit: string
  readonly wanted: "at most" | "at least" | "less than"
  readonly limit: number
  readonly figure: (data: unknown) => number | undefined
  /** The same in units of the bare library, in the same run. */
  readonly inBare?: (data: unknown) => number | undefined
}

const at = (data: unknown, ...path: ReadonlyArray<string | number>): unknown => {
  let value = data
  for (const key of path) value = (value as Readonly<Record<string | number, unknown>> | null | undefined)?.[key]
  return value
}

const number = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) ? value : undefined

const figure = (...path: ReadonlyArray<string | number>) => (data: unknown): number | undefined =>
  number(at(data, ...path))

const list = (value: unknown): ReadonlyArray<unknown> => Array.isArray(value) ? value : []

/** The first row of a list whose name has all these parts. */
const named = (rows: unknown, ...parts: ReadonlyArray<string>): unknown =>
  list(rows).find((row) => {
    const name = at(row, "name")
    return typeof name === "string" && parts.every((part) => name.includes(part))
  })

const divided = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : a / b

const most = (values: ReadonlyArray<number | undefined>): number | undefined =>
  values.length === 0 || values.some((value) => value === undefined) ? undefined : Math.max(...values as Array<number>)

/** Of two rows of a list, how many times one's rate is the other's. */
const rates = (rows: unknown, one: ReadonlyArray<string>, other: ReadonlyArray<string>): number | undefined =>
  divided(number(at(named(rows, ...one), "perSecond")), number(at(named(rows, ...other), "perSecond")))

const cpus = (rows: unknown, one: ReadonlyArray<string>, other: ReadonlyArray<string>): number | undefined =>
  divided(number(at(named(rows, ...one), "cpuMicros")), number(at(named(rows, ...other), "cpuMicros")))

const write = "signed DM write, 1 M stored, 64 connections, one peer"

const targets: ReadonlyArray<Target> = [
  {
    work: write,
    bench: "write",
    unit: "µs CPU a write",
    wanted: "at most",
    limit: 150,
    figure: figure("free", "cpuMicros"),
    inBare: (data) => divided(figure("free", "cpuMicros")(data), figure("bare", "cpuMicros")(data))
  },
  {
    work: write,
    bench: "write",
    unit: "writes/s for 60 s",
    wanted: "at least",
    limit: 6_000,
    figure: figure("free", "perSecond")
  },
  {
    work: write,
    bench: "write",
    unit: "ms, p99 of the answer",
    wanted: "at most",
    limit: 20,
    figure: figure("free", "met", "p99Ms")
  },
  ...([
    ["free", "delays"],
    ["free", "checkpoints"],
    ["retention", "delays"],
    ["sync", "delays"]
  ] as const).map(([run, field]): Target => ({
    work: `${write}${{ delays: "", checkpoints: ", during checkpoints" }[field]}${
      { free: "", retention: ", during retention", sync: ", during sync" }[run]
    }`,
    bench: "write",
    unit: "ms, event loop delay p99",
    wanted: "at most",
    limit: 10,
    figure: figure(run, field, "p99Ms")
  })),
  {
    work: "the same, second core busy",
    bench: "write",
    unit: "of the rate",
    wanted: "at least",
    limit: 0.45,
    figure: figure("busyShare")
  },
  {
    work: "the same, second core busy",
    bench: "write",
    unit: "accepted writes lost",
    wanted: "at most",
    limit: 0,
    figure: figure("account", "lost")
  },
  ...["GET 50 messages", "GET /conversations"].map((call): Target => ({
    work: call,
    bench: "http",
    unit: "of the bare handler's rate",
    wanted: "at least",
    limit: 0.5,
    figure: (data) => rates(at(data, "measured"), [call, ": node"], [call, ": bare"]),
    inBare: (data) => cpus(at(data, "measured"), [call, ": node"], [call, ": bare"])
  })),
  {
    work: "storage ingest, batches of 100",
    bench: "store",
    unit: "× the naive layout's rate",
    wanted: "at least",
    limit: 2,
    figure: (data) => rates(at(data, "commits"), ["the layer", "batches of 100"], ["naive layout", "batches of 100"]),
    inBare: (data) => cpus(at(data, "commits"), ["the layer", "batches of 100"], ["bare statements", "batches of 100"])
  },
  {
    work: "storage, 300-byte messages",
    bench: "store",
    unit: "bytes of disk each",
    wanted: "at most",
    limit: 700,
    figure: (data) => number(at(named(at(data, "disk"), "the layer"), "bytesPerMessage")),
    inBare: (data) =>
      divided(
        number(at(named(at(data, "disk"), "the layer"), "bytesPerMessage")),
        number(at(named(at(data, "disk"), "bare statements"), "bytesPerMessage"))
      )
  },
  ...([["p50", 0, 10], ["p99", 1, 50]] as const).map(([rank, index, limit]): Target => ({
    work: "write on A readable on C, three nodes, 200/s",
    bench: "spread",
    unit: `ms, ${rank}`,
    wanted: "at most",
    limit,
    figure: figure("followed", "times", "seen", index)
  })),
  {
    work: "three nodes together, sustained",
    bench: "spread",
    unit: "writes/s",
    wanted: "at least",
    limit: 1_500,
    figure: (data) => most(list(at(data, "rows")).map((row) => number(at(row, "perSecond"))))
  },
  {
    work: "three nodes together: equal roots",
    bench: "spread",
    unit: "horizons after the first",
    wanted: "at most",
    limit: 0,
    // roots that were never equal are told by no horizon at all
    figure: (data) =>
      most(list(at(data, "rows")).map((row) => number(at(row, "equal", "horizonsLate")) ?? Number.POSITIVE_INFINITY))
  },
  {
    work: "a fresh node fetches 200 k messages",
    bench: "catch-up",
    unit: "records/s",
    wanted: "at least",
    limit: 6_000,
    figure: figure("perSecond"),
    inBare: (data) => divided(figure("verifiedPerSecond")(data), figure("perSecond")(data))
  },
  {
    work: "a fresh node fetches 200 k messages",
    bench: "catch-up",
    unit: "ms, p99 of the source's answers",
    wanted: "at most",
    limit: 50,
    figure: figure("sourceMillisP99")
  },
  ...([["bytes", "less than", 1], ["wallMs", "at most", 2]] as const).map(([field, wanted, limit]): Target => ({
    work: `reconciliation, ${field === "bytes" ? "bytes" : "time"}, worst row`,
    bench: "sync",
    unit: "of negentropy's",
    wanted,
    limit,
    figure: (data) =>
      most(list(data).map((row) => divided(number(at(row, "ours", field)), number(at(row, "negentropy", field)))))
  })),
  {
    work: "memory under load, 1 M stored",
    bench: "memory",
    unit: "MiB resident, highest",
    wanted: "at most",
    limit: 350e6 / 2 ** 20,
    figure: figure("highest")
  },
  {
    work: "memory under load, minute 2 to 10",
    bench: "memory",
    unit: "% growth",
    wanted: "less than",
    limit: 5,
    figure: (data) => number(at(named(at(data, "rows"), "node, resident"), "growth"))
  },
  ...([["HTTP answers", "answersMs", 1_000], ["trees built", "treesMs", 3_000]] as const).map((
    [what, field, limit]
  ): Target => ({
    work: `start with 1 M messages: ${what}`,
    bench: "start",
    unit: "ms",
    wanted: "at most",
    limit,
    figure: (data) => number(at(named(at(data, "measured"), "1 000 000", "compiled before"), field)),
    inBare: (data) =>
      divided(
        number(at(named(at(data, "measured"), "1 000 000", "compiled before"), field)),
        number(at(named(at(data, "measured"), "bare"), "answersMs"))
      )
  })),
  {
    work: "verified, persisted events, beside a nostr relay",
    bench: "elsewhere",
    unit: "× its rate",
    wanted: "at least",
    limit: 5,
    figure: (data) => rates(at(data, "events"), ["p2p-mes", "(201)"], ["nostr relay"])
  },
  {
    work: "records to a second process, beside OrbitDB",
    bench: "elsewhere",
    unit: "× its rate",
    wanted: "at least",
    limit: 5,
    figure: (data) => rates(at(data, "records"), ["p2p-mes"], ["OrbitDB"])
  }
]

const holds = ({ limit, wanted }: Target, value: number): boolean =>
  wanted === "at most" ? value <= limit : wanted === "less than" ? value < limit : value >= limit

export interface Summary {
  readonly markdown: string
  readonly met: number
  readonly missed: number
  readonly unknown: number
}

/** One row a target; `resultsOf` gives the stored results of a bench, if there are any. */
export const summarize = (resultsOf: (bench: string) => Stored | undefined): Summary => {
  const count = { met: 0, missed: 0, unknown: 0 }
  const rows = targets.map((target) => {
    const results = resultsOf(target.bench)
    const value = results === undefined ? undefined : target.figure(results.data)
    const outcome = value === undefined ? "unknown" : holds(target, value) ? "met" : "missed"
    count[outcome]++
    return [
      target.work,
      `${target.wanted} ${Math.round(target.limit * 100) / 100} ${target.unit}`,
      value === 0 ? "0" : value === Number.POSITIVE_INFINITY ? "never" : value,
      results === undefined ? undefined : target.inBare?.(results.data),
      outcome === "unknown" ? undefined : outcome === "met" ? "yes" : "no",
      `${target.bench}${results === undefined ? "" : `, ${results.date.slice(0, 10)}`}`
    ]
  })
  return { markdown: table(["work", "wanted", "measured", "in bare ones", "met", "bench"], rows), ...count }
}
