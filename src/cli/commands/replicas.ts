/** `verify` and `dump`: the commands. What they do is loaded when it is asked for. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { jsonFlag } from "../account.ts"
import { dataFlag } from "./node.ts"

export const verify = Command.make(
  "verify",
  { data: dataFlag, json: jsonFlag },
  Effect.fnUntraced(function*(flags) {
    const { run } = yield* Effect.promise(() => import("./verify.ts"))
    yield* run(flags)
  })
).pipe(
  Command.withDescription(
    "Check every record of a data directory: rows, indexes, ids and all signatures. Changes nothing, and may run beside the "
      + "node. Prints what is damaged; exit code 1 if anything is."
  ),
  Command.withShortDescription("Check a data directory")
)

export const dump = Command.make(
  "dump",
  { data: dataFlag },
  Effect.fnUntraced(function*(flags) {
    const { run } = yield* Effect.promise(() => import("./dump.ts"))
    yield* run(flags)
  })
).pipe(
  Command.withDescription(
    "Print every record and everything derived from them as JSON lines, in a fixed order: two equal replicas print the same "
      + "bytes. Changes nothing, and may run beside the node."
  ),
  Command.withShortDescription("Print all records and views of a data directory"),
  Command.withExamples([{
    command: "p2p-mes dump --data a | cmp - <(p2p-mes dump --data b)",
    description: "Compare replicas"
  }])
)
