/** The entry of a thread that checks signatures. As `store/database.worker.ts`: compiled code is kept between runs. */
import { enableCompileCache } from "node:module"
import { workerData } from "node:worker_threads"

if ((workerData as { readonly compileCache: boolean }).compileCache) enableCompileCache()
await import("./verify-thread.ts")
