/** Two nodes of a private network as an operator starts, watches and checks them: all by the command line. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { temporaryDirectory } from "../http/fixture.ts"
import { nodeProcess, run } from "./processes.ts"

interface Status {
  readonly peer_id: string
  readonly addresses: ReadonlyArray<string>
  readonly ready: boolean
  readonly records: { readonly message: number }
  readonly roots?: { readonly messages: string }
  readonly horizon?: number
  readonly peers: ReadonlyArray<{
    readonly peer_id: string
    readonly direction: string
    readonly gossips: boolean
    readonly last_round?: { readonly result: string }
    readonly last_equal?: { readonly horizon: number }
  }>
}

const succeeded = async (...args: ReadonlyArray<string>): Promise<string> => {
  const { code, stderr, stdout } = await run(...args)
  assert.strictEqual(code, 0, `${args.join(" ")}: ${stderr}`)
  return stdout
}

const statusOf = async (url: string): Promise<Status> =>
  JSON.parse((await run("status", "--json", "--node", url)).stdout) as Status

const waitMsMax = 90_000

const until = async (url: string, what: string, holds: (status: Status) => boolean): Promise<Status> => {
  for (const end = Date.now() + waitMsMax;;) {
    const status = await statusOf(url)
    if (holds(status)) return status
    if (Date.now() > end) throw new Error(`${what}: ${JSON.stringify(status)}`)
    await sleep(500)
  }
}

const anyPort = ["--listen", "/ip4/127.0.0.1/tcp/0"]

describe("two nodes of a private network", () => {
  it.live("find each other, agree, and say so (FAILURES 2)", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const place = (name: string) => join(directory, name)
      const key = place("network.key")
      yield* Effect.promise(() => succeeded("network-key", "--out", key))
      const first = yield* nodeProcess(place("a"), ...anyPort, "--network-key", key)
      const { addresses } = yield* Effect.promise(() => statusOf(first.url))
      assert.strictEqual(addresses.length, 1)
      assert.include(addresses[0], `/p2p/${first.id}`)
      const second = yield* nodeProcess(place("b"), ...anyPort, "--network-key", key, "--bootstrap", addresses[0]!)

      yield* Effect.promise(async () => {
        const [ann, ben] = [place("ann.key"), place("ben.key")]
        await succeeded("keygen", "--out", ann)
        const to = (await succeeded("keygen", "--out", ben)).trim()
        await until(second.url, "connected", ({ peers }) => peers.some((peer) => peer.gossips))
        await succeeded("send", "--node", first.url, "--key", ann, to, "hello")
        const status = await until(second.url, "equal with the message", ({ peers, records, horizon, roots }) =>
          records.message === 1 && roots !== undefined && horizon !== undefined &&
          (peers[0]?.last_equal?.horizon ?? 0) > 0)
        assert.deepInclude(status.peers[0], { peer_id: first.id, direction: "outbound" })
        assert.match(await succeeded("inbox", "--node", second.url, "--key", ben), /hello/)
        const text = await succeeded("status", "--node", second.url)
        assert.match(text, /^state +ready$/m)
        assert.match(text, new RegExp(`^peer +${first.id}$`, "m"))
        assert.match(text, /outbound for \d+ s, gossips, clock/)
        assert.match(text, /all records equal \d+ s ago, up to /)
        assert.match(text, /last round: (equal|repaired), /)

        assert.deepStrictEqual(
          (await Promise.all([first, second].map((node) =>
            node.end("SIGTERM")
          ))).map(({ code }) =>
            code
          ),
          [0, 0]
        )
        const [a, b] = await Promise.all(
          ["a", "b"].map((name) => succeeded("dump", "--data", place(name), "--network-key", key))
        )
        assert.strictEqual(a, b)
        assert.include(a, "hello")
        // digests are keyed: without the key the rows cannot be judged
        const blind = await run("verify", "--data", place("b"))
        assert.deepStrictEqual([blind.code, blind.stdout], [1, ""])
        assert.match(blind.stderr, /of a network with another key/)
        assert.strictEqual(
          await succeeded("verify", "--data", place("b"), "--network-key", key),
          "1 record, no problem\n"
        )
      })
    }), 240_000)
})
