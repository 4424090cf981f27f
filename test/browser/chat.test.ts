/** Two people at two nodes: live both ways, and through the death of a node with nothing lost and nothing twice. */
import { describe } from "vitest"
import {
  allSent,
  arrive,
  beginDm,
  connection,
  item,
  live,
  messages,
  openSettings,
  setName,
  short,
  shows,
  texts,
  unlock,
  write
} from "./person.ts"
import { eventuallyMs, expect, it } from "./stage.ts"

/** For those tests that wait until a node could no longer take a request (SPEC §4), beside all else. */
const longMs = 200_000

describe("a direct conversation", () => {
  it("goes live both ways between two nodes, with counts of unread messages and marks of read ones", async ({ pair: [a, b], stage }) => {
    const [ada, bruno] = [await stage.device(a), await stage.device(b)]
    const [adaIs, brunoIs] = await Promise.all([arrive(ada, a), arrive(bruno, b)])
    await setName(ada, "Ada")
    await beginDm(ada, brunoIs)
    await write(ada, "Hello Bruno")
    await write(ada, "Are you there?")

    // by her name, with both messages counted, in the list and in the title of the window
    const heard = item(bruno, "Ada")
    await expect.poll(() => heard.locator(".count").textContent(), { timeout: eventuallyMs }).toBe("2unread")
    expect(await heard.locator(".item-snippet").textContent()).toBe("Are you there?")
    expect(await bruno.title()).toBe("(1) p2p-mes")
    expect(await ada.getByText("Seen").count()).toBe(0)

    // read: counted no more, and she is told
    await heard.click()
    await shows(bruno, ["Hello Bruno", "Are you there?"])
    await expect.poll(() => heard.locator(".count").count()).toBe(0)
    expect(await bruno.title()).toBe("p2p-mes")
    await messages(ada).filter({ hasText: "Are you there?" }).getByText("Seen").waitFor()

    // both pages are open: each message is there at once, and read
    const spoken = ["Hello Bruno", "Are you there?"]
    for (
      const [page, text] of [[bruno, "Yes"], [ada, "Good"], [bruno, "Line one\nline two"], [ada, "Fine 👍"]] as const
    ) {
      await write(page, text)
      spoken.push(text)
      await Promise.all([shows(ada, spoken), shows(bruno, spoken)])
    }
    await messages(bruno).filter({ hasText: "line two" }).getByText("Seen").waitFor()
    await allSent(ada)
    expect(await item(ada, short(brunoIs)).locator(".count").count()).toBe(0)
    expect(await bruno.locator(".chat-who").innerText()).toContain(short(adaIs))
  })

  it(
    "survives SIGKILL of a node: the page comes back by itself, with every message once",
    async ({ mortals: [a, b], stage }) => {
      const [ada, bruno] = [await stage.device(a), await stage.device(b)]
      const [adaIs, brunoIs] = await Promise.all([arrive(ada, a), arrive(bruno, b)])
      await beginDm(ada, brunoIs)
      await beginDm(bruno, adaIs)
      await write(ada, "before")
      await shows(bruno, ["before"])

      // the mark of what was read may be under way, and is refused when it is made again
      stage.expects(/status of 401 .*\/read/)
      stage.nodesMayBeGone()
      await b.kill()
      await expect.poll(() => connection(bruno).textContent(), { timeout: eventuallyMs }).toBe("Reconnecting…")
      const missed = ["missed 1", "missed 2", "missed 3"]
      for (const text of missed) await write(ada, text)
      await allSent(ada)
      for (const text of ["typed 1", "typed 2"]) await write(bruno, text)
      await expect.poll(() => bruno.getByText("Waits for a node").count()).toBe(2)
      await shows(bruno, ["before", "typed 1", "typed 2"])

      await b.restart()
      await live(bruno)
      const all = ["before", ...missed, "typed 1", "typed 2"]
      await expect.poll(async () => (await texts(bruno)).toSorted(), { timeout: eventuallyMs }).toEqual(all.toSorted())
      await allSent(bruno)
      // each side's own come in the order in which they were written, and both pages tell one order
      const settled = await texts(bruno)
      for (const own of [missed, ["typed 1", "typed 2"]]) {
        expect(settled.filter((text) => own.includes(text))).toEqual(own)
      }
      expect(settled[0]).toBe("before")
      await shows(ada, settled)

      // what comes twice, comes before what follows
      await write(ada, "after")
      await Promise.all([shows(ada, [...settled, "after"]), shows(bruno, [...settled, "after"])])
      await bruno.reload()
      await unlock(bruno)
      await shows(bruno, [...settled, "after"])
    },
    longMs
  )

  it(
    "sends each of many messages once, though the node is killed in the midst of them",
    async ({ mortals: [a, b], stage }) => {
      const [ada, bruno] = [await stage.device(a), await stage.device(b)]
      const [adaIs, brunoIs] = await Promise.all([arrive(ada, a), arrive(bruno, b)])
      await beginDm(ada, brunoIs)
      await beginDm(bruno, adaIs)

      // a request that was under way is made again, and refused: it may have been taken before; and one is asked for by its id
      stage.expects(/status of 40[14] .*\/messages/)
      stage.nodesMayBeGone()
      const spoken = Array.from({ length: 12 }, (_, at) => `message ${at}`)
      for (const text of spoken.slice(0, 6)) await write(bruno, text)
      const killed = b.kill()
      for (const text of spoken.slice(6)) await write(bruno, text)
      await killed
      await expect.poll(() => connection(bruno).textContent(), { timeout: eventuallyMs }).toBe("Reconnecting…")
      await b.restart()
      await expect.poll(() => bruno.locator(".is-sending, .is-waiting, .is-unknown").count(), { timeout: 120_000 })
        .toBe(
          0
        )
      const settled = await texts(bruno)
      expect(settled.toSorted()).toEqual(spoken.toSorted())
      await shows(ada, settled)
    },
    longMs
  )

  it(
    "goes on at a second node that the user named, and what was typed meanwhile is sent once",
    async ({ mortals: [a, b], stage }) => {
      const [ada, bruno] = [await stage.device(a), await stage.device(b, {}, [a])]
      const [adaIs, brunoIs] = await Promise.all([arrive(ada, a), arrive(bruno, b)])
      await openSettings(bruno)
      await bruno.getByLabel("Address of a further node").fill(a.url)
      await bruno.getByRole("button", { name: "Add node" }).click()
      // it has proven to be the node that it is, and the page is at its own still
      await expect.poll(() => bruno.getByTestId("node-id").allTextContents(), { timeout: eventuallyMs })
        .toEqual([b.id, a.id])
      await live(bruno)
      await beginDm(bruno, adaIs)
      await write(bruno, "from my own node")
      await item(ada, short(brunoIs)).click()
      await shows(ada, ["from my own node"])

      stage.nodesMayBeGone()
      await b.kill()
      await write(bruno, "typed in between")
      await expect.poll(() => connection(bruno).textContent(), { timeout: eventuallyMs })
        .toBe(`Live at ${new URL(a.url).host}`)
      await expect.poll(() => texts(ada), { timeout: 90_000 }).toEqual(["from my own node", "typed in between"])
      await write(ada, "I hear you")
      await write(bruno, "through your node")
      await expect.poll(async () => (await texts(bruno)).length, { timeout: eventuallyMs }).toBe(4)
      const settled = await texts(bruno)
      expect(settled.toSorted())
        .toEqual(["I hear you", "from my own node", "through your node", "typed in between"])
      await shows(ada, settled)
      await allSent(bruno)
    },
    longMs
  )
})
