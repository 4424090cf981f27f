/** JSON without repeated keys, against a reader of this file's own that follows RFC 8259 letter by letter. */
import * as StrictJson from "../../../src/layers/http/strict-json.ts"
import { must, shapeOf, sizeShape, type Target } from "../target.ts"
import { jsonMutators, surrogate, textOf } from "../text.ts"

const depthMax = 64

/** What is wrong with a text: no JSON at all, a key twice, too deep; or nothing. The first that is met counts. */
type Verdict = "syntax" | "twice" | "deep" | undefined

class Reader {
  private readonly text: string
  private at = 0
  twice = false
  deep = false
  /** Values of any kind, for the shape of the outcome. */
  count = 0

  constructor(text: string) {
    this.text = text
  }

  whole(): boolean {
    this.space()
    return this.value(0) && (this.space(), this.at === this.text.length)
  }

  private space(): void {
    while (" \n\r\t".includes(this.text[this.at] ?? "x")) this.at++
  }

  private take(word: string): boolean {
    if (!this.text.startsWith(word, this.at)) return false
    this.at += word.length
    return true
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at
    const found = pattern.exec(this.text)?.[0]
    this.at += found?.length ?? 0
    return found
  }

  private value(depth: number): boolean {
    this.count++
    const first = this.text[this.at]
    if (first === "{" || first === "[") {
      if (depth >= depthMax) this.deep = true
      // deeper than this file's own stack need go: no JSON that is to be accepted
      if (depth > 3_000) return false
      return first === "{" ? this.object(depth + 1) : this.array(depth + 1)
    }
    if (first === "\"") return this.string() !== undefined
    if (this.take("true") || this.take("false") || this.take("null")) return true
    return this.match(/-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y) !== undefined
  }

  private string(): string | undefined {
    // oxlint-disable-next-line no-control-regex -- control characters are what a string must not hold
    const raw = this.match(/"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"/y)
    return raw?.slice(1, -1).replace(
      /\\u([0-9a-fA-F]{4})|\\(.)/g,
      (_, code?: string, plain?: string) =>
        code === undefined
          ? ({ b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" } as { readonly [key: string]: string })[plain!] ?? plain!
          : String.fromCharCode(Number.parseInt(code, 16))
    )
  }

  private array(depth: number): boolean {
    this.at++
    this.space()
    if (this.take("]")) return true
    for (;;) {
      if (!this.value(depth)) return false
      this.space()
      if (this.take("]")) return true
      if (!this.take(",")) return false
      this.space()
    }
  }

  private object(depth: number): boolean {
    const keys = new Set<string>()
    this.at++
    this.space()
    if (this.take("}")) return true
    for (;;) {
      const key = this.string()
      if (key === undefined) return false
      if (keys.has(key)) this.twice = true
      keys.add(key)
      this.space()
      if (!this.take(":")) return false
      this.space()
      if (!this.value(depth)) return false
      this.space()
      if (this.take("}")) return true
      if (!this.take(",")) return false
      this.space()
    }
  }
}

const verdictOf = (reader: Reader): Verdict =>
  !reader.whole() ? "syntax" : reader.deep ? "deep" : reader.twice ? "twice" : undefined

const samples = [
  `{"content":"h\\u00e9llo","msg_type":7,"control":"AQID"}`,
  `{"op":"add","targets":["0x11","0x22"],"role":"admin"}`,
  `{"a":{"b":[1,-2.5e3,true,false,null,{}]},"c":[]}`,
  `{"identity":""}`,
  ` [ "\\"a\\":1" , {"a":1,"b":2} ] `,
  `{"__proto__":{"x":1},"constructor":1}`,
  `"\\ud83d\\ude00"`,
  "0",
  "[".repeat(64) + "]".repeat(64)
]

export const jsonWith = (problemOf: typeof StrictJson.problemOf): Target => ({
  name: "json",
  bytesMax: 64 * 1024,
  mutators: [...jsonMutators, surrogate],
  seeds: samples.map((text) => new TextEncoder().encode(text)),
  shortCases: 3_000,
  run: (input) => {
    const text = textOf(input)
    const problem = problemOf(text)
    const reader = new Reader(text)
    const verdict = verdictOf(reader)
    // nesting may be what ends the platform's reader first
    must(
      (problem === undefined) === (verdict === undefined),
      `readers disagree: ${String(problem)} against ${String(verdict)}`
    )
    if (verdict === "deep") must(/deep|twice|stack/i.test(problem!), `another reason: ${problem}`)
    if (verdict === "twice") must(/stands twice/.test(problem!), `another reason: ${problem}`)
    // the platform shows the text around; its first words tell where it stopped
    if (problem !== undefined) return `${verdict} ${shapeOf(problem).split(/[,…]/)[0]}`
    const value: unknown = JSON.parse(text)
    const written = JSON.stringify(value)
    must(problemOf(written) === undefined, "what was read cannot be written and read again")
    must(JSON.stringify(JSON.parse(written)) === written, "it is not the same when read again")
    return `ok ${sizeShape(reader.count)} ${typeof value} ${text.includes("\\") ? "escapes" : ""}`
  }
})

export const json = jsonWith(StrictJson.problemOf)
