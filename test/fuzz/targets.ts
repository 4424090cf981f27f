/** Every decoder that is fuzzed. A target that needs a process or a node of its own is made when it is asked for. */
import type { Target } from "./target.ts"
import { json } from "./targets/json.ts"
import { keyfiles } from "./targets/keyfiles.ts"
import { fields, multiaddrs, nodeIds } from "./targets/names.ts"
import { gossip, wire } from "./targets/records.ts"
import { packing, rows } from "./targets/stored.ts"
import { framing, sync } from "./targets/streams.ts"

/** Those that run here, by name. */
const pure: ReadonlyArray<Target> = [
  wire,
  gossip,
  sync,
  framing,
  json,
  nodeIds,
  multiaddrs,
  fields,
  keyfiles,
  packing,
  rows
]

/** Those that take something to start. */
const started: { readonly [name: string]: () => Promise<Target> } = {
  cli: () => import("./targets/cli.ts").then(({ cli }) => cli()),
  http: () => import("./targets/http.ts").then(({ http }) => http())
}

export const names: ReadonlyArray<string> = [...pure.map(({ name }) => name), ...Object.keys(started)]

export const open = (name: string): Promise<Target> => {
  const here = pure.find((target) => target.name === name)
  if (here !== undefined) return Promise.resolve(here)
  const start = started[name]
  if (start === undefined) throw new Error(`there is no decoder ${name}; known are ${names.join(", ")}`)
  return start()
}
