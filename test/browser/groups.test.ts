/** A group, from its making to the last one who leaves: what an admin does, and what the others see of it at once. */
import type { Page } from "playwright-core"
import { describe } from "vitest"
import { arrive, beginGroup, composer, inbox, item, messages, setName, short, shows, write } from "./person.ts"
import { eventuallyMs, expect, it } from "./stage.ts"

const title = (page: Page) => page.locator(".chat-who h1")
const below = (page: Page) => page.locator(".chat-who p")
const dialog = (page: Page) => page.getByRole("dialog", { name: "Group details" })
const member = (page: Page, who: string) => dialog(page).getByRole("listitem").filter({ hasText: who })
const details = async (page: Page): Promise<void> => {
  await page.getByRole("button", { name: "Group details" }).click()
}
const close = (page: Page): Promise<void> => dialog(page).getByRole("button", { name: "Close" }).click()
const says = (of: ReturnType<typeof title>, text: string): Promise<void> =>
  expect.poll(() => of.textContent(), { timeout: eventuallyMs }).toBe(text)

describe("a group", () => {
  it("is made, changed and left, and each member sees it at once", async ({ pair: [a, b], stage }) => {
    const [ada, bruno, chiara] = [await stage.device(a), await stage.device(b), await stage.device(b)]
    // what a node refuses, Chromium logs
    stage.expects(/status of 40[39] .*\/groups\//)
    const addresses = await Promise.all([arrive(ada, a), arrive(bruno, b), arrive(chiara, b)])
    const [adaIs, brunoIs, chiaraIs] = addresses
    for (const [page, name] of [[ada, "Ada"], [bruno, "Bruno"], [chiara, "Chiara"]] as const) await setName(page, name)

    // made: there at the members' pages, by its title
    await beginGroup(ada, "Boat", [brunoIs, chiaraIs])
    await says(title(ada), "Boat")
    for (const page of [bruno, chiara]) {
      await item(page, "Boat").click()
      await says(below(page), "3 members")
    }
    await write(ada, "Who brings the sails?")
    await write(bruno, "I do")
    await Promise.all([ada, bruno, chiara].map((page) => shows(page, ["Who brings the sails?", "I do"])))
    await messages(chiara).filter({ hasText: "I do" }).getByText("Bruno", { exact: true }).waitFor()

    // the title: what is begun stays, whatever happens meanwhile
    await details(ada)
    await dialog(ada).getByLabel("Title").fill("Boat on Sunday")
    await write(bruno, "And you?")
    await shows(ada, ["Who brings the sails?", "I do", "And you?"])
    expect(await dialog(ada).getByLabel("Title").inputValue()).toBe("Boat on Sunday")
    await dialog(ada).getByRole("button", { name: "Save title" }).click()
    for (const page of [ada, bruno, chiara]) await says(title(page), "Boat on Sunday")
    await item(bruno, "Boat on Sunday").waitFor()

    // removed: she sees it, has no place to write, and hears nothing more
    await member(ada, "Chiara").getByRole("button", { name: /^Remove/ }).click()
    await says(below(chiara), "You are not a member any more")
    await chiara.getByText("You are not a member of this group any more").waitFor()
    expect(await composer(chiara).count()).toBe(0)
    expect(await chiara.getByRole("button", { name: "Group details" }).count()).toBe(0)
    await expect.poll(() => inbox(chiara).count()).toBe(0)
    await Promise.all([says(below(ada), "2 members"), says(below(bruno), "2 members")])
    await write(bruno, "Only the two of us")
    await close(ada)
    await shows(ada, ["Who brings the sails?", "I do", "And you?", "Only the two of us"])
    await shows(chiara, ["Who brings the sails?", "I do", "And you?"])

    // added again: she may write, and reads what she missed
    await details(ada)
    await dialog(ada).getByLabel("Addresses of members").fill(chiaraIs)
    await dialog(ada).getByRole("button", { name: "Add members" }).click()
    await member(ada, "Chiara").waitFor()
    await says(below(chiara), "3 members")
    await shows(chiara, ["Who brings the sails?", "I do", "And you?", "Only the two of us"])
    await write(chiara, "Back on board")
    const spoken = ["Who brings the sails?", "I do", "And you?", "Only the two of us", "Back on board"]
    await close(ada)
    await Promise.all([ada, bruno, chiara].map((page) => shows(page, spoken)))

    // an admin more: he may what she may, a member may not
    await details(bruno)
    await expect.poll(() => member(bruno, short(brunoIs)).textContent()).toContain("you")
    expect(await dialog(bruno).getByRole("button", { name: /^(Remove|Make|Add|Save)/ }).count()).toBe(0)
    await details(ada)
    await member(ada, "Bruno").getByRole("button", { name: /^Make admin/ }).click()
    await member(bruno, short(brunoIs)).getByText("admin", { exact: true }).waitFor({ timeout: eventuallyMs })
    await dialog(bruno).getByLabel("Title").fill("Bruno's boat")
    await dialog(bruno).getByRole("button", { name: "Save title" }).click()
    await Promise.all([ada, chiara].map((page) => says(title(page), "Bruno's boat")))
    // who made the group stays its admin: the node says no, the page says why
    await member(bruno, short(adaIs)).getByRole("button", { name: /^Make member/ }).click()
    await dialog(bruno).getByRole("alert").filter({ hasText: "Who made the group stays its admin" }).waitFor()

    // left
    await close(bruno)
    await details(chiara)
    await dialog(chiara).getByRole("button", { name: "Leave the group" }).click()
    await dialog(chiara).getByRole("button", { name: "Yes, leave" }).click()
    await expect.poll(() => inbox(chiara).count(), { timeout: eventuallyMs }).toBe(0)
    await Promise.all([says(below(ada), "2 members"), says(below(bruno), "2 members")])
    await expect.poll(() => member(ada, "Chiara").count()).toBe(0)
    await write(bruno, "She left")
    await close(ada)
    await shows(ada, [...spoken, "She left"])
  })
})
