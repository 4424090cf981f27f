/**
 * The TypeScript example as a program of its own: it answers what was unread and what comes, each once, goes on when its
 * node is back, and does not answer answers.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { build } from "esbuild"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Running, temporaryDirectory, user } from "../http/fixture.ts"
import { ask, root, say, startProgram, stoppable } from "./programs.ts"

const [alice, echo] = [user(0xa1), user(0xe0)]

/** The example in one file, with the client from the sources. */
const bundled = Effect.fnUntraced(function*(directory: string) {
  const outfile = join(directory, "echo.mjs")
  yield* Effect.promise(() =>
    build({
      entryPoints: [join(root, "examples", "typescript", "echo.ts")],
      alias: { "p2p-mes/client": join(root, "src", "client", "index.ts") },
      outfile,
      bundle: true,
      platform: "node",
      format: "esm",
      target: "node26",
      logLevel: "error"
    })
  )
  return outfile
})

interface Shown {
  readonly sender: string
  readonly content: string
}

/** Contents of all that the program answered, oldest first. */
const answers = (node: Running) =>
  Effect.map(
    ask(node, alice, `/dialogs/0x${echo.address}/messages?limit=500`),
    ({ messages }: { readonly messages: ReadonlyArray<Shown> }) =>
      messages.filter(({ sender }) => sender === `0x${echo.address}`).map(({ content }) => content).toReversed()
  )

describe("examples/typescript/echo.ts", () => {
  it.live("answers each message once, also after its node was away", () =>
    Effect.gen(function*() {
      const [directory, dataDir] = [yield* temporaryDirectory, yield* temporaryDirectory]
      const first = yield* stoppable(dataDir)
      const key = join(directory, "echo.key")
      writeFileSync(key, `${Buffer.from(echo.key).toString("hex")}\n`, { mode: 0o600 })
      yield* say(first, alice, echo, "/echo one")
      yield* say(first, alice, echo, "no question")
      yield* say(first, alice, echo, "/echo two")

      const command = [join(root, "node_modules", ".bin", "node"), yield* bundled(directory), key, first.url]
      const program = yield* startProgram(command, directory, {})
      const answered = Effect.fnUntraced(function*(node: Running, ...contents: ReadonlyArray<string>) {
        let seen: ReadonlyArray<string> = []
        for (let tries = 0; tries < 300 && seen.length < contents.length; tries++) {
          yield* Effect.sleep(200)
          seen = yield* answers(node)
        }
        assert.deepStrictEqual(seen, contents)
      })
      yield* answered(first, "one", "two")
      yield* say(first, alice, echo, "/echo three")
      yield* answered(first, "one", "two", "three")

      yield* first.stop
      const again = yield* stoppable(dataDir, first.port)
      yield* say(again, alice, echo, "/echo four")
      yield* answered(again, "one", "two", "three", "four")

      // what it has marked it does not answer again when it starts anew
      for (let unread = 1; unread > 0; yield* Effect.sleep(100)) {
        unread = (yield* ask(again, echo, "/conversations")).conversations[0].unread
      }
      program.child.kill("SIGTERM")
      yield* Effect.promise(() => program.ended)
      yield* say(again, alice, echo, "/echo five")
      yield* startProgram(command, directory, {})
      yield* answered(again, "one", "two", "three", "four", "five")
    }).pipe(Effect.scoped), 240_000)
})
