/**
 * What every test here stands on: Chromium, nodes, and devices, each a browser context of its own that is watched.
 *
 * Rule: a test fails when a page of it throws, breaks its Content-Security-Policy, writes an error or a warning to the
 * console, or asks anything of an origin that the test did not name. What a test provokes on purpose, it says before.
 */
import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core"
import { expect, test } from "vitest"
import { build, network, type Node } from "./nodes.ts"

/** For whatever comes by itself: gossip, a reconnect with its pauses, a key derived on a busy machine. */
export const eventuallyMs = 45_000

const findChromium = (): string => {
  const found = (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, "chromium")).find(existsSync)
  if (found !== undefined) return found
  throw new Error("there is no chromium in PATH: `bash scripts/system-packages.sh` installs Debian's")
}

/** Nobody has a name before she gives herself one, and a browser logs each answer of 404. */
const nameless = /status of 404 .*\/identity\/0x[0-9a-f]{40}$/

/** What Chromium logs of a node that is gone. */
const gone =
  /net::ERR_(CONNECTION_(REFUSED|RESET|CLOSED)|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE|SOCKET_NOT_CONNECTED)/

export interface Stage {
  /** A page at `node`, on a device that has nothing of before. `others`: further nodes that it may ask. */
  device(node: Node, options?: BrowserContextOptions, others?: ReadonlyArray<Node>): Promise<Page>
  /** From now on nodes may be gone, and browsers log that. */
  nodesMayBeGone(): void
  /** What Chromium may log, with the address it is about at its end. */
  expects(logged: RegExp): void
  /** What went wrong in any page so far. */
  readonly problems: ReadonlyArray<string>
}

const makeStage = (browser: Browser): Stage & { end(): Promise<void> } => {
  const problems: Array<string> = []
  const expected = [nameless]
  const contexts = new Set<Awaited<ReturnType<Browser["newContext"]>>>()

  const watch = (page: Page, origins: ReadonlySet<string>): void => {
    page.on("pageerror", (error) => problems.push(`thrown: ${error.stack ?? error.message}`))
    page.on("dialog", (dialog) => {
      problems.push(`a dialog: ${dialog.message()}`)
      void dialog.dismiss()
    })
    page.on("console", (message) => {
      const logged = `${message.text()} ${message.location().url}`
      const isBad = message.type() === "error" || message.type() === "warning"
      if (isBad && !expected.some((each) => each.test(logged))) problems.push(`${message.type()}: ${logged}`)
    })
    page.on("request", (request) => {
      const url = new URL(request.url())
      if (url.protocol !== "blob:" && !origins.has(url.origin)) problems.push(`asked of a stranger: ${url.href}`)
    })
  }

  return {
    problems,
    device: async (node, options = {}, others = []) => {
      const context = await browser.newContext({ viewport: { width: 1_280, height: 800 }, ...options })
      contexts.add(context)
      context.setDefaultTimeout(eventuallyMs)
      const origins = new Set([node, ...others].map(({ url }) => new URL(url).origin))
      context.on("page", (page) => watch(page, origins))
      return context.newPage()
    },
    nodesMayBeGone: () => expected.push(gone),
    expects: (logged) => expected.push(logged),
    end: async () => {
      await Promise.all([...contexts].map((context) => context.close()))
      expect(problems).toEqual([])
    }
  }
}

export { expect } from "vitest"

export const it = test
  .extend("executablePath", { scope: "worker" }, findChromium)
  .extend("program", { scope: "worker" }, build)
  .extend("browser", { scope: "worker" }, async ({ executablePath }, { onCleanup }) => {
    const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] })
    onCleanup(() => browser.close())
    return browser
  })
  /** Two nodes that stay up, for all tests. */
  .extend("pair", { scope: "worker" }, async ({ program }, { onCleanup }): Promise<readonly [Node, Node]> => {
    const { end, nodes: [first, second] } = await network(program, 2)
    onCleanup(end)
    return [first!, second!]
  })
  /** Two nodes of this test's own, to be killed. */
  .extend("mortals", async ({ program }, { onCleanup }): Promise<readonly [Node, Node]> => {
    const { end, nodes: [first, second] } = await network(program, 2)
    onCleanup(end)
    return [first!, second!]
  })
  .extend("stage", async ({ browser }, { onCleanup }): Promise<Stage> => {
    const stage = makeStage(browser)
    onCleanup(() => stage.end())
    return stage
  })
