/**
 * A thread that checks signatures. Started by `pool`, which names the backend; says "ready" once that backend has proven
 * itself here too, then gets its lane and serves it until the thread is ended.
 */
import { parentPort, workerData } from "node:worker_threads"
import { type BackendName, loadProven } from "./backend.ts"
import { serve } from "./lane.ts"
import type { Told } from "./pool.ts"

const port = parentPort
if (port === null) throw new Error("this is for a worker thread")
const tell = (told: Told): void => port.postMessage(told)

const backend = await loadProven((workerData as { readonly backend: BackendName }).backend)

port.once("message", (lane: SharedArrayBuffer) => serve(lane, backend, () => tell("answered")))
tell("ready")
