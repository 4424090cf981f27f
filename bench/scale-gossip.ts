/**
 * What gossip costs a node beside the records in it: CPU of a message that is new, of a copy of one that is known, and of
 * a copy that is sent. And what a record costs a whole node that hears it from a peer: verified, stored, by thread.
 *
 * Every process is measured from outside. A cost is the difference between two cases of the same turn: a second sender of
 * the same messages makes copies, a second receiver makes sends. Input of `scale.ts`.
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Worker } from "node:worker_threads"
import * as Payload from "../src/domain/gossip-payload.ts"
import type { Message } from "../src/domain/record.ts"
import * as Wire from "../src/domain/wire.ts"
import type { Wanted } from "./nodes/prepared.worker.ts"
import { endAll, kept, NodeProcess, pause, until } from "./nodes/processes.ts"
import { byRole, meter, type Spending, totalCpuMs } from "./nodes/threads.ts"
import { isQuick, median, table, writeResults } from "./report/measure.ts"
import type { Answer, Order } from "./scale/peer.ts"

/** Turns that count; one before them warms up. */
const turns = isQuick ? 1 : 3
/** Records in one message, records of a turn of one case, and how many a second: of messages, and to a whole node. */
const shapes = [
  { batch: 1, records: isQuick ? 500 : 4_000, perSecond: 2_000, intakePerSecond: 500 },
  { batch: 64, records: isQuick ? 1_920 : 12_800, perSecond: 6_400, intakePerSecond: 1_600 }
] as const
const waitMsMax = 120_000
/** Nothing more comes when nothing came for this long. What was let go, for a busy machine, is left out of the count. */
const silentMs = 5_000

class Peer {
  readonly child: ReturnType<typeof fork>
  address = ""

  private constructor(seed: number, bootstrap: ReadonlyArray<string>) {
    this.child = kept(fork(new URL("scale/peer.ts", import.meta.url), [String(seed), ...bootstrap], {
      serialization: "advanced",
      stdio: ["ignore", "ignore", "inherit", "ipc"]
    }))
  }

  static async start(seed: number, bootstrap: ReadonlyArray<string>): Promise<Peer> {
    const peer = new Peer(seed, bootstrap)
    const [up] = await once(peer.child, "message") as [Answer]
    if (up.kind === "up") peer.address = up.address
    return peer
  }

  private async order(order: Order): Promise<Answer> {
    this.child.send(order)
    return (await once(this.child, "message"))[0] as Answer
  }

  async standing(): Promise<{ readonly judged: number; readonly peers: number }> {
    const answer = await this.order({ kind: "ask" })
    return answer.kind === "standing" ? answer : { judged: 0, peers: 0 }
  }

  async joined(count: number): Promise<void> {
    const enough = async () => (await this.standing()).peers >= count ? true : undefined
    if (await until(waitMsMax, 100, enough) === undefined) throw new Error(`no gossip with ${count} peers`)
  }

  async publish(payloads: ReadonlyArray<Uint8Array>, perSecond: number): Promise<void> {
    await this.order({ kind: "publish", payloads, perSecond })
  }
}

let made = 0
/** Signed messages, stamped in the last seconds, no two the same. */
const recordsOf = async (count: number): Promise<ReadonlyArray<Message>> => {
  const worker = new Worker(new URL("nodes/prepared.worker.ts", import.meta.url))
  const [from, to] = [made, made += count]
  const wanted: Wanted = { from, to, startMs: Date.now() - 1_000, stepMs: 0 }
  worker.postMessage(wanted, [])
  const [messages] = await once(worker, "message") as [ReadonlyArray<Message>]
  await worker.terminate()
  return messages
}

const payloadsOf = (records: ReadonlyArray<Message>, batch: number): ReadonlyArray<Uint8Array> => {
  const wired = records.map((record) => ({ kind: record.kind, bytes: Wire.encode(record) }))
  return Array.from(
    { length: records.length / batch },
    (_, i) => Payload.encode(wired.slice(i * batch, (i + 1) * batch))
  )
}

type Shape = typeof shapes[number]

/** Some senders of the same messages, and those who hear them all. */
class Circle {
  readonly senders: ReadonlyArray<Peer>
  readonly receivers: ReadonlyArray<Peer>
  #judged = 0

  private constructor(senders: ReadonlyArray<Peer>, receivers: ReadonlyArray<Peer>) {
    this.senders = senders
    this.receivers = receivers
  }

  static async of(senders: number, receivers: number): Promise<Circle> {
    const start = (count: number, seed: number, bootstrap: ReadonlyArray<string>) =>
      Promise.all(Array.from({ length: count }, (_, n) => Peer.start(seed + n, bootstrap)))
    const hearing = await start(receivers, 1, [])
    const circle = new Circle(await start(senders, 101, hearing.map(({ address }) => address)), hearing)
    for (const peer of circle.senders) await peer.joined(receivers)
    for (const peer of circle.receivers) await peer.joined(senders)
    return circle
  }

