/**
 * Two nodes on one LAN that find each other by mDNS alone, lose the link between them, and have it again. Run by
 * `namespaces.sh`, outside the namespaces of the nodes and on their LAN. Ends with code 0 when all went well.
 */
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { setTimeout as sleep } from "node:timers/promises"
import type { NodePeers } from "../../src/api/Node.ts"
import type { NodeId } from "../../src/domain/ids.ts"
import { call, dm, type Running, user } from "../http/fixture.ts"

const main = join(import.meta.dirname, "..", "..", "src", "main.ts")
const directory = mkdtempSync(join(tmpdir(), "p2p-mes-lan-"))
const [alice, bob] = [user(1), user(2)]

const namespaceOf = (index: number): string => `--net=/run/netns/n${index}`
const run = (command: string, ...args: ReadonlyArray<string>): void => {
  const { status, stderr } = spawnSync(command, args, { encoding: "utf8" })
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`)
}
const logs = ["", "", ""]

const begin = async (index: number) => {
  const host = `10.99.0.${index}`
  const child = spawn("nsenter", [
    namespaceOf(index),
    process.execPath,
    main,
    "node",
    "--json",
    "--mdns",
    "--data",
    join(directory, String(index)),
    "--http",
    `${host}:4280`,
    "--listen",
    `/ip4/${host}/tcp/4281`
  ], { stdio: ["ignore", "pipe", "pipe"] })
  process.on("exit", () => child.kill("SIGKILL"))
  child.stderr.on("data", (chunk) => logs[index] += String(chunk))
  const signal = AbortSignal.timeout(60_000)
  const [line] = await once(createInterface(child.stdout), "line", { signal }) as [string]
  const { api, peer_id } = JSON.parse(line) as { readonly api: string; readonly peer_id: NodeId }
  return { url: api, id: peer_id }
}

const until = async (what: string, seconds: number, look: () => Promise<boolean>): Promise<void> => {
  const startMs = performance.now()
  while (performance.now() - startMs < seconds * 1_000) {
    if (await look().catch(() => false)) {
      return console.log(`${what}: after ${((performance.now() - startMs) / 1_000).toFixed(1)} s`)
    }
    await sleep(200)
  }
  throw new Error(`${what}: not within ${seconds} s\n${logs.map((log) => log.slice(-1_500)).join("\n")}`)
}

const peersOf = async (node: Running) => {
  const response = await fetch(`${node.url}/node/peers`, { signal: AbortSignal.timeout(5_000) })
  return (await response.json() as typeof NodePeers.Type).peers
}
const connected = async (node: Running, other: Running): Promise<boolean> =>
  (await peersOf(node)).some(({ gossips, peer_id }) => peer_id === other.id && gossips)
const say = async (node: Running, content: string): Promise<string> => {
  const { body, status } = await call(node, alice, dm(alice, bob, { content }))
  if (status !== 202) throw new Error(`${status} ${JSON.stringify(body)}`)
  return body.msg_id
}
const knows = async (node: Running, id: string): Promise<boolean> => {
  const path = `/dialogs/0x${bob.address}/messages/${id}`
  return (await call(node, alice, { method: "GET", path })).status === 200
}
const link = (change: "down" | "up"): void => {
  // isolated ports do not hear each other; the nodes' APIs can be reached all the same
  for (const port of ["v1", "v2"]) {
    run("ip", "link", "set", port, "type", "bridge_slave", "isolated", change === "down" ? "on" : "off")
  }
}

try {
  const [one, two] = await Promise.all([begin(1), begin(2)])
  await until("found each other by mDNS", 60, async () => await connected(one, two) && await connected(two, one))
  const first = await say(one, "over the LAN")
  await until("gossip came", 10, () => knows(two, first))

  link("down")
  const [cutOne, cutTwo] = [await say(one, "nobody hears"), await say(two, "nobody hears either")]
  await sleep(4_000)
  if (await knows(two, cutOne) || await knows(one, cutTwo)) throw new Error("the link is not cut")
  await until("the loss is noticed", 90, async () => !await connected(one, two))
  link("up")
  await until("connected again", 90, async () => await connected(one, two) && await connected(two, one))
  await until(
    "what was written meanwhile is there",
    90,
    async () => await knows(two, cutOne) && await knows(one, cutTwo)
  )
  const last = await say(two, "over the LAN again")
  await until("gossip came", 10, () => knows(one, last))

  run("nsenter", namespaceOf(1), "ip", "link", "set", "eth0", "down")
  const away = await say(two, "one is off the LAN")
  await sleep(3_000)
  run("nsenter", namespaceOf(1), "ip", "link", "set", "eth0", "up")
  await until("what was written while its interface was down is there", 90, () => knows(one, away))
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
} finally {
  rmSync(directory, { recursive: true, force: true })
  process.exit()
}
