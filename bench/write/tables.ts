/** What `write.ts` found, as tables. */
import { failedOf, refusedOf } from "../load/planned.ts"
import type { BareRun } from "../nodes/bare.ts"
import { cores } from "../nodes/threads.ts"
import type { Delays } from "../nodes/watch.ts"
import { table } from "../report/measure.ts"
import type { Measured, Rates } from "./scene.ts"

/** What became of all writes that were accepted. */
export interface Account {
  readonly storedBefore: number
  readonly accepted: number
  /** Aged messages, deleted meanwhile. */
  readonly collected: number
  readonly storedAfter: number
  /** Accepted and not stored. */
  readonly lost: number
  /** Not yet stored by the peer when it was waited for no longer. */
  readonly peerLacks: number
  /** Until the peer had all, after the last answer; absent: not in time. */
  readonly peerLagMs: number | undefined
  /** Records that gossip had no room for: sync brings them. */
  readonly unannounced: number
}

/** A run of the load while the node has something else to do as well. */
export interface During {
  readonly run: Measured
  /** While it went on, and for how long it did. */
  readonly delays: Delays
  readonly ms: number
  /** Records it was about. */
  readonly count: number
}

export interface Outcome {
  readonly stored: number
  readonly connections: number
  readonly bare: BareRun
  readonly bareRuns: ReadonlyArray<BareRun>
  readonly free: Measured
  readonly rates: Rates
  readonly roundsWithin: number
  readonly steady: Measured
  readonly retention: During
  readonly sync: During
  readonly busy: Measured
  readonly flood: Measured
  readonly again: ReadonlyArray<Measured>
  readonly busyShare: number
  readonly peaks: { readonly [gauge: string]: number }
  readonly refused: { readonly [reason: string]: number }
  readonly account: Account
  readonly log: ReadonlyArray<string>
}

const runHeaders = [
  "run",
  "writes/s",
  "s",
  "CPU µs a write",
  "in bare ones",
  "CPU µs of the peer",
  "p50 ms",
  "p99 ms",
  "max ms",
  "503",
  "other answers"
]

const runs = ({ again, bare, busy, flood, free, retention, steady, sync }: Outcome): string => {
  const row = (name: string, run: Measured) => [
    name,
    run.perSecond,
    run.met.wallMs / 1_000,
    run.cpuMicros,
    run.cpuMicros / bare.cpuMicros,
    run.peerCpuMicros,
    run.met.p50Ms,
    run.met.p99Ms,
    run.met.maxMs,
    String(refusedOf(run.met)),
    String(failedOf(run.met))
  ]
  return table(
    runHeaders,
    [
      row("closed loop", free),
      row("open loop", steady),
      row("closed loop, while it collects", retention.run),
      row("closed loop, while a node syncs", sync.run),
      row("closed loop, second core busy", busy),
      ...again.map((run) => row("closed loop, once more", run)),
      row("3 000 connections, second core busy", flood),
      ["bare server, closed loop", bare.perSecond, undefined, bare.cpuMicros, 1, undefined, bare.p50Ms, bare.p99Ms]
    ]
  )
}

const threads = ({ accepted, shares, threads }: Measured): string =>
  table(
    ["thread of the node", "CPU µs a write", "share of a core", "waited for a core, share of the time"],
    [
      ...threads.map(({ cpuMs, name, waitedMs }) => [
        name,
        cpuMs * 1_000 / accepted,
        cpuMs / shares.wallMs,
        waitedMs / shares.wallMs
      ]),
      ["all", shares.node * 1_000 / accepted, shares.node / shares.wallMs]
    ]
  )

const machine = (free: Measured, busy: Measured): string => {
  const column = ({ shares }: Measured) => {
    const { bench, busyMs, load, node, peer, spinner, wallMs } = shares
    const others = busyMs - node - peer - load - bench - spinner
    const whole = wallMs * cores
    return [node, peer, load, bench, spinner, others, whole - busyMs].map((ms) => ms / whole)
  }
  const [first, second] = [column(free), column(busy)]
  const names = ["node", "peer", "load", "bench", "spinning process", "others", "idle"]
  return table(
    ["share of the machine", "closed loop", "second core busy"],
    names.map((name, i) => [name, first[i], second[i]])
  )
}

const rates = ({ free, rates }: Outcome): string =>
  table(["writes a second", "closed loop"], [
    ["as measured", rates.measured],
    ["with the peer's CPU given back", rates.peerGivenBack],
    ["with the peer's and the load's CPU given back", rates.allGivenBack],
    [`at most, by the busiest thread (${free.threads[0]!.name})`, rates.busiestThread]
  ])

const delays = ({ busy, free, retention, steady, sync }: Outcome): string => {
  const row = (name: string, { maxMs, p50Ms, p99Ms, samples }: Delays) =>
    samples === 0 ? [name] : [name, p50Ms, p99Ms, maxMs, String(samples)]
  return table(["event loop delay, ms", "p50", "p99", "max", "timers"], [
    row("closed loop", free.delays),
    row(`in it, during ${free.checkpoints.count} checkpoints`, free.checkpoints),
    row("open loop", steady.delays),
    row(`in it, during ${steady.checkpoints.count} checkpoints`, steady.checkpoints),
    row(`while ${retention.count} records were collected`, retention.delays),
    row(`while ${sync.count} records were fetched by another node`, sync.delays),
    row("second core busy", busy.delays)
  ])
}

const accounting = ({ account, busyShare, peaks, refused, roundsWithin }: Outcome): string =>
  table(["what", "value"], [
    ["rate with the second core busy, as a share", busyShare],
    ["stored before", String(account.storedBefore)],
    ["accepted", String(account.accepted)],
    ["collected meanwhile", String(account.collected)],
    ["stored after", String(account.storedAfter)],
    ["accepted and lost", String(account.lost)],
    ["the peer had all after, s", account.peerLagMs === undefined ? "not in time" : account.peerLagMs / 1_000],
    ["the peer lacks", String(account.peerLacks)],
    ["rounds of sync within the closed loop", String(roundsWithin)],
    ["records that gossip had no room for", String(account.unannounced)],
    ...Object.entries(refused).map(([reason, count]) => [`refused: ${reason}`, String(count)]),
    ...Object.entries(peaks).map(([gauge, peak]) => [`highest ${gauge}, second core busy`, String(peak)])
  ])

export const print = (outcome: Outcome): void => {
  console.log(runs(outcome))
  console.log(`\n${threads(outcome.free)}`)
  console.log(`\n${machine(outcome.free, outcome.busy)}`)
  console.log(`\n${rates(outcome)}`)
  console.log(`\n${delays(outcome)}`)
  console.log(`\n${accounting(outcome)}`)
}
