/**
 * What one unit of work costs one node: the inputs of the model in `model.ts`. Nothing is typed in here: every figure is
 * read from `bench/results`, so that a bench that is run again makes the page right again.
 */
import { readFileSync } from "node:fs"
import type { GossipCosts } from "../scale-gossip.ts"

export interface Costs {
  /** CPU µs of one recovery with nothing else to do. */
  readonly signature: number
  /** CPU µs, all threads, of a user's write at the node that takes it: HTTP, signature, commit; without gossip. */
  readonly accept: number
  /** CPU µs of reading a page of 50 messages of a DM, and of an inbox page of 50 chats. */
  readonly page: number
  readonly inbox: number
  /** Of a record that a peer brought by gossip, and of messages of gossip beside it, by records a message. */
  readonly gossip: ReadonlyArray<Omit<GossipCosts, "runs">>
  /** Of a record sent to a node that is new, at the giving and the taking side; records a second taken. */
  readonly catchUpSource: number
  readonly catchUpFresh: number
  readonly catchUpPerSecond: number
  /** Bytes on disk for a message of 300 bytes, signature, envelope and indexes included. */
  readonly diskBytes: number
  /** Bytes of a round of sync beside the records, by records that differ, among 100 000. */
  readonly differences: ReadonlyArray<{ readonly records: number; readonly bytes: number }>
}

interface Row {
  readonly name: string
  readonly cpuMicros: number
}

const read = (name: string): unknown =>
  (JSON.parse(readFileSync(new URL(`../results/${name}.json`, import.meta.url), "utf8")) as { readonly data: unknown })
    .data

const cpuOf = (rows: ReadonlyArray<Row>, name: string): number => {
  const row = rows.find((each) => each.name === name)
  if (row === undefined) throw new Error(`no row "${name}" in the results: was the bench renamed?`)
  return row.cpuMicros
}

export const costs = (): Costs => {
  const { measured } = read("http") as { readonly measured: ReadonlyArray<Row> }
  const { disk } = read("store") as {
    readonly disk: ReadonlyArray<{ readonly name: string; readonly bytesPerMessage: number }>
  }
  const catchUp = read("catch-up") as { readonly [name: string]: number }
  const sync = read("sync") as ReadonlyArray<{
    readonly size: number
    readonly difference: number
    readonly ours: { readonly bytes: number }
  }>
  return {
    signature: cpuOf(read("verify") as ReadonlyArray<Row>, "recovery, native: our backend"),
    accept: cpuOf(measured, "signed DM write (202): node"),
    page: cpuOf(measured, "GET 50 messages of a DM: node"),
    inbox: cpuOf(measured, "GET /conversations, 50 of 200 chats: node"),
    gossip: read("scale-gossip") as ReadonlyArray<GossipCosts>,
    catchUpSource: catchUp["cpuMicrosSource"]!,
    catchUpFresh: catchUp["cpuMicrosFresh"]!,
    catchUpPerSecond: catchUp["perSecond"]!,
    diskBytes: disk.find(({ name }) => name === "the layer")!.bytesPerMessage,
    differences: sync.filter(({ size }) => size === 100_000)
      .map(({ difference, ours }) => ({ records: difference, bytes: ours.bytes }))
  }
}
