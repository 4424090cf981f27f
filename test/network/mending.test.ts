/** FAILURES 10, 11, 18: what is done about gossip that does not work, step by step. */
import { assert, beforeEach, describe, it } from "@effect/vitest"
import type { Connection, PeerId, Stream } from "@libp2p/interface"
import { gossipMendMs, gossipSilentMsMax } from "../../src/layers/network/bounds.ts"
import * as Mending from "../../src/layers/network/mending.ts"

const meshsub = "/meshsub/1.2.0"

const peerOf = (id: string) => ({ toString: () => id, equals: (other: unknown) => String(other) === id }) as PeerId

const stream = (direction: "inbound" | "outbound", fields: Partial<Stream> = {}): Stream => {
  const made = { protocol: meshsub, direction, status: "open", writeStatus: "writable", ...fields } as Stream
  made.abort = () => {
    made.status = "aborted"
  }
  return made
}

const peer = peerOf("peer")
let now = 0
let streams: Array<Stream> = []
let connections: Array<Connection> = []
let done: Array<string> = []
let gossips: Array<PeerId> = []
let outbound = new Map<string, { readonly rawStream: Stream }>()
let mending: Mending.Mending

const after = (ms: number): ReadonlyArray<string> => {
  now += ms
  done = []
  mending.tick()
  return done
}

beforeEach(() => {
  now = 1_000_000
  streams = [stream("outbound"), stream("inbound")]
  const connection = {
    status: "open",
    remotePeer: peer,
    streams,
    abort: () => done.push("connection")
  } as unknown as Connection
  connections = [connection]
  gossips = []
  outbound = new Map()
  mending = Mending.make(
    {
      libp2p: { getConnections: () => connections },
      gossip: { getPeers: () => gossips, streamsOutbound: outbound },
      registrar: {
        getTopologies: () => [{
          onConnect: (id) => void done.push(`connect ${id}`),
          onDisconnect: (id) => void done.push(`disconnect ${id}`)
        }]
      }
    },
    { mended: () => {} },
    () => now
  )
  mending.identified(peer, [meshsub])
})

describe("mending", () => {
  it("leaves alone what works, and who does not gossip", () => {
    mending.identified(peerOf("other"), ["/ipfs/id/1.0.0"])
    for (let n = 0; n < 50; n++) assert.deepStrictEqual(after(1_000), [])
  })

  it("asks for a stream that is missing, after a while and not at every turn", () => {
    streams.shift()
    assert.deepStrictEqual(after(0), [])
    assert.deepStrictEqual(after(gossipMendMs - 1), [])
    assert.deepStrictEqual(after(1), ["connect peer"])
    assert.deepStrictEqual(after(1), [])
    assert.deepStrictEqual(after(gossipMendMs), ["connect peer"])
    streams.push(stream("outbound"))
    assert.deepStrictEqual(after(gossipMendMs), [])
  })

  it("resets a stream that is no longer read, so that the peer opens another", () => {
    const dead = stream("inbound", { writeStatus: "closed" })
    streams.splice(1, 1, dead)
    after(0)
    after(gossipMendMs)
    assert.strictEqual(dead.status, "aborted")
    assert.deepStrictEqual(done, [])
  })

  it("closes the connections when nothing helps, and then waits again", () => {
    streams.length = 0
    after(0)
    assert.notInclude(after(gossipSilentMsMax - 1), "connection")
    assert.deepStrictEqual(after(1), ["connection"])
    assert.deepStrictEqual(after(1), [])
  })

  it("FAILURES 12: takes from gossip whom it keeps after she is gone", () => {
    const gone = peerOf("gone")
    gossips = [peer, gone]
    assert.deepStrictEqual(after(0), ["disconnect gone"])
    outbound.set("gone", { rawStream: stream("outbound", { status: "closed" }) })
    outbound.set("peer", { rawStream: streams[0]! })
    after(0)
    assert.deepStrictEqual([...outbound.keys()], ["peer"])
    connections = []
    after(0)
    assert.strictEqual(mending.size(), 0)
  })
})
