/**
 * Every main screen on a phone and on a desk, light and dark: nothing is wider than the screen, everything that can be
 * pressed can be reached, and axe-core finds nothing.
 */
import type axe from "axe-core"
import { createRequire } from "node:module"
import type { BrowserContextOptions, Page } from "playwright-core"
import { describe } from "vitest"
import { call, dm, user } from "../http/fixture.ts"
import { arrive, beginDm, beginGroup, composer, item, messages, passphrase, setName, write } from "./person.ts"
import { glimpse } from "./pictures.ts"
import { expect, it } from "./stage.ts"

const axePath = createRequire(import.meta.url).resolve("axe-core/axe.min.js")
const bruno = user(0x51)

const sizes: { readonly [name: string]: BrowserContextOptions } = {
  phone: { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 },
  desk: { viewport: { width: 1_280, height: 800 } }
}

/** What makes the page, or a part of it, scroll sideways, and what sticks out of the screen. */
const tooWide = (page: Page): Promise<ReadonlyArray<string>> =>
  page.evaluate(() => {
    const isClipped = (element: Element | null): boolean => {
      if (element === null || element === document.body) return false
      const { clipPath, overflowX } = getComputedStyle(element)
      return clipPath !== "none" || overflowX !== "visible" || isClipped(element.parentElement)
    }
    const isTooWide = (element: Element): boolean => {
      const { overflowX } = getComputedStyle(element)
      if (overflowX === "auto" || overflowX === "scroll") return element.scrollWidth > element.clientWidth
      const { left, right } = element.getBoundingClientRect()
      return (right > innerWidth + 1 || left < -1) && !isClipped(element)
    }
    return [document.documentElement, ...document.querySelectorAll("body, body *")]
      .filter((element) =>
        isTooWide(element) || (element === document.documentElement && element.scrollWidth > innerWidth)
      )
      .map((element) => `${element.localName}.${element.getAttribute("class") ?? ""}`)
  })

/** What can be pressed or written into, in the dialog that is open or else in the page. */
const pressable = async (page: Page) => {
  const dialog = page.locator("dialog[open]")
  const within = await dialog.count() > 0 ? dialog : page.locator("body")
  return within.locator(
    "a[href]:not(.skip), button:enabled, input:enabled:not(.heard), textarea:enabled, select:enabled"
  )
    .filter({ visible: true }).all()
}

const check = async (page: Page, where: string): Promise<void> => {
  expect(await tooWide(page), `wider than the screen: ${where}`).toEqual([])
  // each can be scrolled into view, and is what a press at its middle meets
  for (const each of await pressable(page)) await each.click({ trial: true, timeout: 5_000 })
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme })
    const { violations } = await page.evaluate(() =>
      (globalThis as unknown as { readonly axe: typeof axe }).axe.run({ resultTypes: ["violations"] })
    )
    const found = violations.map((
      { id, nodes }
    ) => [id, ...nodes.map(({ failureSummary, html }) => [html, failureSummary])])
    expect(found, `axe, ${colorScheme}: ${where}`).toEqual([])
    await glimpse(page, `${where}-${colorScheme}`)
  }
}

describe("all screens, light and dark", () => {
  it.for(Object.keys(sizes))("fit on a %s and are accessible", async (size, { pair: [a], stage }) => {
    const page = await stage.device(a, sizes[size])
    await page.context().addInitScript({ path: axePath })
    const isPhone = size === "phone"
    const seen = (where: string): Promise<void> => check(page, `${where}-${size}`)
    const back = async (): Promise<void> => {
      if (isPhone) await page.getByRole("link", { name: "Back to conversations" }).click()
    }

    await page.goto(a.url)
    await page.getByRole("button", { name: "Create a key" }).waitFor()
    await seen("welcome")
    await page.getByRole("button", { name: "Import a key" }).click()
    await seen("import")
    await page.getByRole("button", { name: "Back" }).click()
    await page.getByRole("button", { name: "Create a key" }).click()
    await seen("create")
    await page.getByRole("button", { name: "Back" }).click()

    const self = await arrive(page, a)
    await seen("inbox-empty")
    await page.getByRole("button", { name: "New", exact: true }).click()
    await seen("new")
    await page.getByLabel("A group").check()
    await seen("new-group")
    await page.keyboard.press("Escape")

    await setName(page, "Ada")
    await page.getByText("Has proven to be node").waitFor()
    await seen("settings")
    await back()
    const said = dm(bruno, { ...bruno, address: self.slice(2) as never }, {
      content: "Have you got the maps? ".repeat(12)
    })
    expect((await call(a, bruno, said)).status).toBeLessThan(300)
    await item(page, "maps").waitFor()
    await seen("inbox")
    await item(page, "maps").click()
    await write(page, "Yes: https://example.org/maps/of/the/northern/islands?scale=1:25000&sheet=12#legend")
    await messages(page).nth(1).waitFor()
    await seen("conversation")
    await back()

    await beginGroup(page, "A boat with a rather long name, for the summer", [
      `0x${bruno.address}`,
      `0x${user(0x52).address}`
    ])
    await composer(page).fill("in the group")
    await page.getByRole("button", { name: "Send" }).click()
    await messages(page).first().waitFor()
    await page.getByRole("button", { name: "Group details" }).click()
    await page.getByRole("listitem").filter({ hasText: "admin" }).first().waitFor()
    await seen("members")
    await page.keyboard.press("Escape")
    await back()
    await beginDm(page, `0x${user(0x53).address}`)
    await seen("conversation-empty")

    await page.reload()
    await page.getByLabel("Passphrase").fill(passphrase)
    await seen("unlock")
    await page.goto(`${a.url}/status`)
    await page.getByRole("table", { name: "Peers" }).waitFor()
    await page.locator(".canvas canvas").first().waitFor()
    await seen("status")
  })
})
