/**
 * What pages show of programs and of the wire is what programs are and what the wire is: quoted examples equal their files,
 * examples type-check as users of the package would write them, and the stream of events in the protocol decodes.
 */
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { execFileSync } from "node:child_process"
import { existsSync, globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { type EventName, eventSchemas } from "../../src/api/events.ts"
import { quotedFiles, quoteProblems } from "./quotes.ts"

const root = join(import.meta.dirname, "..", "..")
const read = (path: string): string => readFileSync(join(root, path), "utf8")
const readIfThere = (path: string): string | undefined => existsSync(join(root, path)) ? read(path) : undefined

describe("quoted examples", () => {
  const guide = read("docs/client-guide.md")

  it("are in the client guide as they are in their files, all of them", () => {
    assert.deepStrictEqual(quoteProblems(guide, readIfThere), [])
    const programs = globSync("examples/*/*.*", { cwd: root }).sort()
    assert.isAtLeast(programs.length, 4)
    assert.deepStrictEqual(quotedFiles(guide), programs)
  })

  it("go red on another text, a part left out, and a file that is not there", () => {
    const page = (...blocks: ReadonlyArray<string>) =>
      blocks.map((code) => `text\n\n<!-- examples/a.py -->\n\n\`\`\`python\n${code}\n\`\`\`\n`).join("\n")
    const problems = (text: string) => quoteProblems(text, (path) => path === "examples/a.py" ? file : undefined)
    const [a, b] = ["def a():\n    pass", "def b():\n    return 1"]
    const file = `${a}\n\n\n${b}\n`
    assert.deepStrictEqual(problems(page(a, b)), [])
    assert.deepStrictEqual(problems(page(file.trim())), [])
    for (
      const wrong of [
        page(a),
        page(b),
        page(b, a),
        page(a, b, a),
        page(a, b.replace("1", "2")),
        page(a, b.slice(0, -1))
      ]
    ) {
      assert.strictEqual(problems(wrong).length, 1, wrong)
    }
    assert.strictEqual(problems(page(a, b).replaceAll("a.py", "c.py")).length, 1)
  })
})

describe("examples in TypeScript", () => {
  it("type-check", () => {
    execFileSync(join(root, "node_modules", ".bin", "tsc"), ["-p", "examples"], {
      cwd: root,
      stdio: "inherit",
      timeout: 60_000
    })
  }, 60_000)
})

describe("the protocol's stream of events", () => {
  const shown = /decodes it -->\n+```\n([\s\S]*?)```/.exec(read("docs/protocol.md"))![1]!
  const vectors = JSON.parse(read("test/vectors/shared.json")) as {
    readonly messages: ReadonlyArray<{ readonly msg_id: string }>
    readonly op: { readonly op_id: string }
  }

  /** The name of each event, or what is wrong with it. */
  const decode = (stream: string): ReadonlyArray<string> =>
    stream.split("\n\n").filter((block) => block !== "").flatMap((block) => {
      const fields = new Map(block.split("\n").map((line) => line.split(/: (.*)/, 2) as [string, string]))
      if (!/^[0-9a-f]{16}-[1-9][0-9]*$/.test(fields.get("id") ?? "")) return [`no id: ${block}`]
      const name = fields.get("event") as EventName | undefined
      if (name === undefined) return fields.has("data") ? [`data without a name: ${block}`] : []
      const schema: Schema.Codec<unknown, unknown> = eventSchemas[name]
      const data = Schema.decodeUnknownResult(schema, { onExcessProperty: "error" })(JSON.parse(fields.get("data")!))
      return [Result.isSuccess(data) ? name : String(data.failure)]
    })

  it("decodes, and has the ids of the vectors", () => {
    assert.deepStrictEqual(decode(shown), ["message", "membership", "read"])
    assert.include(shown, vectors.messages[0]!.msg_id)
    assert.include(shown, vectors.op.op_id)
  })

  it("goes red on another key, a bad id and data without a name", () => {
    const good = decode(shown)
    for (
      const [from, to] of [["\"reader\"", "\"who\""], ["b784-42", "b784"], ["event: read\n", ""], ["dm", "xy"]] as const
    ) {
      assert.notDeepEqual(decode(shown.replace(from, to)), good, from)
    }
  })
})
