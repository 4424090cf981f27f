/**
 * Nodes as people run them: processes of the bundled program on loopback, each with a directory of its own. One can be
 * killed and started again where it was. All are ended by their pid.
 */
import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { expect } from "vitest"
import type { NodeId } from "../../src/domain/ids.ts"

export const root = join(import.meta.dirname, "..", "..")
const engine = join(root, "node_modules", ".bin", "node")
const startMsMax = 30_000
const joinMsMax = 60_000

export interface Node {
  /** Of its API, and of its pages. */
  readonly url: string
  readonly id: NodeId
  /** Where other nodes connect. */
  readonly multiaddr: string
  /** Ends it with SIGKILL, as a power cut would. */
  kill(): Promise<void>
  /** Starts it again with its data, on the ports that it had. */
  restart(): Promise<void>
}

interface Announced {
  readonly api: string
  readonly peer_id: NodeId
  readonly addresses: ReadonlyArray<string>
}

/** The program that nodes run, its bundle and its pages made of the sources as they are now. */
export const build = (): string => {
  execFileSync(engine, [join(root, "scripts", "bundle.ts")], { stdio: "inherit" })
  return join(root, "bin", "p2p-mes.mjs")
}

const run = async (program: string, args: ReadonlyArray<string>) => {
  const child = spawn(engine, [program, "node", "--json", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1" }
  })
  let log = ""
  child.stderr.on("data", (chunk) => log += String(chunk))
  const closed = once(child, "close")
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL")
    await closed
  }
  const line = await Promise.race([
    once(createInterface(child.stdout), "line", { signal: AbortSignal.timeout(startMsMax) }),
    closed.then(() => {
      throw new Error(`a node ended: ${log}`)
    })
  ]).catch(async (error: unknown) => {
    await kill()
    throw error
  })
  return { kill, announced: JSON.parse(String(line[0])) as Announced }
}

const startNode = async (program: string, dataDir: string, bootstrap: string | undefined): Promise<Node> => {
  const joins = bootstrap === undefined ? [] : ["--bootstrap", bootstrap]
  const start = (http: string, listen: string) =>
    run(program, ["--data", dataDir, "--http", http, "--listen", listen, ...joins])
  let running = await start("127.0.0.1:0", "/ip4/127.0.0.1/tcp/0")
  const { addresses: [multiaddr = ""], api, peer_id } = running.announced
  return {
    url: api,
    id: peer_id,
    multiaddr,
    kill: () => running.kill(),
    restart: async () => {
      running = await start(new URL(api).host, multiaddr.replace(/\/p2p\/.*$/, ""))
    }
  }
}

const gossipingPeers = async ({ url }: Node): Promise<number> => {
  const { peers } = await (await fetch(`${url}/node/peers`)).json() as { peers: ReadonlyArray<{ gossips: boolean }> }
  return peers.filter(({ gossips }) => gossips).length
}

export interface Network {
  readonly nodes: ReadonlyArray<Node>
  /** Kills all of them and removes what they kept. */
  end(): Promise<void>
}

/** So many nodes, each connected to all others. The first is the one that the others join by. */
export const network = async (program: string, size: number): Promise<Network> => {
  const directory = mkdtempSync(join(tmpdir(), "p2p-mes-browser-"))
  const nodes: Array<Node> = []
  const end = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.kill()))
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    for (let at = 0; at < size; at++)
      nodes.push(await startNode(program, join(directory, String(at)), nodes[0]?.multiaddr))
    await expect.poll(() => Promise.all(nodes.map(gossipingPeers)), { timeout: joinMsMax, interval: 100 })
      .toEqual(nodes.map(() => size - 1))
  } catch (error) {
    await end()
    throw error
  }
  return { nodes, end }
}
