/** What the pages are as files: under a strict policy that a browser keeps, small, and soon painted. */
import { describe } from "vitest"
import { eventuallyMs, expect, it } from "./stage.ts"

interface Painted {
  readonly firstPaintMs: number | undefined
  readonly transferred: number
  readonly decoded: number
}

/** Runs in the page. */
const measure = (): Painted => {
  const files = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .filter(({ name }) => !/\/(node|events|identity|conversations|metrics|readyz)\b/.test(new URL(name).pathname))
    .map((entry) => entry as PerformanceResourceTiming)
  return {
    firstPaintMs: performance.getEntriesByName("first-contentful-paint")[0]?.startTime,
    transferred: files.reduce((sum, { transferSize }) => sum + transferSize, 0),
    decoded: files.reduce((sum, { decodedBodySize }) => sum + decodedBodySize, 0)
  }
}

describe("the pages", () => {
  it("are painted after a load of so many bytes", async ({ pair: [a], stage }) => {
    for (const path of ["/", "/status"]) {
      const page = await stage.device(a)
      await page.goto(a.url + path)
      await page.getByRole("heading", { level: 1 }).waitFor()
      await expect.poll(async () => (await page.evaluate(measure)).firstPaintMs, { timeout: eventuallyMs })
        .toBeGreaterThan(0)
      const { decoded, firstPaintMs, transferred } = await page.evaluate(measure)
      console.log(
        `${path}: ${transferred} bytes over the wire, ${decoded} unpacked; first contentful paint after `
          + `${Math.round(firstPaintMs!)} ms, nothing in the cache`
      )
      expect(transferred).toBeGreaterThan(10_000)
    }
  })

  it("let nothing in that is not the node's own: no inline script, no other origin, no sink for HTML", async ({ pair: [a], stage }) => {
    stage.expects(/Content Security Policy|Trusted(HTML|Script)/)
    const page = await stage.device(a)
    const violated: Array<string> = []
    await page.exposeFunction("tell", (directive: string) => violated.push(directive))
    await page.addInitScript(() => {
      const { tell } = globalThis as unknown as { readonly tell: (directive: string) => void }
      document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) => tell(effectiveDirective))
    })
    for (const path of ["/", "/status"]) {
      const headers = (await page.goto(a.url + path))!.headers()
      expect(headers["content-security-policy"]).toContain("default-src 'none'")
      expect(headers["content-security-policy"]).not.toMatch(/unsafe|\*|data:|blob:/)
      violated.length = 0
      const outcome = await page.evaluate(() => {
        const script = document.createElement("script")
        try {
          script.text = "document.title = 'taken'"
        } catch {
          // what a browser with trusted types does; the policy of scripts would, too
        }
        const image = document.createElement("img")
        image.src = "data:image/gif;base64,R0lGODlhAQABAAAAACw="
        const style = document.createElement("style")
        style.append("body { display: none }")
        document.body.append(script, image, style)
        try {
          document.body.innerHTML = "<p>taken</p>"
          return "taken"
        } catch (error) {
          return (error as Error).name
        }
      })
      expect(outcome).toBe("TypeError")
      await expect.poll(() => violated, { timeout: eventuallyMs }).toEqual(
        expect.arrayContaining(["img-src", "require-trusted-types-for", "style-src-elem"])
      )
      expect(await page.title()).not.toBe("taken")
      expect(await page.locator("body").evaluate((body) => getComputedStyle(body).display)).not.toBe("none")
    }
  })
})
