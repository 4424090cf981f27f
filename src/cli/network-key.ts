/** `--network-key FILE`: the key of a private network, for a node and for whoever checks its data. */
import * as Effect from "effect/Effect"
import * as Settings from "./settings.ts"

export const networkKeyFlag = Settings.option({
  name: "network-key",
  metavar: "FILE",
  description: "The key of a private network, as `p2p-mes network-key` makes it",
  parse: Settings.text
})

const files = Effect.promise(() => import("../layers/network/network-key.ts"))

/** The 32 bytes of the file; `undefined` when none is named. */
export const read = (file: string | undefined) =>
  file === undefined ? Effect.undefined : Effect.flatMap(files, ({ readNetworkKey }) => readNetworkKey(file))

/** Writes a new key, 0600; a file that exists is never overwritten. */
export const make = (file: string) => Effect.flatMap(files, ({ makeNetworkKey }) => makeNetworkKey(file))
