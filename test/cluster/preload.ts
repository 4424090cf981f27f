/**
 * What is loaded into a node's process before the program: a wall clock that the test steers, and a source address of the
 * node's own for connections on loopback, so that a proxy knows who dials. The program itself is untouched.
 *
 * `CLUSTER_SOURCE`: an address of 127.0.0.0/8 to connect from. `CLUSTER_OFFSET_MS`: the clock's offset at the start;
 * `{ offsetMs }` over IPC moves it later. Timers run on, as they do when a computer's clock is set.
 */
import { Socket } from "node:net"
import { isMainThread } from "node:worker_threads"

const RealDate = Date
let offsetMs = Number(process.env["CLUSTER_OFFSET_MS"] ?? 0)

class ShiftedDate extends RealDate {
  constructor(...args: ReadonlyArray<unknown>) {
    if (args.length === 0) super(RealDate.now() + offsetMs)
    else super(...(args as [number]))
  }
  static override now(): number {
    return RealDate.now() + offsetMs
  }
}
globalThis.Date = ShiftedDate as DateConstructor

const source = process.env["CLUSTER_SOURCE"]
if (source !== undefined) {
  const connect = Socket.prototype.connect as (this: Socket, ...args: ReadonlyArray<unknown>) => Socket
  Socket.prototype.connect = function(this: Socket, ...args: ReadonlyArray<unknown>): Socket {
    // node:net hands over its options within a list
    const first: unknown = Array.isArray(args[0]) ? args[0][0] : args[0]
    if (typeof first === "object" && first !== null && "port" in first) {
      const options = first as { host?: string; localAddress?: string }
      if (options.host?.startsWith("127.") === true) options.localAddress ??= source
    }
    return connect.apply(this, [...args])
  } as typeof Socket.prototype.connect
}

if (isMainThread && process.channel !== undefined && process.channel !== null) {
  process.on("message", (message) => {
    const moved = (message as { readonly offsetMs?: number }).offsetMs
    if (moved === undefined) return
    offsetMs = moved
    process.send?.({ offsetMs })
  })
  // a test that is gone without a word leaves no node behind
  process.on("disconnect", () => process.exit(1))
  process.channel.unref()
}
