/** The entry of a database thread. Compiled code is kept between runs where the process keeps it: half the time to start. */
import { enableCompileCache } from "node:module"
import { workerData } from "node:worker_threads"

if ((workerData as { readonly compileCache: boolean }).compileCache) enableCompileCache()
await import("./database-thread.ts")
