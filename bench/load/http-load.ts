/**
 * The load of `bench/http.ts`: requests signed before the clock runs, and a client of plain sockets that costs so little
 * that it measures the server and not itself.
 */
import { createHash } from "node:crypto"
import { createRequire } from "node:module"
import { connect, type Socket } from "node:net"
import * as Bytes from "../../src/domain/bytes.ts"
import type { Hashes } from "../../src/domain/hashing.ts"
import * as Ids from "../../src/domain/ids.ts"
import { type Purpose, signedDigest, stringToSign } from "../../src/domain/signature.ts"

const native = createRequire(import.meta.url)("secp256k1/bindings") as {
  ecdsaSign(digest: Uint8Array, key: Uint8Array): { readonly signature: Uint8Array; readonly recid: number }
  publicKeyCreate(key: Uint8Array, compressed: boolean): Uint8Array
}

export interface User {
  readonly key: Uint8Array
  readonly address: Ids.Address
  /** The time of the last signature: no two calls of a user may have the same. */
  lastTs: number
}

export const makeUser = (hashes: Hashes, name: string): User => {
  const key = createHash("sha256").update(`p2p-mes bench ${name}`).digest()
  const publicKey = native.publicKeyCreate(key, false)
  return { key, address: Bytes.toHex(hashes.keccak256(publicKey.subarray(1)).subarray(12)) as Ids.Address, lastTs: 0 }
}

/** Makes whole requests, signed by their user for the node `id`, to be sent about `plannedMs` on the wall clock. */
export class Signer {
  private readonly hashes: Hashes
  private readonly id: string

  constructor(hashes: Hashes, id: string) {
    this.hashes = hashes
    this.id = id
  }

