/**
 * A node of a few lines on a real socket, for tests of the client's stream of events: it proves its id, checks signatures,
 * keeps messages, tells arrivals as `src/api/events.ts` says, and does on demand what nodes and networks do wrong.
 */
import { ed25519 } from "@noble/curves/ed25519.js"
import { Effect, Result } from "effect"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import * as Bytes from "../../src/domain/bytes.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import * as Ids from "../../src/domain/ids.ts"
import { nodeIdOf } from "../../src/domain/node-id.ts"
import * as Signature from "../../src/domain/signature.ts"
import { backend } from "../../src/layers/crypto/backend-noble.ts"
import { noble as hashes } from "../../src/layers/crypto/hashes.ts"

/** A message as the API shows it, and where: the peer of a direct conversation, or a group. */
export interface Shown {
  readonly kind: "dm" | "group"
  readonly peer?: string
  readonly message: {
    readonly msg_id: string
    readonly chat_id: string
    readonly sender: string
    readonly ts: number
    readonly hlc: string
    readonly msg_type: number
    readonly content: string
  }
}

interface Arrival {
  readonly number: number
  /** Absent: not for this user. */
  readonly name?: string | undefined
  readonly data?: unknown
}

/** What is answered instead of a stream. */
export interface Refusal {
  readonly status: number
  readonly body: unknown
  /** The answer does not come to its end. */
  readonly isEndless?: boolean
}

export const hex = (byte: number, length: number): string => Bytes.toHex(new Uint8Array(length).fill(byte))
export const stamp = (ms: number, counter = 0): string => Hlc.toText(Hlc.make(ms, counter))

let messages = 0

/** A message nobody has seen before, in the direct conversation with the user of this byte. */
export const direct = (peer: number, atMs: number, content = `m${messages}`): Shown => ({
  kind: "dm",
  peer: `0x${hex(peer, 20)}`,
  message: {
    msg_id: `0x${(++messages).toString(16).padStart(64, "0")}`,
    chat_id: `0x${hex(peer, 32)}`,
    sender: `0x${hex(peer, 20)}`,
    ts: atMs,
    hlc: stamp(atMs, messages % 60_000),
    msg_type: 0,
    content
  }
})

/** The same in a group. */
export const grouped = (group: number, atMs: number, content?: string): Shown => {
  const { message } = direct(group, atMs, content)
  return { kind: "group", message }
}

/** Bytes as a node writes an arrival. */
export const eventText = (id: string, name?: string, data?: unknown): string =>
  `id: ${id}\n${name === undefined ? "" : `event: ${name}\ndata: ${JSON.stringify(data)}\n`}\n`

export class EventsNode {
  readonly server = createServer((request, response) => this.handle(request, response))
  readonly secret: Uint8Array
  id: Ids.NodeId
  epoch: string
  port = 0
  /** `Last-Event-ID` of every stream that was asked for, refused ones too. */
  readonly opened: Array<string | undefined> = []
  /** Paths of everything else that was asked, `GET /node` left out. */
  readonly read: Array<string> = []
  readonly streams = new Set<ServerResponse>()
  readonly arrivals: Array<Arrival> = []
  readonly shown: Array<Shown> = []
  /** Instead of a stream; `n` counts openings from 1. */
  refuse: (n: number) => Refusal | undefined = () => undefined
  /** Writes a stream in place of the node: gets its text up to now. */
  write: ((response: ServerResponse, text: string, lastId: string | undefined) => void) | undefined
  /** Before any other call is answered, or instead of its answer. */
  beforeRead: (path: string) => Promise<void> | Refusal | void = () => undefined
  /** Signatures are not looked at: where there are thousands, they cost more than all else. */
  trusts = false
  /** Ids up to this number are too old to go on from. */
  expired = -1
  private readonly signatures = new Set<string>()

  constructor(seed: number) {
    this.secret = new Uint8Array(32).fill(seed)
    this.id = nodeIdOf({ type: "ed25519", publicKey: ed25519.getPublicKey(this.secret) })
    this.epoch = hex(seed, 8)
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  place(number = this.arrivals.length): string {
    return `${this.epoch}-${number}`
  }

  /** Takes a message in, and tells it. `isTold` false: the stream is cut before it comes to that. */
  take(shown: Shown, isTold = true): void {
    this.shown.push(shown)
    this.arrive("message", shown, isTold)
  }

  /** Anything that arrives; without a name it is not for this user. */
  arrive(name?: string, data?: unknown, isTold = true): void {
    const arrival = { number: this.arrivals.length + 1, name, data }
    this.arrivals.push(arrival)
    if (isTold && name !== undefined) this.say(this.textOf(arrival))
  }

  say(text: string | Uint8Array): void {
    for (const stream of this.streams) stream.write(text)
  }

  /** Ends all streams, as a node that is stopped does, or as a cable that is pulled. */
  cut(how: "end" | "destroy" = "destroy"): void {
    for (const stream of this.streams) {
      if (how === "end") stream.end()
      else stream.socket?.destroy()
    }
    this.streams.clear()
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(this.port, "127.0.0.1", resolve))
    this.port = (this.server.address() as AddressInfo).port
  }

