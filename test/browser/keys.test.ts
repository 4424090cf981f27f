/** The key: what is kept of it, how it goes to another device, and that nothing secret lies in the browser in clear. */
import { readFileSync } from "node:fs"
import type { Page } from "playwright-core"
import { describe } from "vitest"
import * as Bytes from "../../src/domain/bytes.ts"
import { arrive, beginDm, live, openSettings, passphrase, short, shows, unlock, write } from "./person.ts"
import { eventuallyMs, expect, it } from "./stage.ts"

/** All that the browser keeps for the page, as one text. */
const kept = async (page: Page): Promise<string> => {
  const databases = await page.evaluate(async () => ({
    session: { ...sessionStorage },
    // the page has none; what is in one could not be told from here
    databases: (await indexedDB.databases()).map(({ name }) => name),
    caches: "caches" in globalThis ? await caches.keys() : [],
    name: window.name,
    history: history.state as unknown
  }))
  expect(databases).toEqual({ session: {}, databases: [], caches: [], name: "", history: null })
  const { cookies, origins } = await page.context().storageState({ indexedDB: true })
  expect(cookies).toEqual([])
  return JSON.stringify(origins)
}

const revealed = async (page: Page): Promise<string> => {
  await page.getByRole("button", { name: "Show the private key" }).click()
  const dialog = page.getByRole("dialog", { name: "Private key" })
  await dialog.getByLabel("Passphrase").fill(passphrase)
  await dialog.getByRole("button", { name: "Show it" }).click()
  const secret = await dialog.locator(".secret").innerText()
  await dialog.getByRole("button", { name: "Hide" }).click()
  return secret
}

const exported = async (page: Page): Promise<{ readonly name: string; readonly text: string }> => {
  const downloading = page.waitForEvent("download")
  await page.getByRole("button", { name: "Save a copy of the key" }).click()
  const download = await downloading
  return { name: download.suggestedFilename(), text: readFileSync(await download.path(), "utf8") }
}

const toImport = async (page: Page, url: string): Promise<void> => {
  await page.goto(url)
  await page.getByRole("button", { name: "Import a key" }).click()
}

describe("a key", () => {
  it("goes to another browser as a file, under its passphrase only, and is the same address there", async ({ pair: [a, b], stage }) => {
    const page = await stage.device(a)
    const address = await arrive(page, a)
    await beginDm(page, address)
    await write(page, "a note to myself")
    await openSettings(page)
    expect(await page.getByTestId("own-address").innerText()).toBe(address)
    const file = await exported(page)
    expect(file.name).toBe(`p2p-mes-key-${address.slice(2, 10)}.json`)
    const secret = await revealed(page)
    expect(secret).toMatch(/^0x[0-9a-f]{64}$/)

    // what is kept and what is saved has the key in no form that could be read
    const bytes = Bytes.fromHex(secret.slice(2))
    const forms = [secret.slice(2), Bytes.toBase64(bytes), [...bytes].join(","), passphrase]
    const hidden = await kept(page)
    expect(hidden).toContain(address)
    for (const form of forms) {
      expect(hidden.toLowerCase()).not.toContain(form.toLowerCase())
      expect(file.text.toLowerCase()).not.toContain(form.toLowerCase())
    }

    // the file, at the page of another node
    const other = await stage.device(b)
    await toImport(other, b.url)
    await other.getByLabel("Read it from a file").setInputFiles({
      name: file.name,
      mimeType: "application/json",
      buffer: Buffer.from(file.text)
    })
    await expect.poll(() => other.getByLabel("Private key, or an exported file").inputValue()).toBe(file.text)
    await other.getByRole("button", { name: "Continue" }).click()
    await other.getByText(address).waitFor()
    await other.getByLabel("Passphrase of the file").fill("wrong horse battery")
    await other.getByRole("button", { name: "Import key" }).click()
    await other.getByRole("alert").filter({ hasText: "This is not the passphrase of that file." }).waitFor()
    await other.getByLabel("Passphrase of the file").fill(passphrase)
    await other.getByRole("button", { name: "Import key" }).click()
    await live(other)
    await other.getByRole("link", { name: /Notes to yourself/ }).click()
    await shows(other, ["a note to myself"])
    await openSettings(other)
    expect(await other.getByTestId("own-address").innerText()).toBe(address)

    // the digits do it, too
    const third = await stage.device(b)
    await toImport(third, b.url)
    await third.getByLabel("Private key, or an exported file").fill("0x1234")
    await third.getByRole("button", { name: "Continue" }).click()
    await third.getByRole("alert").filter({ hasText: "A private key is 64 hex digits" }).waitFor()
    await third.getByLabel("Private key, or an exported file").fill(secret)
    await third.getByRole("button", { name: "Continue" }).click()
    await third.getByText(address).waitFor()
  })

  it("is locked away: nothing is seen, heard or kept until the passphrase opens it again", async ({ pair: [a], stage }) => {
    const page = await stage.device(a)
    const address = await arrive(page, a)
    await beginDm(page, address)
    await write(page, "for my eyes only")
    await shows(page, ["for my eyes only"])
    await page.getByRole("button", { name: "Lock" }).click()
    await page.getByRole("heading", { name: "Welcome back" }).waitFor()
    const locked = await page.content()
    expect(locked).not.toContain("for my eyes only")
    expect(await kept(page)).not.toContain("for my eyes only")
    const asked: Array<string> = []
    page.on("request", (request) => asked.push(request.url()))

    await page.getByLabel("Passphrase").fill("wrong horse battery")
    await page.getByRole("button", { name: "Unlock" }).click()
    await page.getByRole("alert").filter({ hasText: "This is not the passphrase of this key." }).waitFor()
    expect(asked).toEqual([])
    await unlock(page)
    await live(page)
    await shows(page, ["for my eyes only"])

    // what one window removes is gone in the other
    const second = await page.context().newPage()
    await second.goto(a.url)
    await second.getByText(short(address).slice(0, 6)).first().waitFor()
    await second.getByRole("button", { name: "Use another key" }).click()
    await second.getByRole("dialog", { name: "Remove this key?" }).getByRole("button", { name: "Remove the key" })
      .click()
    await page.getByRole("button", { name: "Create a key" }).waitFor({ timeout: eventuallyMs })
    expect(await kept(page)).not.toContain(address)
  })
})
