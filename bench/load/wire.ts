/** One kept HTTP connection on a plain socket: so little work an answer that who is measured is the server. */
import { connect, type Socket } from "node:net"

export interface Answer {
  readonly status: number
  readonly body: Buffer
}

const headersEnd = Buffer.from("\r\n\r\n")
const nothing = Buffer.alloc(0)

/** With one request under way at a time. A connection that breaks answers with status 0. */
export class Wire {
  private readonly socket: Socket
  private received: Buffer = nothing
  private answer: ((answer: Answer) => void) | undefined

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on("data", (chunk: Buffer) => {
      this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk])
      this.take()
    })
    socket.on("error", () => {})
    socket.on("close", () => this.give({ status: 0, body: nothing }))
  }

  static open(port: number): Promise<Wire> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.off("error", reject)
        resolve(new Wire(socket))
      })
      socket.once("error", reject)
    })
  }

  private give(answer: Answer): void {
    const { answer: to } = this
    this.answer = undefined
    to?.(answer)
  }

  private take(): void {
    const end = this.received.indexOf(headersEnd)
    if (end < 0) return
    const head = this.received.toString("latin1", 0, end)
    const length = Number(/\ncontent-length: *([0-9]+)/i.exec(head)?.[1] ?? Number.NaN)
    if (Number.isNaN(length)) throw new Error(`an answer without content-length: ${head}`)
    const start = end + headersEnd.length
    if (this.received.length < start + length) return
    const body = this.received.subarray(start, start + length)
    this.received = nothing
    this.give({ status: Number(head.slice(9, 12)), body })
  }

  get isOpen(): boolean {
    return !this.socket.destroyed
  }

  /** `answer` is called once. */
  send(request: Uint8Array, answer: (answer: Answer) => void): void {
    this.answer = answer
    if (this.isOpen) this.socket.write(request)
    else queueMicrotask(() => this.give({ status: 0, body: nothing }))
  }

  ask(request: Uint8Array): Promise<Answer> {
    return new Promise((resolve) => this.send(request, resolve))
  }

  close(): void {
    this.socket.destroy()
  }
}
