/**
 * The web example in Chromium: bundled as its first lines say, served from an origin of its own, it talks to a node of
 * another origin, shows what was there and what comes, and gives back a text that was not taken.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { build } from "esbuild"
import { existsSync, readFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { chromium } from "playwright-core"
import { call, dm, type Running, temporaryDirectory, type User, user } from "../http/fixture.ts"
import { ask, root, say, stoppable } from "./programs.ts"

const executablePath = "/usr/bin/chromium"
const folder = join(root, "examples", "web")
const alice = user(0xa1)

/** The page and its script at an address of their own. */
const served = Effect.acquireRelease(
  Effect.promise(async () => {
    const { outputFiles: [script] } = await build({
      entryPoints: [join(folder, "page.ts")],
      alias: { "p2p-mes/client": join(root, "src", "client", "index.ts") },
      bundle: true,
      minify: true,
      format: "esm",
      write: false,
      logLevel: "error"
    })
    const server = createServer(({ url }, answer) => {
      const isScript = url === "/page.js"
      answer.writeHead(200, { "content-type": isScript ? "text/javascript" : "text/html; charset=utf-8" })
      answer.end(isScript ? script!.contents : readFileSync(join(folder, "index.html")))
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    return server
  }),
  (server) =>
    Effect.promise(() => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    })
)

const browser = Effect.acquireRelease(
  Effect.promise(() => chromium.launch({ executablePath, args: ["--no-sandbox"] })),
  (browser) => Effect.promise(() => browser.close())
)

/** An expression for the page: whether a message of this text is in the list. */
const listed = (text: string): string =>
  `[...document.querySelectorAll("#messages li")].some((item) => item.textContent.endsWith(": ${text}"))`

const write = (node: Running, to: User, content: string) =>
  Effect.promise(() => call(node, alice, dm(alice, to, { content })))

describe("examples/web", () => {
  const title = existsSync(executablePath)
    ? "shows a conversation live, in order, as text, and goes on when its node is back"
    : `shows a conversation: skipped, there is no ${executablePath}`

  it.live.skipIf(!existsSync(executablePath))(title, () =>
    Effect.gen(function*() {
      const dataDir = yield* temporaryDirectory
      const node = yield* stoppable(dataDir)
      const { port } = (yield* served).address() as AddressInfo
      const page = yield* Effect.flatMap(browser, (browser) => Effect.promise(() => browser.newPage()))
      const problems: Array<string> = []
      page.on("pageerror", (error) => problems.push(String(error)))
      const has = (selector: string, text: string) =>
        Effect.promise(() =>
          page.locator(selector, { hasText: text }).waitFor({ timeout: 60_000 }).catch(async (error) => {
            throw new Error(`no ${selector} with ${text}: ${await page.locator("body").innerText()}`, { cause: error })
          })
        )
      const items = Effect.promise(() => page.locator("#messages li").allTextContents())

      const address = `http://127.0.0.1:${port}/?node=${encodeURIComponent(node.url)}&with=0x${alice.address}`
      yield* Effect.promise(() => page.goto(address))
      yield* has("#state", "connected")
      const self = {
        ...alice,
        address: (yield* Effect.promise(() => page.locator("#self").innerText())).slice(2) as never
      }

      yield* write(node, self, "<b>live</b>")
      yield* has("#messages li", "<b>live</b>")
      yield* Effect.promise(() => page.getByLabel("Write").fill("an answer"))
      yield* Effect.promise(() => page.keyboard.press("Enter"))
      yield* has("#messages li", "an answer")
      const { messages } = yield* ask(node, alice, `/dialogs/0x${self.address}/messages`)
      assert.deepStrictEqual(messages.map(({ content }: { content: string }) => content), ["an answer", "<b>live</b>"])

      // the node goes, and comes back: what was written meanwhile is sent, or shown as what it is
      yield* node.stop
      yield* has("#state", "no connection")
      yield* Effect.promise(() => page.getByLabel("Write").fill("meanwhile"))
      yield* Effect.promise(() => page.keyboard.press("Enter"))
      const again = yield* stoppable(dataDir, node.port)
      yield* has("#state", "connected")
      yield* say(again, alice, self, "back")
      yield* has("#messages li", "back")
      const kept = `document.querySelector("#problem").textContent.endsWith(": meanwhile") || ${listed("meanwhile")}`
      // asked again and again from here: the page's policy lets nobody evaluate text in it
      let isKept = false
      for (let i = 0; i < 200 && !isKept; i++) {
        isKept = yield* Effect.promise(() => page.evaluate<boolean>(kept))
        yield* Effect.sleep(200)
      }
      assert.isTrue(isKept)

      // what becomes of a writing says nothing of the connection, and what may have been sent is not offered once more
      yield* Effect.promise(() =>
        page.route(/messages$/, (route) => route.request().method() === "POST" ? route.abort() : route.continue())
      )
      yield* Effect.promise(() => page.getByLabel("Write").fill("on its way"))
      yield* Effect.promise(() => page.keyboard.press("Enter"))
      yield* has("#problem", "Not known whether it was sent: on its way")
      yield* has("#state", "connected")
      assert.strictEqual(yield* Effect.promise(() => page.getByLabel("Write").inputValue()), "")

      // the same user after a reload, with what was there
      yield* Effect.promise(() => page.reload())
      yield* has("#messages li", "back")
      assert.strictEqual(`0x${self.address}`, yield* Effect.promise(() => page.locator("#self").innerText()))
      const contents = (yield* items).map((line) => line.replace(/^.*?: /, ""))
      assert.deepStrictEqual(contents.filter((each) => each !== "meanwhile"), ["<b>live</b>", "an answer", "back"])
      assert.deepStrictEqual(problems, [])
    }).pipe(Effect.scoped), 240_000)
})
