/** Names, links and addresses in texts that others wrote: shown as what they are, and as nothing more. */
import { assert, describe, it } from "@effect/vitest"
import * as Profile from "../../src/client/Profile.ts"
import * as Bytes from "../../src/domain/bytes.ts"
import * as Links from "../../src/web/links.ts"
import { markOf } from "../../src/web/mark.ts"

describe("a name in an identity", () => {
  const blob = (text: string) => Bytes.fromText(text)

  it("is UTF-8 JSON with the key n, and comes back as it was given", () => {
    assert.deepStrictEqual(Profile.withName("Alice"), blob(`{"n":"Alice"}`))
    for (const name of ["Alice", "Ålice 🦊", "李小龍", "مريم"]) {
      assert.strictEqual(Profile.nameOf(Profile.withName(name)!), name)
    }
  })

  it("may be text and nothing else", () => {
    assert.strictEqual(Profile.nameOf(blob("Alice of the hill")), "Alice of the hill")
    assert.deepStrictEqual(Profile.withName("Bob", blob("Alice")), blob(`{"n":"Bob"}`))
  })

  it("is none where the bytes say something else", () => {
    const others = ["", "null", "[]", `{"n":7}`, `{"n":""}`, `{"n":"\u200b \u202e"}`, `{"name":"A"}`]
    for (const text of others) assert.isUndefined(Profile.nameOf(blob(text)), text)
    assert.isUndefined(Profile.nameOf(Uint8Array.of(0xff, 0xfe)))
  })

  it("can hide nothing, turn no text around, and take no more than a line", () => {
    const name = (text: string) => Profile.nameOf(blob(JSON.stringify({ n: text })))
    assert.strictEqual(name("Bob\u202egpj.exe"), "Bob gpj.exe")
    assert.strictEqual(name("A\nB\t C\u200b"), "A B C")
    assert.strictEqual([...name("🦊".repeat(100))!].length, 40)
  })

  it("leaves what other programs keep there, and fits into 128 bytes or is refused", () => {
    const before = blob(`{"n":"Old","x":1}`)
    assert.deepStrictEqual(Profile.withName("New", before), blob(`{"n":"New","x":1}`))
    assert.deepStrictEqual(Profile.withName("", before), blob(`{"x":1}`))
    assert.deepStrictEqual(Profile.withName("", blob(`{"n":"Old"}`)), new Uint8Array())
    const bytesOfN = Bytes.textLength(`{"n":""}`)
    const widest = (128 - bytesOfN) / 4
    assert.strictEqual(Profile.withName("🦊".repeat(widest))!.length, 128)
    assert.isUndefined(Profile.withName("🦊".repeat(widest + 1)))
  })
})

describe("links", () => {
  const hrefs = (text: string) => Links.segments(text).flatMap(({ href }) => href ?? [])

  it("are addresses of http and https, and nothing else", () => {
    assert.deepStrictEqual(hrefs("see https://example.org/a?b=1#c and http://10.0.0.1:4280"), [
      "https://example.org/a?b=1#c",
      "http://10.0.0.1:4280/"
    ])
    for (
      const text of [
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://example.org",
        "https://",
        "xhttps://example.org",
        "http//example.org",
        "file:///etc/passwd"
      ]
    ) assert.deepStrictEqual(hrefs(text), [], text)
  })

  it("end where the sentence goes on", () => {
    for (
      const [text, href] of [
        ["(https://example.org/a)", "https://example.org/a"],
        ["https://example.org/a_(b).", "https://example.org/a_(b)"],
        ["https://example.org/a, or", "https://example.org/a"],
        [`"https://example.org/a"`, "https://example.org/a"],
        ["<https://example.org/a>", "https://example.org/a"],
        ["https://example.org/a!?", "https://example.org/a"]
      ] as const
    ) assert.deepStrictEqual(hrefs(text), [href], text)
  })

  it("leave the text as it was, whatever it is", () => {
    for (
      const text of [
        "",
        "<b>no</b> https://a.example <img src=x onerror=alert(1)>",
        "https://a.example https://b.example",
        // a message of the largest size must not hold up the page
        `https://a.example${")".repeat(30_000)}`,
        "🦊 https://a.example/🦊 🦊"
      ]
    ) assert.strictEqual(Links.segments(text).map(({ text }) => text).join(""), text)
  })
})

describe("marks", () => {
  it("are the same for one id, and differ between most", () => {
    const ids = Array.from({ length: 200 }, (_, at) => (0x1357_9bdf * (at + 1) >>> 0).toString(16).padStart(40, "0"))
    const drawn = new Set(ids.map((id) => JSON.stringify(markOf(id.slice().split("").reverse().join("")))))
    assert.isAbove(drawn.size, 150)
    assert.strictEqual(markOf("ab".repeat(20)), markOf("ab".repeat(20)))
  })
})
