/** What somebody does and sees on the chat page, by the names that the page gives to things. */
import type { Locator, Page } from "playwright-core"
import { expect } from "vitest"
import type { Node } from "./nodes.ts"
import { eventuallyMs } from "./stage.ts"

export const passphrase = "correct horse battery"

/** Opens the page of `node` and makes a key. The address, with `0x`. */
export const arrive = async (page: Page, { url }: Pick<Node, "url">): Promise<string> => {
  await page.goto(url)
  await page.getByRole("button", { name: "Create a key" }).click()
  await page.getByLabel("Passphrase", { exact: true }).fill(passphrase)
  await page.getByLabel("Passphrase again").fill(passphrase)
  await page.getByRole("button", { name: "Create key" }).click()
  await page.getByRole("heading", { name: "Your key is made" }).waitFor()
  const address = await page.locator(".address .mono").innerText()
  await page.getByRole("button", { name: "Go to your messages" }).click()
  await live(page)
  return address
}

export const unlock = async (page: Page): Promise<void> => {
  await page.getByLabel("Passphrase").fill(passphrase)
  await page.getByRole("button", { name: "Unlock" }).click()
}

/** What the page says of its connection. */
export const connection = (page: Page): Locator => page.locator(".connection [role=status]")

export const live = async (page: Page): Promise<void> => {
  await expect.poll(() => connection(page).textContent(), { timeout: eventuallyMs }).toBe("Live")
}

/** Conversations in the list. */
export const inbox = (page: Page): Locator => page.getByRole("navigation", { name: "Conversations" }).getByRole("link")

/** The conversation called so in the list. */
export const item = (page: Page, title: string): Locator => inbox(page).filter({ hasText: title })

/** As an address is shown where there is no name. */
export const short = (address: string): string => `${address.slice(0, 6)}…${address.slice(-4)}`

/** The dialog is gone, and what it led to is there, in place of what was open before. */
const opened = async (page: Page, kind: "to" | "group"): Promise<void> => {
  await page.getByRole("dialog").waitFor({ state: "detached" })
  await page.waitForURL(({ hash }) => hash.startsWith(`#/${kind}/`))
  await composer(page).waitFor()
}

export const beginDm = async (page: Page, address: string): Promise<void> => {
  await page.getByRole("button", { name: "New", exact: true }).click()
  await page.getByRole("textbox", { name: "Address", exact: true }).fill(address)
  await page.getByRole("button", { name: "Open" }).click()
  await opened(page, "to")
}

export const beginGroup = async (page: Page, title: string, members: ReadonlyArray<string>): Promise<void> => {
  await page.getByRole("button", { name: "New", exact: true }).click()
  await page.getByLabel("A group").check()
  await page.getByLabel("Title").fill(title)
  await page.getByLabel("Addresses of members").fill(members.join("\n"))
  await page.getByRole("button", { name: "Create group" }).click()
  await opened(page, "group")
}

export const composer = (page: Page): Locator => page.getByRole("textbox", { name: /^Message to / })

export const write = async (page: Page, text: string): Promise<void> => {
  await composer(page).fill(text)
  await page.keyboard.press("Enter")
}

/** The messages of the conversation that is open, those on their way too. */
export const messages = (page: Page): Locator => page.getByRole("log", { name: "Messages" }).locator("li.message")

export const texts = (page: Page): Promise<ReadonlyArray<string>> => messages(page).locator(".text").allTextContents()

/** Waits until these and no others are there, in this order. */
export const shows = async (page: Page, expected: ReadonlyArray<string>): Promise<void> => {
  await expect.poll(() => texts(page), { timeout: eventuallyMs }).toEqual(expected)
}

/** Waits until nothing is on its way any more. */
export const allSent = async (page: Page): Promise<void> => {
  await expect.poll(() => page.locator(".is-sending, .is-waiting, .is-unknown, .is-refused").count(), {
    timeout: eventuallyMs
  }).toBe(0)
}

export const openSettings = async (page: Page): Promise<void> => {
  await page.locator("a.me").click()
  await page.getByRole("heading", { name: "Settings" }).waitFor()
}

export const setName = async (page: Page, name: string): Promise<void> => {
  await openSettings(page)
  await page.getByLabel("Name").fill(name)
  await page.getByRole("button", { name: "Save name" }).click()
  await page.getByText("The name is saved.").waitFor()
}