  /** µs of CPU of the first sender and of the first receiver, a message, when so many senders send it. */
  async send(
    { batch, perSecond, records }: Shape,
    count: number
  ): Promise<{ readonly sender: number; readonly receiver: number }> {
    const payloads = payloadsOf(await recordsOf(records), batch)
    const { pid: sender } = this.senders[0]!.child
    const { pid: receiver } = this.receivers[0]!.child
    const metered = meter({ sender: sender!, receiver: receiver! })
    await Promise.all(this.senders.slice(0, count).map((peer) => peer.publish(payloads, perSecond / batch)))
    const wanted = this.#judged + payloads.length * 0.98
    const all = async () => {
      const { judged } = await this.receivers[0]!.standing()
      return judged >= wanted ? judged : undefined
    }
    const judged = await until(waitMsMax, 50, all)
    if (judged === undefined) throw new Error("messages of gossip did not arrive")
    this.#judged = judged
    const { processes } = metered.read()
    const of = (name: string) => totalCpuMs(processes.get(name)!) * 1_000 / payloads.length
    return { sender: of("sender"), receiver: of("receiver") }
  }
}

/** A whole node, and a peer that brings it records. */
class Household {
  readonly node: NodeProcess
  readonly peer: Peer

  private constructor(node: NodeProcess, peer: Peer) {
    this.node = node
    this.peer = peer
  }

  static async in(dataDir: string): Promise<Household> {
    const node = await NodeProcess.start({ dataDir, probed: true })
    await node.ready()
    const household = new Household(node, await Peer.start(101, [node.address]))
    await household.peer.joined(1)
    await node.joined(1)
    return household
  }

  /** ms of CPU of the node, a record, by what its threads do. */
  async take({ batch, intakePerSecond, records }: Shape): Promise<ReadonlyArray<Spending>> {
    const payloads = payloadsOf(await recordsOf(records), batch)
    const before = await this.#committed()
    const metered = meter({ node: this.node.pid })
    await this.peer.publish(payloads, intakePerSecond / batch)
    let came = 0
    for (let now = await this.#committed() - before; now > came; now = await this.#committed() - before) {
      came = now
      if (came < records) await pause(silentMs)
    }
    const roles = byRole(metered.read().processes.get("node")!, this.node.files)
    if (came < records / 2) throw new Error(`of ${records} records ${came} arrived`)
    return roles.map((role) => ({ ...role, cpuMs: role.cpuMs / came, waitedMs: role.waitedMs / came }))
  }

  async #committed(): Promise<number> {
    return (await this.node.metrics()).total("p2p_mes_records_committed_total")
  }
}

interface World {
  readonly twoSenders: Circle
  readonly twoReceivers: Circle
  readonly household: Household
}

const measureShape = async ({ household, twoReceivers, twoSenders }: World, shape: Shape) => {
  const transport: Array<{ readonly received: number; readonly again: number; readonly sent: number }> = []
  const intakes: Array<ReadonlyArray<Spending>> = []
  for (let turn = 0; turn <= turns; turn++) {
    const single = await twoSenders.send(shape, 1)
    const copied = await twoSenders.send(shape, 2)
    const wide = await twoReceivers.send(shape, 1)
    const taken = await household.take(shape)
    if (turn === 0) continue
    transport.push({
      received: single.receiver,
      again: copied.receiver - single.receiver,
      sent: wide.sender - single.sender
    })
    intakes.push(taken)
  }
  const names = [...new Set(intakes.flatMap((roles) => roles.map(({ name }) => name)))]
  const ofRole = (name: string) =>
    median(intakes.map((roles) => 1_000 * (roles.find((role) => role.name === name)?.cpuMs ?? 0)))
  return {
    batch: shape.batch,
    receivedMicros: median(transport.map(({ received }) => received)),
    againMicros: median(transport.map(({ again }) => again)),
    sentMicros: median(transport.map(({ sent }) => sent)),
    intakeMicros: Object.fromEntries(names.map((name) => [name, ofRole(name)])),
    intakeMicrosTotal: median(intakes.map((roles) => 1_000 * roles.reduce((sum, { cpuMs }) => sum + cpuMs, 0))),
    runs: { transport, intake: intakes }
  }
}

export type GossipCosts = Awaited<ReturnType<typeof measureShape>>

const directory = mkdtempSync(join(tmpdir(), "p2p-mes-bench-"))
try {
  const [twoSenders, twoReceivers, household] = await Promise.all([
    Circle.of(2, 1),
    Circle.of(1, 2),
    Household.in(directory)
  ])
  const world: World = { twoSenders, twoReceivers, household }
  const measured = []
  for (const shape of shapes) measured.push(await measureShape(world, shape))
  console.log(table(
    ["records in a message", "new, µs a message", "copy received, µs", "copy sent, µs", "intake, µs a record"],
    measured.map((each) => [
      String(each.batch),
      each.receivedMicros,
      each.againMicros,
      each.sentMicros,
      each.intakeMicrosTotal
    ])
  ))
  for (const { batch, intakeMicros } of measured) console.log(batch, intakeMicros)
  if (measured.some(({ againMicros, sentMicros }) => againMicros < 0 || sentMicros < 0)) {
    console.error("some costs are below zero: the machine is too busy to tell them, measure again")
  }
  console.log(writeResults("scale-gossip", ["@libp2p/gossipsub", "libp2p", "effect"], measured))
} finally {
  await endAll()
  rmSync(directory, { recursive: true, force: true })
}
