/**
 * Several real nodes on loopback, each reached by the others through its front only, and what must hold of them in the end:
 * all print the same bytes, and hold all they answered for.
 */
import { assert } from "@effect/vitest"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { Ledger } from "./ledger.ts"
import { Load } from "./load.ts"
import { ClusterNode, output, type Peers } from "./node.ts"
import { type Links, make as makeLinks, sourceOf } from "./proxy.ts"
import * as Random from "./random.ts"

const connectSecondsMax = 120
const agreeSecondsMax = 180
const dumpSecondsMax = 120
const gossipSecondsMax = 60
/** Sooner than that a round of anti-entropy cannot have brought it. */
const gossipMsMax = 9_000
const pollMs = 300
/** Dumps made at once. */
const dumpsAtOnce = 2

/** A free port at an address that only one node of this test uses. */
const freePort = async (host: string): Promise<number> => {
  const server = createServer().listen(0, host)
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
}

/** Looks again and again until there is something; says what was last the matter when that takes too long. */
export const until = async <A>(
  what: string,
  seconds: number,
  look: () => Promise<A | undefined | false>,
  explain: () => Promise<string> | string = () => ""
): Promise<A> => {
  const endMs = performance.now() + seconds * 1_000
  let last = ""
  while (performance.now() < endMs) {
    try {
      const found = await look()
      if (found !== undefined && found !== false) return found
      last = ""
    } catch (error) {
      last = `; last: ${error instanceof Error ? error.message : String(error)}`
    }
    await sleep(pollMs)
  }
  throw new Error(`${what}: not within ${seconds} s${last}\n${await explain()}`)
}

/** What of two texts differs first. */
const difference = (a: string, b: string): string => {
  const [left, right] = [a.split("\n"), b.split("\n")]
  const at = left.findIndex((line, i) => line !== right[i])
  const line = at === -1 ? left.length : at
  return `line ${line + 1} of ${left.length} and ${right.length}:\n  ${left[line] ?? "(end)"}\n  ${
    right[line] ?? "(end)"
  }`
}

export interface Options {
  readonly nodes: number
  readonly args?: ReadonlyArray<string>
  /** Of single nodes. */
  readonly argsOf?: (index: number) => ReadonlyArray<string>
  /** Users of the load. */
  readonly users?: number
}

export class Cluster {
  readonly nodes: Array<ClusterNode> = []
  readonly links: Links = makeLinks()
  readonly ledger = new Ledger()
  readonly random = Random.fromEnvironment()
  readonly directory: string = mkdtempSync(join(tmpdir(), "p2p-mes-cluster-"))
  readonly load: Load
  private readonly options: Options

  constructor(options: Options) {
    this.options = options
    this.load = new Load({
      nodes: () => this.nodes,
      ledger: this.ledger,
      random: this.random,
      ...(options.users === undefined ? {} : { users: options.users })
    })
  }

  /** Nodes that all run and know each other. */
  static async start(options: Options): Promise<Cluster> {
    const cluster = new Cluster(options)
    try {
      for (let i = 0; i < options.nodes; i++) await cluster.add()
      await Promise.all(cluster.nodes.map((node) => cluster.run(node)))
      await cluster.connected()
      return cluster
    } catch (error) {
      await cluster.stop()
      throw error
    }
  }

  /** A node that does not run yet. `as`: with the key of another. */
  async add(as?: ClusterNode, ...args: ReadonlyArray<string>): Promise<ClusterNode> {
    const index = this.nodes.length
    const port = await freePort(sourceOf(index))
    const node = await ClusterNode.make({
      index,
      directory: join(this.directory, `node-${index}`),
      port,
      front: await this.links.front(index, port),
      keySeed: as?.place.keySeed ?? 100 + index,
      args: [...this.options.args ?? [], ...this.options.argsOf?.(index) ?? [], ...args]
    })
    this.nodes.push(node)
    return node
  }

  /** Starts a node that knows the addresses of all others. */
  async run(node: ClusterNode, ...more: ReadonlyArray<string>): Promise<void> {
    const others = this.nodes.filter(({ id }) => id !== node.id)
    await node.start(others.map(({ address }) => address), ...more)
  }

  /** Ends a node without a word, and notes what it no longer owes. */
  async kill(node: ClusterNode): Promise<void> {
    const life = node.lives
    await node.end("SIGKILL")
    this.ledger.killed(node.place.index, life)
  }

  get running(): ReadonlyArray<ClusterNode> {
    return this.nodes.filter((node) => node.running)
  }

  /** All know all, and gossip with each other. */
  async connected(nodes = this.running, seconds = connectSecondsMax): Promise<void> {
    const others = new Set(nodes.map(({ id }) => id)).size - 1
    await until("all nodes are connected and gossip", seconds, async () => {
      const all = await Promise.all(nodes.map((node) => node.peers()))
      return all.every(({ peers }) => peers.filter(({ gossips }) => gossips).length >= others)
    }, () => this.explain(nodes))
  }

