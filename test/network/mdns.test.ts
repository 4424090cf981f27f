/**
 * Finding each other on a LAN. mDNS needs an interface with multicast, which loopback is not: so this runs in a network
 * namespace of its own, made without privileges. Where that is not allowed, it is skipped.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFileSync, spawn } from "node:child_process"
import { createInterface } from "node:readline"

const lan = "ip link set lo up && ip link add lan0 type veth peer name lan1 && ip addr add 10.77.0.1/24 dev lan0"
  + " && ip link set lan0 up && ip link set lan1 up && ip route add 224.0.0.0/4 dev lan0"

const isPossible = ((): boolean => {
  try {
    execFileSync("unshare", ["-rn", "sh", "-c", lan], { stdio: "ignore" })
    return true
  } catch {
    return false
  }
})()

const node = "node_modules/.bin/node test/network/child.ts"

describe("mDNS", () => {
  it.live.skipIf(!isPossible)(
    "nodes of a LAN find each other (skipped where network namespaces are not allowed)",
    () =>
      Effect.gen(function*() {
        const script =
          `${lan} && { ${node} 11 mdns /ip4/10.77.0.1/tcp/0 & ${node} 12 mdns /ip4/10.77.0.1/tcp/0 & wait; }`
        const group = yield* Effect.acquireRelease(
          Effect.sync(() =>
            spawn("unshare", ["-rn", "sh", "-c", script], { stdio: ["ignore", "pipe", "ignore"], detached: true })
          ),
          ({ pid }) => Effect.sync(() => process.kill(-pid!, "SIGKILL"))
        )
        const ids: Array<string> = []
        const met: Array<string> = []
        yield* Effect.callback<void>((resume) => {
          createInterface({ input: group.stdout }).on("line", (line) => {
            const said = JSON.parse(line) as { readonly id?: string; readonly _tag?: string; readonly peer?: string }
            if (said.id !== undefined) ids.push(said.id)
            if (said._tag === "Connected") met.push(said.peer!)
            if (met.length >= 2) resume(Effect.void)
          })
        }).pipe(Effect.timeout("25 seconds"))
        assert.deepStrictEqual([...new Set(met)].sort(), ids.sort())
      }).pipe(Effect.scoped)
  )
})
