/** The command line. Compiled code is kept between runs, in the system's temporary directory: a third less to do at the start. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { enableCompileCache } from "node:module"

enableCompileCache()
const [{ program }, { endWithReader, teardown }] = await Promise.all([
  import("./cli/program.ts"),
  import("./cli/exit.ts")
])
endWithReader()
NodeRuntime.runMain(program(process.argv.slice(2)), { disableErrorReporting: true, teardown })
