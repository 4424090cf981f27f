/** What other people write is text, whatever it looks like: messages, names and titles. */
import { describe } from "vitest"
import * as Bytes from "../../src/domain/bytes.ts"
import { type Call, call, dm, groupMessage, identity, newGroup, user } from "../http/fixture.ts"
import { arrive, inbox, item, messages, openSettings, shows, texts } from "./person.ts"
import { eventuallyMs, expect, it } from "./stage.ts"

const mallory = user(0x66)

const hostile = [
  `<script>document.title = "taken"</script>`,
  `<img src=x onerror="document.title = 'taken'">`,
  `</p></li></ol><h1 onclick=alert(1)>heading</h1><style>*{display:none}</style>`,
  `javascript:alert(document.domain)`,
  `[click](javascript:alert(1)) data:text/html,<script>alert(1)</script>`,
  `https://example.org/"onmouseover="alert(1)`,
  `look at https://example.org/a_(b)?c=d. And http://user@evil.example:81/x, too`,
  "\u202egnp.exe \u2066isolated\u2069 \u202dleft\u202c",
  "שלום, \u200fthis is אחר",
  "\u0000\u0007\u001b[31mred\u001b[0m\ufeff",
  "a".repeat(3_000),
  "line\n".repeat(60),
  "e\u0301" + "\u0315\u0300\u0334".repeat(200),
  "${constructor} {{7*7}} &lt;b&gt; &amp; %3Cscript%3E"
]

const name = `<b>Ada</b>\u202e\u2066 evil`

describe("what others write", () => {
  it("is shown as text, as it is", async ({ pair: [a], stage }) => {
    const page = await stage.device(a)
    const self = await arrive(page, a)
    const asked = async (request: Call) => {
      const { body, status } = await call(a, mallory, request)
      expect([200, 201, 202, 204], JSON.stringify(body)).toContain(status)
    }
    const peer = { ...mallory, address: self.slice(2) as never }
    const blob = Bytes.toBase64(Bytes.fromText(JSON.stringify({ n: name })))
    await asked(identity(mallory, blob))
    for (const content of hostile) await asked(dm(mallory, peer, { content }))
    const title = "<i>title</i>\u202e"
    const group = newGroup(a, mallory, 0x01, { title, targets: [peer.address] })
    await asked(group.create)
    await asked(groupMessage(mallory, group.chatId, { content: "<u>in a group</u>" }))

    // in the list: one line, without what would turn the text around it
    const titles = inbox(page).locator(".item-title")
    await expect.poll(async () => (await titles.allTextContents()).toSorted(), { timeout: eventuallyMs })
      .toEqual(["<b>Ada</b> evil", title])
    await titles.filter({ hasText: "evil" }).click()
    await expect.poll(async () => (await texts(page)).length, { timeout: eventuallyMs }).toBe(hostile.length)
    await shows(page, hostile)

    // the page is as it was: no element came from a text, nothing ran, nothing is wider than its place
    expect(await messages(page).locator(".text *:not(a)").count()).toBe(0)
    expect(await page.locator("script:not([type=module]), img, style, iframe, h1[onclick], u, b, i").count()).toBe(0)
    expect(await page.title()).toContain("p2p-mes")
    const links = await messages(page).locator("a").evaluateAll((each) =>
      each.map((link) => [link.getAttribute("href"), link.getAttribute("rel"), link.getAttribute("target")])
    )
    expect(links).toEqual([
      ["https://example.org/", "noopener noreferrer", "_blank"],
      ["https://example.org/a_(b)?c=d", "noopener noreferrer", "_blank"],
      ["http://user@evil.example:81/x", "noopener noreferrer", "_blank"]
    ])
    const isWider = await page.evaluate(() =>
      [document.documentElement, ...document.querySelectorAll(".messages, .bubble, .inbox, .item")]
        .filter((element) => element.scrollWidth > element.clientWidth + 1).map(({ className }) => className)
    )
    expect(isWider).toEqual([])
    // a text that turns its direction turns nothing beside it
    const bidi = await messages(page).locator(".text").evaluateAll((each) =>
      each.map((text) => getComputedStyle(text).unicodeBidi)
    )
    expect(new Set(bidi)).toEqual(new Set(["isolate"]))

    await item(page, "<i>title</i>").click()
    await shows(page, ["<u>in a group</u>"])
    await page.getByRole("button", { name: "Group details" }).click()
    await page.getByRole("dialog").getByText("<i>title</i>").waitFor()
    await page.keyboard.press("Escape")

    // an address of this page that leads nowhere is shown as text, too
    await page.goto(`${a.url}/#/<img src=x onerror=alert(1)>`)
    await page.getByRole("heading", { name: "This link leads nowhere" }).waitFor()
    await openSettings(page)
    expect(await page.locator("img").count()).toBe(0)
  })
})
