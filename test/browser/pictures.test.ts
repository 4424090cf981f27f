/** The pictures of the README: a group of three that talks, as one of them sees it, on a desk and on a phone. */
import { describe } from "vitest"
import * as Bytes from "../../src/domain/bytes.ts"
import type { Address } from "../../src/domain/ids.ts"
import { type Call, call, dm, groupMessage, identity, newGroup, type User, user } from "../http/fixture.ts"
import type { Node } from "./nodes.ts"
import { allSent, arrive, inbox, item, messages, setName, texts, write } from "./person.ts"
import { picture } from "./pictures.ts"
import { eventuallyMs, expect, it } from "./stage.ts"

const [bruno, chiara, dario, elif] = [user(0x5b), user(0xc4), user(0xd2), user(0xe5)] as const
const people = [[bruno, "Bruno"], [chiara, "Chiara"], [dario, "Dario"], [elif, "Elif"]] as const

const asked = async (node: Node, who: User, request: Call): Promise<void> => {
  const { body, status } = await call(node, who, { ...request, headers: { Prefer: "wait=10" } })
  expect([200, 201, 204], JSON.stringify(body)).toContain(status)
}

describe("a group of three", () => {
  it("talks, and is a picture", async ({ pair: [a], stage }) => {
    for (const [who, name] of people) {
      await asked(a, who, identity(who, Bytes.toBase64(Bytes.fromText(JSON.stringify({ n: name })))))
    }
    const desk = { viewport: { width: 1_120, height: 790 }, deviceScaleFactor: 1.25, colorScheme: "light" as const }
    const page = await stage.device(a, desk)
    const ada = (await arrive(page, a)).slice(2) as Address
    await setName(page, "Ada")

    // what else is in her list
    const self = { ...bruno, address: ada }
    await asked(a, dario, dm(dario, self, { content: "Thanks, the parcel is here!" }))
    const house = newGroup(a, elif, 0x02, { title: "House meeting", targets: [ada, dario.address].sort() })
    await asked(a, elif, house.create)
    await asked(a, elif, groupMessage(elif, house.chatId, { content: "Thursday at seven, kitchen on the 2nd floor" }))
    await asked(a, dario, groupMessage(dario, house.chatId, { content: "I'll bring the cake" }))
    await asked(a, elif, dm(elif, self, { content: "Did you find my umbrella?" }))

    const hut = newGroup(a, bruno, 0x03, { title: "Hut weekend", targets: [ada, chiara.address].sort() })
    await asked(a, bruno, hut.create)
    const says = (who: User, content: string) => asked(a, who, groupMessage(who, hut.chatId, { content }))
    await item(page, "Hut weekend").click()
    await says(bruno, "The hut is ours from Friday evening! The key is under the third step.")
    const answered = async (text: string): Promise<void> => {
      await write(page, text)
      await allSent(page)
    }
    await answered("Lovely! Is there a signal up there?")
    await says(chiara, "None at all. But Bruno's laptop runs a node, so we can chat on the hut's own wifi")
    await says(chiara, "and when we are back in the valley it catches up with everybody else.")
    await answered("So the photos of the sunrise go out on Sunday 😄")
    await says(bruno, "Weather looks good: https://example.org/alps/forecast?days=3")
    await says(chiara, "I take the 16:40 from Chur. Who brings coffee?")
    await answered("Me. And the big pot.")
    await expect.poll(async () => (await texts(page)).length, { timeout: eventuallyMs }).toBe(8)
    await messages(page).getByText("Chiara", { exact: true }).first().waitFor()
    await expect.poll(() => inbox(page).count(), { timeout: eventuallyMs }).toBe(4)
    await picture(page, "chat-desktop")

    await page.emulateMedia({ colorScheme: "dark" })
    await page.setViewportSize({ width: 412, height: 915 })
    await messages(page).last().scrollIntoViewIfNeeded()
    await picture(page, "chat-phone")
  })
})
