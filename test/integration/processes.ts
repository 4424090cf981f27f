/** Real node processes for tests: started by the CLI on a free port, ended by their pid, never left behind. */
import { Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { createInterface } from "node:readline"
import type { NodeId } from "../../src/domain/ids.ts"

const root = join(import.meta.dirname, "..", "..")
const node = join(root, "node_modules", ".bin", "node")
const readyMsMax = 30_000

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

const collect = (child: ChildProcess) => {
  const out = { stdout: "", stderr: "" }
  child.stdout!.on("data", (chunk) => out.stdout += String(chunk))
  child.stderr!.on("data", (chunk) => out.stderr += String(chunk))
  return out
}

/** How a process is started, beside its arguments. */
export interface Around {
  /** A module loaded before the program. */
  readonly preload?: string
  readonly env?: { readonly [name: string]: string }
  /** Whether there is a channel for messages. */
  readonly ipc?: boolean
}

/** `p2p-mes` with these arguments. Whoever starts it ends it. */
export const start = (args: ReadonlyArray<string>, { env, ipc, preload }: Around = {}): ChildProcess =>
  spawn(node, [...(preload === undefined ? [] : ["--import", preload]), join(root, "src", "main.ts"), ...args], {
    stdio: ["ignore", "pipe", "pipe", ...(ipc === true ? ["ipc" as const] : [])],
    env: { ...process.env, NO_COLOR: "1", ...env }
  })

/** Runs `p2p-mes` with these arguments until it ends. */
export const run = async (...args: ReadonlyArray<string>): Promise<Finished> => {
  const child = start(args)
  const out = collect(child)
  const [code] = await once(child, "close") as [number | null]
  return { code, ...out }
}

export interface NodeProcess {
  readonly url: string
  readonly id: NodeId
  readonly pid: number
  /** Sends a signal and waits for the end. */
  readonly end: (signal: NodeJS.Signals) => Promise<Finished>
}

/** A node on `dataDir`, killed with the scope if it still runs then. Fails with what it printed when it does not start. */
export const nodeProcess = (dataDir: string, ...args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.promise(async (): Promise<NodeProcess> => {
      const child = start(["node", "--data", dataDir, "--http", "127.0.0.1:0", "--json", ...args])
      const out = collect(child)
      const closed = once(child, "close") as Promise<[number | null]>
      const end = async (signal: NodeJS.Signals): Promise<Finished> => {
        child.kill(signal)
        const [code] = await closed
        return { code, ...out }
      }
      const line = await Promise.race([
        once(createInterface(child.stdout!), "line", { signal: AbortSignal.timeout(readyMsMax) }) as Promise<[string]>,
        closed.then(() => {
          throw new Error(`the node ended: ${out.stderr}`)
        })
      ])
      const { api, peer_id } = JSON.parse(line[0]) as { api: string; peer_id: NodeId }
      return { url: api, id: peer_id, pid: child.pid!, end }
    }),
    (running) => Effect.promise(() => running.end("SIGKILL"))
  )
