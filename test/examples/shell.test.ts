/** The shell example against a real node, in the checkout, as its first lines say. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readdirSync } from "node:fs"
import { start, temporaryDirectory } from "../http/fixture.ts"
import { root, runProgram } from "./programs.ts"

describe("examples/shell/conversation.sh", () => {
  it.live("runs as it stands", () =>
    Effect.gen(function*() {
      const node = yield* Effect.flatMap(temporaryDirectory, (dataDir) => start({ dataDir }))
      const keys = yield* temporaryDirectory
      const { code, stderr, stdout } = yield* runProgram(["sh", "examples/shell/conversation.sh"], root, {
        KEYS: keys,
        // npx alone takes seconds, each time
        MES: "node bin/p2p-mes.mjs",
        P2PMES_NODE: node.url
      })
      const notes = stderr.split("\n").filter((line) => line !== "" && !line.startsWith("npm warn"))
      assert.deepStrictEqual([code, notes], [0, []])
      const address = "0x[0-9a-f]{40}"
      const lines = [
        /^"unread":2$/,
        /^Bob reads: hello Bob$/,
        /^Bob reads: [A-Z]\w+$/,
        /^the plan$/,
        new RegExp(`^${address} +admin`),
        new RegExp(`^${address} +admin`),
        /^Bob$/
      ]
      const printed = stdout.trimEnd().split("\n")
      assert.strictEqual(printed.length, lines.length, stdout)
      for (const [index, line] of lines.entries()) assert.match(printed[index]!, line)
      assert.deepStrictEqual(readdirSync(keys).sort(), ["alice.key", "bob.key"])
    }).pipe(Effect.scoped), 240_000)
})
