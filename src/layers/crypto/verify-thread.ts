/**
 * A thread that checks signatures: takes packed items, answers with packed answers under the same number. Started by
 * `pool`, which names the backend; says "ready" once that backend has proven itself here too.
 */
import { parentPort, workerData } from "node:worker_threads"
import { type BackendName, loadProven } from "./backend.ts"
import { check } from "./check.ts"
import { packAnswers, unpackItems } from "./packing.ts"
import type { Reply, Request } from "./pool.ts"

const port = parentPort
if (port === null) throw new Error("this is for a worker thread")

const backend = await loadProven((workerData as { readonly backend: BackendName }).backend)

port.on("message", (request: Request) => {
  const packed = packAnswers(unpackItems(request.packed).map((item) => check(backend, item)))
  port.postMessage({ id: request.id, packed } satisfies Reply, [packed.buffer])
})
port.postMessage("ready")
