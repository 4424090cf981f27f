/** The operator page: three nodes, what each says of the others, live plots, and the death and return of its node. */
import type { Page } from "playwright-core"
import { describe } from "vitest"
import * as Bytes from "../../src/domain/bytes.ts"
import { call, dm, identity, newGroup, user } from "../http/fixture.ts"
import { network, type Node } from "./nodes.ts"
import { isPublishing, picture } from "./pictures.ts"
import { eventuallyMs, expect, it } from "./stage.ts"

/** Rounds of sync come every ten seconds or so, and each pair of nodes needs one. */
const roundsMs = 90_000
/** Between two messages, ms: now more, now less, so that there is something to see. */
const pauseMs = (at: number): number => 120 + 100 * Math.sin(at / 15)

const badge = (page: Page) => page.locator(".title .badge")
const peers = (page: Page) => page.getByRole("table", { name: "Peers" }).locator("tbody tr")
const plot = (page: Page, title: string) =>
  page.locator("figure").filter({ has: page.getByRole("heading", { name: title, exact: true }) })
const values = (page: Page, title: string): Promise<ReadonlyArray<string>> =>
  plot(page, title).locator("dd").allTextContents()

/** Whether anything is drawn in each canvas of the page. */
const drawn = (page: Page): Promise<ReadonlyArray<boolean>> =>
  page.locator(".canvas canvas").evaluateAll((each) =>
    (each as Array<HTMLCanvasElement>).map((canvas) => {
      const empty = document.createElement("canvas")
      empty.width = canvas.width
      empty.height = canvas.height
      return canvas.toDataURL() !== empty.toDataURL()
    })
  )

/** Of the node's tree of messages, at the horizon that it is at now. */
const messagesRoot = async ({ url }: Node): Promise<string> => {
  const { roots } = await (await fetch(`${url}/node/peers`)).json() as { readonly roots: { readonly messages: string } }
  return roots.messages
}

/** Somebody writes at this node until it is told to stop. */
const writing = (node: Node): () => Promise<void> => {
  const [from, to] = [user(0x41), user(0x42)]
  let isOver = false
  const run = async () => {
    for (let at = 0; !isOver; at++) {
      const request = at % 9 === 4
        ? identity(from, Bytes.toBase64(Bytes.fromText(`profile ${at}`)))
        : at % 25 === 12
        ? newGroup(node, from, at % 256).create
        : dm(from, to, { content: `message ${at}` })
      await call(node, from, request).catch(() => undefined)
      await new Promise((resume) => setTimeout(resume, pauseMs(at)))
    }
  }
  const running = run()
  return () => {
    isOver = true
    return running
  }
}

const threeNodes = it.extend("three", async ({ program }, { onCleanup }) => {
  const { end, nodes: [first, second, third] } = await network(program, 3)
  onCleanup(end)
  return [first!, second!, third!] as const
})

describe("/status", () => {
  threeNodes(
    "shows both peers, equal roots and live plots, and goes on when its node was killed and is back",
    async ({ stage, three: [a, b, c] }) => {
      const page = await stage.device(b, { viewport: { width: 1_060, height: 1_160 } })
      await page.goto(`${b.url}/status`)
      await expect.poll(() => badge(page).textContent(), { timeout: eventuallyMs }).toBe("ready")
      await page.getByText(b.id, { exact: true }).waitFor()
      await expect.poll(() => peers(page).count(), { timeout: eventuallyMs }).toBe(2)
      for (const { id } of [a, c]) await page.getByTitle(id).first().waitFor()
      expect(await page.getByText("outgoing").or(page.getByText("incoming")).count()).toBeGreaterThanOrEqual(2)

      const stop = writing(b)
      await expect.poll(() => values(page, "Writes"), { timeout: eventuallyMs }).toContainEqual(
        expect.stringMatching(/^[1-9][\d.]*\/s$/)
      )
      for (const title of ["Writes", "Queues", "Answers", "Time to write", "Stored records", "Peers"]) {
        await expect.poll(() => values(page, title), { timeout: eventuallyMs }).not.toContain("–")
      }
      const found = await drawn(page)
      expect(found.length).toBeGreaterThanOrEqual(12)
      expect(found).toEqual(found.map(() => true))

      // rounds of sync prove that all three hold the same
      const messages = page.getByRole("row").filter({ has: page.getByRole("rowheader", { name: "messages" }) })
      await expect.poll(() => messages.textContent(), { timeout: roundsMs }).toMatch(
        /^messages[1-9][\d\u202f]*0x[0-9a-f]{16}…$/
      )
      await page.getByText("In sync with all 2 peers").waitFor({ timeout: roundsMs })
      expect(await peers(page).getByText("all equal").count()).toBe(2)
      // the root that it shows is what each of the others says of itself
      for (const other of [a, c]) {
        const told = new Set<string | null>()
        await expect.poll(async () => {
          told.add(await messagesRoot(other))
          return told.has(await messages.locator("code").getAttribute("title"))
        }, { timeout: eventuallyMs }).toBe(true)
      }
      if (isPublishing) {
        await expect.poll(async () => Number(await page.locator(".tiles dd").nth(1).innerText()), { timeout: 200_000 })
          .toBeGreaterThan(900)
      }
      await picture(page, "status")
      await stop()

      // killed: the page says so and keeps on asking; back: it is live again, and says that it was away
      stage.nodesMayBeGone()
      await b.kill()
      await expect.poll(() => badge(page).textContent(), { timeout: eventuallyMs }).toMatch(
        /^no answer since \d\d:\d\d:\d\d$/
      )
      await page.getByText("What is shown below is old.").waitFor()
      await b.restart()
      await expect.poll(() => badge(page).textContent(), { timeout: eventuallyMs }).toBe("ready")
      await page.getByText("The node was started again at").waitFor()
      await expect.poll(() => peers(page).count(), { timeout: eventuallyMs }).toBe(2)
      await page.getByText("In sync with all 2 peers").waitFor({ timeout: roundsMs })
      expect(new Set(await drawn(page))).toEqual(new Set([true]))
    },
    170_000
  )
})
