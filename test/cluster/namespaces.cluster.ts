/** Two nodes on a LAN of network namespaces: mDNS, and real links that are cut. Skipped, and said, where none can be made. */
import { assert, describe, it } from "@effect/vitest"
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"

const script = join(import.meta.dirname, "namespaces.sh")
const story = join(import.meta.dirname, "namespace-story.ts")
const args = ["-rnmf", "--kill-child", "sh", script]
const able = process.platform === "linux" && spawnSync("unshare", [...args, "true"], { timeout: 20_000 }).status === 0
if (!able) console.log("skipped: this machine makes no network namespaces (unshare -rnm, ip, nsenter)")

describe.skipIf(!able)("two nodes on one LAN", () => {
  it("find each other by mDNS, and again after their link was cut (FAILURES 10)", async () => {
    const child = spawn("unshare", [...args, process.execPath, story], { stdio: ["ignore", "pipe", "pipe"] })
    let said = ""
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => said += String(chunk))
    try {
      const [code] = await once(child, "close") as [number | null]
      assert.strictEqual(code, 0, said)
      console.log(said)
    } finally {
      child.kill("SIGKILL")
    }
  })
})
