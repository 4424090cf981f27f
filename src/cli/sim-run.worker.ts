/** The entry of a thread of `sim`. As other workers: compiled code is kept between runs where the process keeps it. */
import { enableCompileCache } from "node:module"
import { parentPort, workerData } from "node:worker_threads"

if ((workerData as { readonly compileCache: boolean }).compileCache) enableCompileCache()
if (parentPort === null) throw new Error("this is for a worker thread")
const { serve } = await import("./sim-serve.ts")
serve(parentPort)
