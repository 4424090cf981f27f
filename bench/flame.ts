/**
 * Where does a node's CPU time go?
 *
 *     node bench/flame.ts [write|waited|history|inbox …]    bench/results/flame-<call>-<thread>.svg; all but `waited` by default
 *
 * `http.ts --profile` makes such calls only, to a node that writes CPU profiles; each of its threads becomes a flame graph.
 * Verifier threads are stopped rather than ended, and leave none. Times are of the wall clock: a thread that waits for a core in
 * the middle of something seems to do it all the while.
 */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { inDirectory, say } from "./nodes/running.ts"
import { flameOf, type Profile, treeOf } from "./report/flame.ts"

/** A node starts, and its caches fill. */
const settledMs = 4_000

const kinds = process.argv.slice(2).filter((argument) => !argument.startsWith("-"))

const has = ({ nodes }: Profile, file: string): boolean => nodes.some(({ callFrame }) => callFrame.url.endsWith(file))

const threadOf = (profile: Profile): string =>
  !has(profile, "layers/store/database-thread.ts") || has(profile, "layers/http/listener.ts")
    ? "event-loop"
    : profile.nodes.some(({ callFrame: { functionName, url } }) =>
        functionName === "insert" && url.endsWith("layers/store/commits.ts")
      )
    ? "database-writing"
    : "database-reading"

await inDirectory(async (directory) => {
  for (const kind of kinds.length > 0 ? kinds : ["write", "history", "inbox"]) {
    say(kind)
    const profiles = mkdtempSync(join(directory, `${kind}-`))
    execFileSync(process.execPath, [fileURLToPath(new URL("http.ts", import.meta.url)), "--profile", profiles, kind])
    for (const file of readdirSync(profiles).filter((name) => name.endsWith(".cpuprofile"))) {
      const profile = JSON.parse(readFileSync(join(profiles, file), "utf8")) as Profile
      const thread = threadOf(profile)
      const root = treeOf(profile, settledMs)
      const path = new URL(`results/flame-${kind}-${thread}.svg`, import.meta.url)
      writeFileSync(path, flameOf(`${kind}: ${thread}, ${Math.round(root.micros / 1_000)} ms busy`, root))
      console.log(fileURLToPath(path))
    }
  }
})
