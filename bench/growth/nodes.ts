/**
 * Whole nodes for `growth.ts`, in processes of their own: an inbox over stores of different sizes, groups of different sizes,
 * and clusters of different sizes. Times are the CPU of the nodes, all threads, until what was accepted is committed.
 */
import { Effect, ManagedRuntime } from "effect"
import { FetchHttpClient } from "effect/http"
import { createHash } from "node:crypto"
import { createRequire } from "node:module"
import { join } from "node:path"
import { Chat, Entropy, Ids, NodeClient, type Signer } from "../../src/client/index.ts"
import * as Bytes from "../../src/domain/bytes.ts"
import type { Hashes } from "../../src/domain/hashing.ts"
import * as Signature from "../../src/domain/signature.ts"
import { Client, makeUser, Signer as Requests, type User } from "../load/http-load.ts"
import { contentOf } from "../load/people.ts"
import { copyOf } from "../nodes/prepared.ts"
import { databaseOf, NodeProcess, pause, until } from "../nodes/processes.ts"
import { look, spendings, totalCpuMs } from "../nodes/threads.ts"
import type { Row, Sample } from "../report/measure.ts"

const [inboxChats, inboxUnread] = [200, 5]
const connections = 16
const drainMsMax = 60_000
/** Targets of one op (SPEC §10). */
const targetsMax = 256
const generous = { P2PMES_USER_RATE: "1000000", P2PMES_USER_BURST: "1000000" }

const drained = async (node: NodeProcess): Promise<void> => {
  if (!await node.drained(drainMsMax)) throw new Error(`a node has not committed all after ${drainMsMax} ms`)
}

/** What nodes spend on `work`, until they have committed what came of it. */
const spent = async (
  nodes: ReadonlyArray<NodeProcess>,
  units: number,
  work: () => Promise<unknown>
): Promise<Sample> => {
  const before = nodes.map(({ pid }) => look(pid))
  const begunMs = performance.now()
  await work()
  const wallMs = performance.now() - begunMs
  for (const node of nodes) await drained(node)
  const cpuMs = nodes.reduce((sum, { pid }, i) => sum + totalCpuMs(spendings(before[i]!, look(pid))), 0)
  return { units, wallMs, cpuMs }
}

/** One reader with 200 chats, 5 unread messages each, in a node with a copy of the store in `filled`. */
export const inboxRow = async (hashes: Hashes, filled: string, dataDir: string, size: number): Promise<Row> => {
  const node = await NodeProcess.start({ dataDir: copyOf(databaseOf(filled), dataDir), env: generous })
  await node.ready()
  const requests = new Requests(hashes, node.id)
  const reader = makeUser(hashes, "reader")
  const peers = Array.from({ length: inboxChats }, (_, n) => makeUser(hashes, `peer ${n}`))
  const seed = Array.from(
    { length: inboxChats * inboxUnread },
    (_, n) => requests.dm(peers[n % inboxChats]!, reader, contentOf(n), Date.now())
  )
  const client = await Client.open(node.port, connections)
  await client.closed(seed, 202)
  client.close()
  await drained(node)
  const count = 60
  return {
    name: `inbox, 50 of ${inboxChats}, ${size}`,
    run: async () => {
      const asked = Array.from({ length: count }, () => requests.get(reader, "/conversations", Date.now()))
      const open = await Client.open(node.port, connections)
      try {
        return await spent([node], count, () => open.closed(asked, 200))
      } finally {
        open.close()
      }
    }
  }
}

const native = createRequire(import.meta.url)("secp256k1/bindings") as {
  ecdsaSign(digest: Uint8Array, key: Uint8Array): { readonly signature: Uint8Array; readonly recid: number }
}

/** Signs with the native library: the client is to cost little beside the node. */
const signerOf = (hashes: Hashes, { address, key }: User): Signer.Signer => ({
  address,
  version: 1,
  sign: (text) =>
    Effect.sync(() => {
      const { recid, signature } = native.ecdsaSign(Signature.signedDigest(hashes, 1, text), key)
      return Bytes.concat([signature, Bytes.u8(27 + recid)])
    })
})

const addressOf = (name: string): Ids.Address =>
  createHash("sha256").update(name).digest("hex").slice(0, 40) as Ids.Address

