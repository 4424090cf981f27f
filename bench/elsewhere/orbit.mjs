/**
 * One of two OrbitDB peers, put together as its own documentation shows: libp2p with gossipsub over TCP, Helia on it, an
 * events database. Nothing beyond this machine is asked: no routers, no gateways, blocks come from connected peers alone.
 *
 *     node orbit.mjs write DIR COUNT TEXT   makes a database of COUNT entries, tells its address
 *     node orbit.mjs read DIR               opens the database it is told of; tells when it has all entries below the head it is told
 *
 * Started by `bench/elsewhere.ts`; ends with the control channel.
 */
import { noise } from "@chainsafe/libp2p-noise"
import { yamux } from "@chainsafe/libp2p-yamux"
import { bitswap } from "@helia/block-brokers"
import { gossipsub } from "@libp2p/gossipsub"
import { identify } from "@libp2p/identify"
import { tcp } from "@libp2p/tcp"
import { multiaddr } from "@multiformats/multiaddr"
import { createOrbitDB } from "@orbitdb/core"
import { createHelia } from "helia"
import { createLibp2p } from "libp2p"

const [, , role, directory, count, text] = process.argv

const libp2p = await createLibp2p({
  addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }), identify: identify() }
})
const ipfs = await createHelia({ libp2p, blockBrokers: [bitswap()], routers: [] })
const orbitdb = await createOrbitDB({ ipfs, directory })

const write = async () => {
  const db = await orbitdb.open("bench", { type: "events" })
  const begun = performance.now()
  let head
  for (let n = 0; n < Number(count); n++) head = await db.add(`${n} `.padEnd(text.length, text))
  const peer = libp2p.getMultiaddrs()[0].toString()
  process.send({ database: db.address, head, peer, writtenMs: performance.now() - begun })
}

const read = () => {
  process.on("message", async ({ database, head, peer }) => {
    const begun = performance.now()
    await libp2p.dial(multiaddr(peer))
    const db = await orbitdb.open(database, { sync: false })
    const complete = new Promise((resolve) => {
      // it comes when a head and all entries below it are fetched, verified and in the log
      db.events.on("update", (entry) => entry.hash === head && resolve())
    })
    db.events.on("error", (error) => process.send({ failed: String(error) }))
    await db.sync.start()
    await complete
    const wallMs = performance.now() - begun
    let found = 0
    for await (const _ of db.log.iterator({ amount: -1 })) found++
    process.send({ found, wallMs })
  })
  process.send({ ready: true })
}

process.on("disconnect", () => process.exit())
if (role === "write") await write()
else read()
