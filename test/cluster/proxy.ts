/**
 * TCP between nodes, as a test wants it. Each node is known to the others by one address, that of its front; the front
 * knows by the source address who dials, so that every pair of nodes has a link of its own that can be cut, whoever told
 * whom of an address.
 *
 * What is sent over a stalled link is held, not lost, as TCP does it: the sockets stay open, nobody is told, and it goes
 * on when the link is mended.
 */
import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"

/** `stall`: nothing passes, sockets stay open. `close`: sockets are reset, new ones too. */
export type Way = "pass" | "stall" | "close"

/** Of a node: where it connects from. */
export const sourceOf = (node: number): string => `127.0.0.${10 + node}`
const nodeAt = (address: string | undefined): number | undefined => {
  const match = /127\.0\.0\.([0-9]+)$/.exec(address ?? "")
  const node = Number(match?.[1]) - 10
  return node >= 0 ? node : undefined
}

/** One direction of one connection. */
interface Pipe {
  readonly from: number
  readonly to: number
  readonly look: () => void
  readonly reset: () => void
}

export interface Links {
  /** One direction. */
  readonly set: (from: number, to: number, way: Way) => void
  /** Both directions. */
  readonly both: (a: number, b: number, way: Way) => void
  /** All links of a node, both directions. */
  readonly around: (node: number, way: Way) => void
  readonly mend: () => void
  /** Takes connections for a node that listens on `port` of its own address; its front's port. */
  readonly front: (node: number, port: number) => Promise<number>
  /** Bytes that went through, from one node to another. */
  readonly bytes: (from: number, to: number) => number
  /** Connections that came from no known node: somebody goes around. */
  readonly strangers: () => number
  readonly stop: () => void
}

export const make = (): Links => {
  const ways = new Map<string, Way>()
  const pipes = new Set<Pipe>()
  const fronts: Array<Server> = []
  const sockets = new Set<Socket>()
  const counts = new Map<string, number>()
  let strangers = 0
  const key = (from: number, to: number): string => `${from}>${to}`
  const wayOf = (from: number, to: number): Way => ways.get(key(from, to)) ?? "pass"

  /** Passes what comes from `input` on to `output`, while the link lets it. */
  const pipe = (from: number, to: number, input: Socket, output: Socket): void => {
    let ended: "no" | "end" | "gone" = "no"
    let full = false
    const look = (): void => {
      const way = wayOf(from, to)
      if (way === "close") return reset()
      if (way === "stall" || full) return void input.pause()
      if (ended === "gone") return void output.destroy()
      if (ended === "end") return void output.end()
      input.resume()
    }
    const reset = (): void => {
      input.resetAndDestroy()
      output.resetAndDestroy()
    }
    const own: Pipe = { from, to, look, reset }
    pipes.add(own)
    input.on("data", (piece: Buffer) => {
      counts.set(key(from, to), (counts.get(key(from, to)) ?? 0) + piece.length)
      full = !output.write(piece)
      look()
    })
    output.on("drain", () => {
      full = false
      look()
    })
    input.on("end", () => {
      ended = "end"
      look()
    })
    input.on("close", () => {
      ended = "gone"
      look()
    })
    output.on("close", () => pipes.delete(own))
    look()
  }

  const take = (to: number, port: number) => (client: Socket): void => {
    const from = nodeAt(client.remoteAddress)
    client.on("error", () => {})
    if (from === undefined) {
      strangers++
      return void client.destroy()
    }
    if (wayOf(from, to) === "close" || wayOf(to, from) === "close") return void client.resetAndDestroy()
    const server = connect({
      host: sourceOf(to),
      port,
      localAddress: sourceOf(from),
      noDelay: true,
      allowHalfOpen: true
    })
    server.on("error", () => client.destroy())
    for (const socket of [client, server]) {
      sockets.add(socket)
      socket.on("close", () => sockets.delete(socket))
    }
    client.setNoDelay(true)
    pipe(from, to, client, server)
    pipe(to, from, server, client)
  }

  const look = (): void => {
    for (const each of pipes) each.look()
  }
  const set: Links["set"] = (from, to, way) => {
    ways.set(key(from, to), way)
    look()
  }
  const both: Links["both"] = (a, b, way) => {
    set(a, b, way)
    set(b, a, way)
  }
  return {
    set,
    both,
    around: (node, way) => {
      for (let other = 0; other < 16; other++) if (other !== node) both(node, other, way)
    },
    mend: () => {
      ways.clear()
      look()
    },
    front: async (node, port) => {
      const server = createServer({ allowHalfOpen: true }, take(node, port))
      fronts.push(server)
      server.listen(0, "127.0.0.1")
      await once(server, "listening")
      return (server.address() as AddressInfo).port
    },
    bytes: (from, to) => counts.get(key(from, to)) ?? 0,
    strangers: () => strangers,
    stop: () => {
      for (const server of fronts) server.close()
      for (const socket of sockets) socket.destroy()
    }
  }
}