/** Rows of groups of these sizes in one node: a message to the group, its list of members, a change of its title. */
export const groupRows = async (hashes: Hashes, dataDir: string, sizes: ReadonlyArray<number>) => {
  const node = await NodeProcess.start({ dataDir, env: generous })
  await node.ready()
  const runtime = ManagedRuntime.make(FetchHttpClient.layer)
  const creator = signerOf(hashes, makeUser(hashes, "creator"))
  const client = await runtime.runPromise(
    NodeClient.make({ url: `http://127.0.0.1:${node.port}`, signer: creator }).pipe(Effect.provide(Entropy.layer))
  )
  const call = <A, E>(effect: Effect.Effect<A, E>): Promise<A> => Effect.runPromise(effect)
  const groupOf = async (size: number): Promise<Ids.ChatId> => {
    const members = Array.from({ length: size - 1 }, (_, n) => addressOf(`member ${n} of ${size}`))
    const nonce = Bytes.toHex(createHash("sha256").update(`group ${size}`).digest().subarray(0, 16)) as Ids.Nonce
    await call(client.groups.create(members.slice(0, targetsMax), { nonce }))
    const chatId = Ids.groupChatId(hashes, creator.address, nonce)
    for (let at = targetsMax; at < members.length; at += targetsMax) {
      await call(client.groups.add(chatId, members.slice(at, at + targetsMax)))
    }
    await drained(node)
    return chatId
  }
  let written = 0
  const rowOf = (name: string, size: number, count: number, one: () => Effect.Effect<unknown, unknown>): Row => ({
    name: `${name}, ${size}`,
    run: () =>
      spent([node], count, async () => {
        for (let i = 0; i < count; i++) await call(one())
      })
  })
  const rows: Array<{ readonly size: number; readonly send: Row; readonly members: Row; readonly op: Row }> = []
  for (const size of sizes) {
    const chatId = await groupOf(size)
    const chat = Chat.group(chatId)
    rows.push({
      size,
      send: rowOf("group message", size, 100, () => client.send(chat, contentOf(written++))),
      members: rowOf("list of members", size, 10, () => client.groups.members(chatId)),
      op: rowOf("change of title", size, 50, () => client.groups.setTitle(chatId, `title ${written++}`))
    })
  }
  return { rows, close: () => runtime.dispose() }
}

/** What one write costs a cluster. */
export interface ClusterSample {
  readonly nodes: number
  /** All nodes together, less what they spend at rest. */
  readonly cpuMicros: number
  /** Gossip that all nodes together received, and sync frames, before encryption. */
  readonly wireBytes: number
}

const [restMs, arriveMsMax] = [3_000, 60_000]

/** Clusters of 2 to `most` nodes, each grown from the last: `writes` to the first node at `perSecond`, `turns` times. */
export const clusters = async (
  hashes: Hashes,
  directory: string,
  most: number,
  { perSecond, turns, writes }: { readonly perSecond: number; readonly turns: number; readonly writes: number }
): Promise<ReadonlyArray<ClusterSample>> => {
  const users = Array.from({ length: connections }, (_, n) => makeUser(hashes, `user ${n}`))
  const first = await NodeProcess.start({ dataDir: join(directory, "node 0"), env: generous })
  const requests = new Requests(hashes, first.id)
  const nodes = [first]
  const samples: Array<ClusterSample> = []
  let written = 0
  const total = async (name: string): Promise<number> => {
    const metrics = await Promise.all(nodes.map((node) => node.metrics()))
    return metrics.reduce((sum, each) => sum + each.total(name), 0)
  }
  const wire = async () =>
    await total("p2p_mes_gossip_received_bytes_total") + await total("p2p_mes_sync_bytes_total") / 2
  while (nodes.length < most) {
    const dataDir = join(directory, `node ${nodes.length}`)
    nodes.push(await NodeProcess.start({ dataDir, env: generous, bootstrap: nodes.map(({ address }) => address) }))
    for (const node of nodes) await node.joined(nodes.length - 1)
    const everywhere = async () => await total("p2p_mes_records_committed_total") >= written * nodes.length || undefined
    const arrived = async () => {
      if (await until(arriveMsMax, 200, everywhere) === undefined) throw new Error("a write is not everywhere")
    }
    await arrived()
    // the first turn warms the new node up
    for (let turn = -1; turn < turns; turn++) {
      const rest = await spent(nodes, 1, () => pause(restMs))
      const client = await Client.open(first.port, connections)
      const now = Date.now()
      const planned = Array.from({ length: writes }, (_, n) => {
        const from = users[n % connections]!
        const to = users[(n * 7 + 1) % connections]!
        return requests.dm(from, to, contentOf(written++), now + n * 1_000 / perSecond)
      })
      const bytesBefore = await wire()
      const sample = await spent(nodes, writes, async () => {
        await client.open(planned, 202, perSecond)
        await arrived()
      })
      client.close()
      const restCpuMs = rest.cpuMs / rest.wallMs * sample.wallMs
      const wireBytes = (await wire() - bytesBefore) / writes
      if (turn < 0) continue
      samples.push({ nodes: nodes.length, cpuMicros: (sample.cpuMs - restCpuMs) * 1_000 / writes, wireBytes })
    }
  }
  return samples
}