  /**
   * Gossip works between all of them: what one writes is everywhere before anti-entropy could have brought it, which compares
   * only what is ten seconds old. Within `seconds` that has happened once from each of `from`.
   */
  async gossips(from = this.running, seconds = gossipSecondsMax, to = this.running): Promise<void> {
    for (const writer of from) {
      await until(`gossip of ${writer.name} reaches all`, seconds, async () => {
        const wroteMs = performance.now()
        const answer = await this.load.say(writer, `gossip ${wroteMs} ${this.random.next()}`, false)
        if (answer?.status !== 202) return false
        const others = new Set(to.filter((node) => node !== writer))
        while (others.size > 0 && performance.now() - wroteMs < gossipMsMax) {
          for (const node of others) {
            if (await this.load.knows(node, answer.body["msg_id"] as string)) others.delete(node)
          }
          await sleep(50)
        }
        return others.size === 0
      }, () => this.explain())
    }
  }

  /**
   * All roots are equal at one horizon, above what was written until now; all dumps are equal byte for byte; and what was
   * answered is there. Bounded, and it says what differs.
   */
  async agree(nodes = this.running, seconds = agreeSecondsMax): Promise<string> {
    const sinceMs = Date.now() + Math.max(0, ...nodes.map(({ offsetMs }) => offsetMs))
    await this.equal(sinceMs, nodes, seconds)
    const dumps: Array<string> = []
    for (let at = 0; at < nodes.length; at += dumpsAtOnce) {
      dumps.push(...await Promise.all(nodes.slice(at, at + dumpsAtOnce).map((node) => this.dump(node))))
    }
    for (const [i, dump] of dumps.entries()) {
      if (dump === dumps[0]) continue
      throw new Error(`${nodes[0]!.name} and ${nodes[i]!.name} print other bytes: ${difference(dumps[0]!, dump)}`)
    }
    const problems = this.ledger.problems(dumps[0]!)
    if (problems.length > 0) {
      throw new Error(`${problems.length} problems, all nodes alike:\n${problems.slice(0, 10).join("\n")}`)
    }
    this.ledger.agreed()
    assert.deepStrictEqual(this.load.wrong, [], "no node ever answers so")
    return dumps[0]!
  }

  private async equal(sinceMs: number, nodes: ReadonlyArray<ClusterNode>, seconds: number): Promise<void> {
    await until("all nodes have equal roots", seconds, async () => {
      const [first, ...others] = await Promise.all(nodes.map((node) => node.peers()))
      if (first?.roots === undefined || first.horizon === undefined || first.horizon < sinceMs) return false
      const roots = JSON.stringify(first.roots)
      return others.every((each) => each.horizon === first.horizon && JSON.stringify(each.roots) === roots)
    }, async () => {
      const dumps = await Promise.all(nodes.map((node) => this.dump(node)))
      const at = dumps.findIndex((dump) => dump !== dumps[0])
      const first = at === -1
        ? "and yet all dumps are equal"
        : `${nodes[0]!.name} and ${nodes[at]!.name} differ at ${difference(dumps[0]!, dumps[at]!)}`
      return `${first}\n${await this.explain(nodes)}`
    })
  }

  dump(node: ClusterNode): Promise<string> {
    const key = node.place.args?.indexOf("--network-key") ?? -1
    const more = key === -1 ? [] : node.place.args!.slice(key, key + 2)
    return output(dumpSecondsMax, "dump", "--data", node.place.directory, ...more)
  }

  /** How everybody stands, for a message. */
  async explain(nodes = this.running): Promise<string> {
    const nameOf = (id: string): string => this.nodes.find((node) => node.id === id)?.name ?? id
    const line = ({ peer_id, gossips, last_round }: Peers["peers"][number]): string =>
      `  with ${nameOf(peer_id)}: gossip ${gossips ? "on" : "off"}, ${
        last_round === undefined ? "no round" : `${last_round.result} at ${last_round.horizon} ${last_round.why ?? ""}`
      }`
    const parts = await Promise.all(nodes.map(async (node) => {
      const stands = await node.peers().then(
        ({ clock, horizon, peers, records, roots, waiting }) =>
          [
            `horizon ${horizon}, records ${JSON.stringify(records)}, messages ${roots?.messages.slice(0, 12)}, ` +
            `members ${roots?.members.slice(0, 12)}, waiting ${waiting.records}, clock ${JSON.stringify(clock)}`,
            ...peers.map(line)
          ].join("\n"),
        (error: unknown) => `no answer: ${String(error)}`
      )
      return `${node.name} (${node.id}): ${stands}\n  log: ${node.log.slice(-600).trim().replaceAll("\n", "\n       ")}`
    }))
    return parts.join("\n")
  }

  /** Ends all, whatever state it is in. */
  async stop(): Promise<void> {
    await this.load.stop().catch(() => undefined)
    await Promise.all(this.nodes.map((node) => node.end("SIGKILL").catch(() => undefined)))
    this.links.stop()
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** Runs `body` with a cluster, which is gone afterwards in any case. A failure tells the seed. */
export const withCluster = async (options: Options, body: (cluster: Cluster) => Promise<void>): Promise<void> => {
  const cluster = await Cluster.start(options)
  try {
    await body(cluster)
  } catch (error) {
    if (error instanceof Error) error.message += `\nagain with CLUSTER_SEED=${cluster.random.seed}`
    throw error
  } finally {
    await cluster.stop()
  }
}
