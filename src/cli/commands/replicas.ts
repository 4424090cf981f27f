/** `verify` and `dump`: the commands. What they do is loaded when it is asked for. */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { jsonFlag } from "../account.ts"
import { networkKeyFlag } from "../network-key.ts"
import * as Settings from "../settings.ts"
import { dataFlag } from "./node.ts"

export const verify = Command.make(
  "verify",
  {
    data: dataFlag,
    networkKey: networkKeyFlag,
    repair: Settings.toggle("repair", "Drop what is damaged and rebuild the rest; the node must be stopped"),
    json: jsonFlag
  },
  Effect.fnUntraced(function*(flags) {
    const { run } = yield* Effect.promise(() => import("./verify.ts"))
    yield* run(flags)
  })
).pipe(
  Command.withDescription(
    "Check every record of a data directory: rows, indexes, ids and all signatures. Changes nothing, and may run beside the "
      + "node. Prints what is damaged; exit code 1 if anything is.\n\n"
      + "With --repair, which takes a stopped node, records that fail are dropped and everything derived is made anew; peers "
      + "bring back what was dropped when the node runs again. Exit code 0 when no damage is left."
  ),
  Command.withShortDescription("Check a data directory, or repair it"),
  Command.withExamples([
    { command: "p2p-mes verify --data p2p-mes-data" },
    { command: "p2p-mes verify --data p2p-mes-data --repair" }
  ])
)

export const dump = Command.make(
  "dump",
  { data: dataFlag, networkKey: networkKeyFlag },
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
