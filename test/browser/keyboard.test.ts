/** The whole way without a pointer: at each step there is a focus, it can be seen, and a key leads on. */
import type { Page } from "playwright-core"
import { describe } from "vitest"
import { call, dm, user } from "../http/fixture.ts"
import { composer, item, live, passphrase, shows, texts } from "./person.ts"
import { eventuallyMs, expect, it } from "./stage.ts"

/** More steps than any way here has. */
const tabsMax = 40

interface Focus {
  readonly name: string
  readonly tag: string
  /** Whether it is in view and looks otherwise than without the focus. */
  readonly isSeen: boolean
}

/** Runs in the page. */
const readFocus = (): Focus => {
  const element = document.activeElement
  if (element === null || element === document.body) return { name: "", tag: "nothing", isSeen: false }
  const box = element.getBoundingClientRect()
  const style = getComputedStyle(element)
  const isInView = box.width > 1 && box.height > 1 && box.bottom > 0 && box.right > 0
    && box.top < innerHeight && box.left < innerWidth
  const labels = element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement ? element.labels : null
  const name = [...labels ?? []].map((label) => label.textContent).join(" ") || (element.textContent ?? "")
  const isMarked = style.outlineStyle !== "none" && Number.parseFloat(style.outlineWidth) >= 2
  return { name: name.trim(), tag: element.localName, isSeen: isInView && isMarked }
}

const focus = (page: Page): Promise<Focus> => page.evaluate(readFocus)

/** Waits for a focus on something by this name: a dialog or a new view takes it. */
const focused = async (page: Page, name: RegExp): Promise<void> => {
  await expect.poll(async () => (await focus(page)).name, { timeout: eventuallyMs }).toMatch(name)
  expect(await focus(page)).toMatchObject({ isSeen: true })
}

/** Tab, until the focus is on what has this name; it is seen all the way. */
const tabTo = async (page: Page, name: RegExp, key: "Tab" | "Shift+Tab" = "Tab"): Promise<void> => {
  const passed: Array<string> = []
  for (let tabs = 0; tabs < tabsMax; tabs++) {
    await page.keyboard.press(key)
    const now = await focus(page)
    // past the last element comes the browser's own window, and then the first one
    if (now.tag === "nothing") continue
    passed.push(now.name)
    expect(now, `the focus on ${now.tag} "${now.name}"`).toMatchObject({ isSeen: true })
    if (name.test(now.name)) return
  }
  throw new Error(`no ${name} within ${tabsMax} steps: ${passed.join(", ")}`)
}

const press = async (page: Page, ...keys: ReadonlyArray<string>): Promise<void> => {
  for (const key of keys) await page.keyboard.press(key)
}

describe("by keyboard alone", () => {
  it("makes a key, sends a message, begins a conversation, and goes from one to another", async ({ pair: [a], stage }) => {
    const page = await stage.device(a)
    await page.goto(a.url)
    await tabTo(page, /^Create a key$/)
    await press(page, "Enter")
    await page.getByRole("heading", { name: "Create a key" }).waitFor()
    expect((await focus(page)).tag, "the focus after the first step").not.toBe("nothing")
    if (!/^Passphrase$/.test((await focus(page)).name)) await tabTo(page, /^Passphrase$/)
    await page.keyboard.type(passphrase)
    await tabTo(page, /^Passphrase again$/)
    await page.keyboard.type(passphrase)
    await press(page, "Enter")
    await page.getByRole("heading", { name: "Your key is made" }).waitFor()
    expect((await focus(page)).tag, "the focus after the key is made").not.toBe("nothing")
    const self = await page.locator(".address .mono").innerText()
    if (!/^Go to your messages$/.test((await focus(page)).name)) await tabTo(page, /^Go to your messages$/)
    await press(page, "Enter")
    await live(page)
    expect((await focus(page)).tag, "the focus in the list").not.toBe("nothing")

    // two others write, so that there is somewhere to go
    const others = [user(0x31), user(0x32)]
    for (const [at, other] of others.entries()) {
      const sent = dm(other, { ...other, address: self.slice(2) as never }, { content: `from ${at}` })
      expect((await call(a, other, sent)).status).toBeLessThan(300)
    }
    await item(page, "from 1").waitFor()
    await tabTo(page, /from 0/)
    await press(page, "Enter")
    // the place to write has the focus
    await focused(page, /^Message to /)
    await page.keyboard.type("first line")
    await press(page, "Shift+Enter")
    await page.keyboard.type("second line")
    await press(page, "Enter")
    await shows(page, ["from 0", "first line\nsecond line"])
    await focused(page, /^Message to /)

    // back to the list, and to the other one
    await press(page, "Escape")
    await focused(page, /from 0|first line/)
    await press(page, "Alt+ArrowDown")
    await shows(page, ["from 1"])
    await focused(page, /^Message to /)
    await press(page, "Alt+ArrowUp")
    await expect.poll(() => texts(page)).toEqual(["from 0", "first line\nsecond line"])

    // a dialog takes the focus, keeps it and gives it back
    await tabTo(page, /^New$/, "Shift+Tab")
    await press(page, "Enter")
    await focused(page, /^Address$/)
    for (let tabs = 0; tabs < 8; tabs++) {
      await press(page, "Tab")
      const isInside = await page.evaluate(() =>
        document.activeElement === document.body || document.activeElement?.closest("dialog") !== null
      )
      expect(isInside).toBe(true)
    }
    await press(page, "Escape")
    await focused(page, /^New$/)
    await press(page, "Enter")
    await focused(page, /^Address$/)
    await page.keyboard.type(`0x${user(0x33).address}`)
    await press(page, "Enter")
    await focused(page, /^Message to /)
    await page.keyboard.type("Hello, third one")
    await press(page, "Enter")
    await shows(page, ["Hello, third one"])

    // settings and lock
    await tabTo(page, /Settings$/, "Shift+Tab")
    await press(page, "Enter")
    await page.getByRole("heading", { name: "Settings" }).waitFor()
    expect((await focus(page)).tag, "the focus in the settings").not.toBe("nothing")
    expect(await composer(page).count()).toBe(0)
    await tabTo(page, /^Lock$/)
    await press(page, "Enter")
    await focused(page, /^Passphrase$/)
    await page.keyboard.type(passphrase)
    await press(page, "Enter")
    await live(page)
  })
})