  /** Goes away, streams and all; the port stays its own. */
  async close(): Promise<void> {
    if (!this.server.listening) return
    this.server.closeAllConnections()
    this.streams.clear()
    await new Promise((resolve) => this.server.close(resolve))
  }

  private textOf({ data, name, number }: Arrival): string {
    return eventText(this.place(number), name, data)
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on("error", () => undefined)
    const url = new URL(request.url!, "http://node")
    const answer = (status: number, body: unknown) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
    if (url.pathname === "/node") return void answer(200, this.introduce(url.searchParams.get("challenge")!))
    const refusal = this.trusts ? undefined : this.unauthenticated(request)
    if (refusal !== undefined) return void answer(401, { _tag: "Unauthenticated", message: "scripted", ...refusal })
    if (url.pathname === "/events") {
      const lastId = request.headers["last-event-id"] as string | undefined
      const instead = this.refuse(this.opened.push(lastId))
      if (instead === undefined) return this.stream(response, lastId)
      if (instead.isEndless !== true) return void answer(instead.status, instead.body)
      this.keep(response.writeHead(instead.status, { "content-type": "text/html" }))
      return void response.write(String(instead.body))
    }
    this.read.push(url.pathname)
    const instead = await this.beforeRead(url.pathname)
    if (instead !== undefined) return void answer(instead.status, instead.body)
    answer(200, url.pathname === "/conversations" ? this.inbox(url) : this.history(url))
  }

  private introduce(challenge: string): unknown {
    const bytes = Signature.challengeBytes(Bytes.fromHex(challenge), this.id)
    const signature = Bytes.toHex(ed25519.sign(bytes, this.secret))
    return { peer_id: this.id, addresses: [], version: "0", network: "", time: Date.now(), limits: {}, signature }
  }

  private unauthenticated({ headers, method, url }: IncomingMessage): object | undefined {
    const [user, ts, sigText] = [headers["x-user"], headers["x-ts"], headers["x-sig"]].map(String)
    if (headers["x-node"] !== this.id) return { reason: "wrong-node", node: this.id }
    if (this.signatures.has(sigText!)) return { reason: "replayed" }
    this.signatures.add(sigText!)
    const sig = Result.getOrThrow(Signature.parseSignature(sigText!))
    const text = Signature.stringToSign("request", Number(ts), this.id, Ids.requestId(hashes, method!, url!))
    const signer = backend.recover(Signature.signedDigest(hashes, 1, text), sig.subarray(0, 64), sig[64] as 0 | 1)
    return `0x${signer}` === user ? undefined : { reason: "bad-signature" }
  }

  private stream(response: ServerResponse, lastId: string | undefined): void {
    response.writeHead(200, { "content-type": "text/event-stream" })
    const known = lastId?.startsWith(`${this.epoch}-`) === true ? Number(lastId.slice(17)) : undefined
    const reset = lastId === undefined
      ? undefined
      : known === undefined
      ? "unknown"
      : known <= this.expired && "expired"
    const from = known === undefined || reset !== false ? this.arrivals.length : known
    const text = [
      eventText(this.place(from)),
      ...reset === undefined || reset === false ? [] : [eventText(this.place(from), "reset", { reason: reset })],
      ...this.arrivals.slice(from).filter(({ name }) => name !== undefined).map((arrival) => this.textOf(arrival))
    ].join("")
    if (this.write !== undefined) return this.write(response, text, lastId)
    response.write(text)
    this.keep(response)
  }

  private keep(response: ServerResponse): void {
    this.streams.add(response)
    response.on("close", () => this.streams.delete(response))
  }

  private inbox(url: URL): unknown {
    const chats = new Map<string, Shown>()
    for (const shown of this.shown) {
      const before = chats.get(shown.message.chat_id)
      if (before === undefined || before.message.hlc < shown.message.hlc) chats.set(shown.message.chat_id, shown)
    }
    const from = url.searchParams.get("after") ?? "g"
    const limit = Number(url.searchParams.get("limit") ?? 50)
    const all = [...chats.values()]
      .filter(({ message }) => message.hlc < from)
      .sort((a, b) => a.message.hlc < b.message.hlc ? 1 : -1)
    const conversations = all.slice(0, limit).map(({ kind, message, peer }) => ({
      kind,
      chat_id: message.chat_id,
      ...(peer === undefined ? {} : { peer }),
      newest: message,
      unread: 0
    }))
    return { conversations, next: all.length > limit ? conversations.at(-1)!.newest.hlc : null }
  }

  private history(url: URL): unknown {
    const [, , name] = url.pathname.split("/")
    const limit = Number(url.searchParams.get("limit") ?? 50)
    const [before, after] = [url.searchParams.get("before"), url.searchParams.get("after")]
    const all = this.shown
      .filter(({ message, peer }) => (peer ?? message.chat_id) === name)
      .map(({ message }) => message)
      .filter(({ hlc }) => (before === null || hlc < before) && (after === null || hlc > after))
      .sort((a, b) => (a.hlc < b.hlc ? 1 : -1) * (after === null ? 1 : -1))
    const page = all.slice(0, limit)
    return { messages: page, next: all.length > limit ? page.at(-1)!.hlc : null }
  }
}

/** Listens until the scope closes. */
export const start = (seed: number) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const node = new EventsNode(seed)
      await node.listen()
      return node
    }),
    (node) => Effect.promise(() => node.close())
  )
