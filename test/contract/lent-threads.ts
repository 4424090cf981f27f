/**
 * Database threads that serve one store after another: a suite opens dozens, and to load a thread takes longer than a test.
 * What a thread keeps beyond a store would show as a test that fails; that it ends with its store is shown by
 * `store-sqlite.test.ts`, with threads of its own.
 */
import { EventEmitter } from "node:events"
import { Worker } from "node:worker_threads"
import type { Reply, Request } from "../../src/layers/store/protocol.ts"

const file = new URL("../../src/layers/store/database.worker.ts", import.meta.url)
const idle: Array<Worker> = []
const events = ["message", "messageerror", "error", "exit"]

class Lent extends EventEmitter {
  readonly #worker = idle.pop() ?? new Worker(file, { workerData: { compileCache: true } })
  #closeId: number | undefined
  #isClosed = false

  constructor() {
    super()
    this.#worker.ref()
    this.#worker.on("message", (reply: Reply) => {
      if (reply.id === this.#closeId && "answer" in reply) this.#isClosed = true
    })
    for (const event of events) this.#worker.on(event, (it) => this.emit(event, it))
  }

  postMessage(request: Request, transfer: Array<ArrayBuffer>): void {
    // `close` would end the thread: `release` closes the file alone
    if (request.name === "close") this.#closeId = request.id
    this.#worker.postMessage(request.name === "close" ? { ...request, name: "release" } : request, transfer)
  }

  terminate(): Promise<number> {
    for (const event of events) this.#worker.removeAllListeners(event)
    if (!this.#isClosed) return this.#worker.terminate()
    this.#worker.unref()
    idle.push(this.#worker)
    return Promise.resolve(0)
  }
}

/** For the option `spawn` of `layerSqlite`. */
export const lend = (): Worker => new Lent() as unknown as Worker