  private request(
    who: User,
    line: string,
    purpose: Purpose,
    ts: number,
    digest: string,
    body = "",
    prefer = ""
  ): Buffer {
    const text = stringToSign(purpose, ts, this.id as Ids.NodeId, digest)
    const { recid, signature } = native.ecdsaSign(signedDigest(this.hashes, 1, text), who.key)
    return Buffer.from(
      `${line} HTTP/1.1\r\nHost: node\r\nX-User: 0x${who.address}\r\nX-Ts: ${ts}\r\nX-Node: ${this.id}\r\n` +
        `X-Sig: ${Bytes.toHex(signature)}${recid === 0 ? "1b" : "1c"}\r\n${prefer}` +
        (body === "" ? "" : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`) +
        `\r\n${body}`
    )
  }

  private ts(who: User, plannedMs: number): number {
    return who.lastTs = Math.max(Math.floor(plannedMs), who.lastTs + 1)
  }

  dm(who: User, peer: User, content: string, plannedMs: number, wait = false): Buffer {
    const ts = this.ts(who, plannedMs)
    const chatId = Ids.dmChatId(this.hashes, who.address, peer.address)
    const id = Ids.messageId(this.hashes, { chatId, sender: who.address, ts, msgType: 0, content })
    const line = `POST /dialogs/0x${peer.address}/messages`
    return this.request(who, line, "message", ts, id, JSON.stringify({ content }), wait ? "Prefer: wait=10\r\n" : "")
  }

  get(who: User, target: string, plannedMs: number): Buffer {
    const id = Ids.requestId(this.hashes, "GET", target)
    return this.request(who, `GET ${target}`, "request", this.ts(who, plannedMs), id)
  }
}

interface Reply {
  readonly status: number
  readonly body: Buffer
}

const headersEnd = Buffer.from("\r\n\r\n")

/** One kept connection with one request under way at a time. */
class Connection {
  private readonly socket: Socket
  private received: Buffer = Buffer.alloc(0)
  private answer: ((reply: Reply) => void) | undefined
  private closed = false

  private constructor(socket: Socket, fail: (error: Error) => void) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on("data", (chunk) => {
      this.received = this.received.length === 0 ? chunk as Buffer : Buffer.concat([this.received, chunk as Buffer])
      this.take(fail)
    })
    socket.on("error", fail)
    socket.on("close", () => {
      this.closed = true
      if (this.answer !== undefined) fail(new Error("the server closed a connection with a request under way"))
    })
  }

  static open(port: number, fail: (error: Error) => void): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => resolve(new Connection(socket, fail)))
      socket.once("error", reject)
    })
  }

  private take(fail: (error: Error) => void): void {
    const end = this.received.indexOf(headersEnd)
    if (end < 0) return
    const head = this.received.toString("latin1", 0, end)
    const length = /\ncontent-length: *([0-9]+)/i.exec(head)
    if (length === null) return fail(new Error(`an answer without content-length: ${head}`))
    const start = end + 4
    if (this.received.length < start + Number(length[1])) return
    const reply = { status: Number(head.slice(9, 12)), body: this.received.subarray(start) }
    this.received = Buffer.alloc(0)
    const { answer } = this
    this.answer = undefined
    answer!(reply)
  }

  send(request: Buffer, answer: (reply: Reply) => void): void {
    if (this.closed) throw new Error("the server closed an idle connection")
    this.answer = answer
    this.socket.write(request)
  }

  close(): void {
    this.answer = undefined
    this.socket.destroy()
  }
}

export interface Load {
  readonly latenciesMs: ReadonlyArray<number>
  readonly wallMs: number
  /** Of the answer that came last. */
  readonly body: Buffer
}

/** `count` kept connections to a server on this machine. Every answer must have the status that is expected. */
export class Client {
  private connections: ReadonlyArray<Connection> = []
  private fail: (error: Error) => void = () => {}

  static async open(port: number, count: number): Promise<Client> {
    const client = new Client()
    const fail = (error: Error) => client.fail(error)
    client.connections = await Promise.all(Array.from({ length: count }, () => Connection.open(port, fail)))
    return client
  }

  /** Closed loop: each connection sends its next request when it has its answer. */
  closed(requests: ReadonlyArray<Buffer>, status: number): Promise<Load> {
    return this.run(requests, status, (sendNext) => {
      for (const connection of this.connections) sendNext(connection, performance.now())
      return sendNext
    })
  }

  /**
   * Open loop: requests leave at `perSecond`, whether or not earlier ones are answered. A request that finds all
   * connections busy waits, and its time runs.
   */
  open(requests: ReadonlyArray<Buffer>, status: number, perSecond: number): Promise<Load> {
    return this.run(requests, status, (sendNext) => {
      const idle = [...this.connections]
      const due: Array<number> = []
      const begun = performance.now()
      let planned = 0
      const tick = () => {
        const now = performance.now()
        for (; planned < requests.length && begun + planned * 1000 / perSecond <= now; planned++) due.push(now)
        while (due.length > 0 && idle.length > 0) sendNext(idle.shift()!, due.shift()!)
        if (planned < requests.length) setTimeout(tick, 1)
      }
      tick()
      return (connection) => {
        if (due.length > 0) sendNext(connection, due.shift()!)
        else idle.push(connection)
      }
    })
  }

  /** `start` sends the first requests and gives what is done with a connection that has its answer. */
  private run(
    requests: ReadonlyArray<Buffer>,
    status: number,
    start: (
      sendNext: (connection: Connection, sinceMs: number) => void
    ) => (connection: Connection, sinceMs: number) => void
  ): Promise<Load> {
    return new Promise((resolve, reject) => {
      this.fail = reject
      const latenciesMs: Array<number> = []
      const begun = performance.now()
      let next = 0
      const sendNext = (connection: Connection, sinceMs: number): void => {
        if (next === requests.length) return
        connection.send(requests[next++]!, (reply) => {
          const now = performance.now()
          latenciesMs.push(now - sinceMs)
          if (reply.status !== status) {
            reject(new Error(`expected ${status}, got ${reply.status}: ${reply.body.toString("utf8", 0, 300)}`))
          } else if (latenciesMs.length === requests.length) {
            resolve({ latenciesMs, wallMs: now - begun, body: reply.body })
          } else onFree(connection, now)
        })
      }
      // answers come later than this line
      const onFree = start(sendNext)
    })
  }

  close(): void {
    for (const connection of this.connections) connection.close()
  }
}
