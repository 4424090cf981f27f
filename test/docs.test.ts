/**
 * The pages against the tree: what they link to, name and count must be there. Each rule is a function from text to
 * problems and is also shown to go red on a bad sample. That the README's app runs is proven elsewhere; here only what can
 * be read off.
 */
import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { posix } from "node:path"
import { leakProblems } from "../scripts/architecture.ts"

const root = new URL("../", import.meta.url)
const exists = (path: string): boolean => existsSync(new URL(path, root))
const read = (path: string): string => readFileSync(new URL(path, root), "utf8")

const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "-z"], { cwd: root, maxBuffer: 1e8 })
  .toString().split("\0").filter((path) => path !== "" && exists(path))
const pages = files.filter((path) => path.endsWith(".md"))
const sources = files.filter((path) => /^src\/.*\.ts$/.test(path))
const texts = new Map([...pages, ...sources].map((path) => [path, read(path)]))
const textOf = (path: string): string => texts.get(path) ?? read(path)
const allOf = (text: string, pattern: RegExp): ReadonlyArray<string> =>
  [...text.matchAll(pattern)].map((match) => match[1]!)

const none = (problems: ReadonlyArray<string>) => assert.deepStrictEqual(problems, [])
/** Guards against a rule that finds nothing because it looks at nothing. */
const atLeast = (count: number, found: ReadonlyArray<unknown>) =>
  assert.isAtLeast(found.length, count, "too few: does the rule still see them?")

const withoutFences = (text: string): string => text.replace(/^[ \t]*(```|~~~)[\s\S]*?^[ \t]*\1[ \t]*$/gm, "")
const fences = (text: string): string =>
  [...text.matchAll(/^```\w*\n([\s\S]*?)^```$/gm)].map((match) => match[1]).join("\n")
const inlineCode = (text: string): ReadonlyArray<string> => allOf(withoutFences(text), /`([^`\n]+)`/g)

/** Anchors as GitHub makes them from headings; a repeated heading gets a number. */
const anchorsOf = (text: string): ReadonlySet<string> => {
  const seen = new Map<string, number>()
  return new Set(
    allOf(withoutFences(text), /^#{1,6}[ \t]+(.+?)[ \t]*#*$/gm).map((heading) => {
      const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase()
      const slug = plain.replace(/[^\p{L}\p{N}\p{M}_\- ]/gu, "").replaceAll(" ", "-")
      const times = seen.get(slug) ?? 0
      seen.set(slug, times + 1)
      return times === 0 ? slug : `${slug}-${times}`
    })
  )
}

const linksOf = (text: string): ReadonlyArray<string> =>
  allOf(withoutFences(text).replace(/`[^`\n]*`/g, "code"), /\]\(([^()\s]+)(?:\s+"[^"]*")?\)/g)
    .concat(allOf(withoutFences(text), /^\[[^\]]+\]:\s+(\S+)/gm))

const linkProblems = (path: string, text: string): ReadonlyArray<string> =>
  linksOf(text).filter((link) => !/^(https?|mailto):/.test(link)).flatMap((link) => {
    const [file = "", anchor] = link.split("#")
    if (file.startsWith("/")) return [`${path}: ${link} is not relative`]
    const target = file === "" ? path : posix.join(posix.dirname(path), file)
    if (target !== path && (target.startsWith("..") || !exists(target))) return [`${path}: ${link} leads nowhere`]
    if (anchor === undefined) return []
    return anchorsOf(target === path ? text : textOf(target)).has(anchor)
      ? []
      : [`${path}: ${link} has no such heading`]
  })

/** Files of this project that a page names as code. */
const pathProblems = (path: string, text: string): ReadonlyArray<string> =>
  [...inlineCode(text), ...fences(text).split(/\s+/)]
    .filter((code) =>
      /^(src|test|scripts|bench|docs|bin|examples)\/[\w./-]+\.(tsx?|mjs|md|json|py|sh|html)$/.test(code)
    )
    .filter((code) => !exists(code) && !exists(posix.join(posix.dirname(path), code)))
    .map((code) => `${path}: there is no ${code}`)

const scripts = Object.keys((JSON.parse(read("package.json")) as { scripts: Record<string, string> }).scripts)
const own = ["test", "start"]

const scriptNames = (text: string): ReadonlyArray<string> => {
  const code = [...inlineCode(text), fences(text)].join("\n")
  return [...allOf(code, /\bnpm run ([\w:-]+)/g), ...allOf(code, /\bnpm (test|start)\b/g)]
}
const scriptProblems = (path: string, text: string): ReadonlyArray<string> =>
  scriptNames(text).filter((name) => !scripts.includes(name)).map((name) => `${path}: there is no npm script ${name}`)

const cli = sources.filter((path) => path.startsWith("src/cli/")).map(textOf).join("\n")
const commands = new Set(allOf(cli, /Command\.make\(\s*"([a-z-]+)"/g))
const options = new Set([
  ...allOf(cli, /\bname: "([a-z-]+)"/g),
  ...allOf(cli, /\b(?:toggle|limit)\("([a-z-]+)"/g),
  "completions",
  "config",
  "help",
  "version"
])
const callsOf = (text: string): ReadonlyArray<string> =>
  [...inlineCode(text), ...fences(text).split("\n")].map((line) => line.trim().replace(/#.*$/, ""))
    .filter((line) => line.startsWith("npx p2p-mes"))
const commandProblems = (path: string, text: string): ReadonlyArray<string> =>
  callsOf(text).flatMap((call) => {
    const [word = ""] = call.replace("npx p2p-mes", "").trim().split(/\s+/)
    const unknown = allOf(call, /\s--([a-z][a-z-]*)/g).filter((option) => !options.has(option))
    return [
      ...(/^[a-z]/.test(word) && !commands.has(word) ? [`${path}: there is no command ${word}`] : []),
      ...unknown.map((option) => `${path}: there is no option --${option}`)
    ]
  })

const metricsIn = (text: string): ReadonlySet<string> =>
  new Set(allOf(text, /\b(?:Metric\.)?(?:counter|gauge|histogram|summary|frequency|timer)\(\s*"([a-z0-9_]+)"/g))
const metricsNamed = (text: string): ReadonlySet<string> => new Set(allOf(text, /\b(p2p_mes_[a-z0-9_]+)/g))
const metricProblems = (source: string, page: string): ReadonlyArray<string> => {
  const [made, named] = [metricsIn(source), metricsNamed(page)]
  return [
    ...[...made].filter((name) => !named.has(name)).map((name) => `${name} is not documented`),
    ...[...named].filter((name) => !made.has(name)).map((name) => `${name} does not exist`)
  ]
}

const linesMax = 25
const decisionProblems = (decisions: ReadonlyArray<readonly [name: string, text: string]>): ReadonlyArray<string> =>
  decisions.toSorted(([a], [b]) => a < b ? -1 : 1).flatMap(([name, text], index) => {
    const number = index + 1
    const problems: Array<string> = []
    if (!new RegExp(`^${String(number).padStart(4, "0")}-[a-z0-9-]+\\.md$`).test(name)) {
      problems.push(`${name}: number ${number} is next`)
    }
    if (!text.startsWith(`# ${Number(name.slice(0, 4))}. `)) problems.push(`${name}: begins with its number and title`)
    for (const part of ["Context", "Decision", "Consequences"]) {
      if (!text.includes(`**${part}.**`)) problems.push(`${name}: no ${part}`)
    }
    if (text.trimEnd().split("\n").length > linesMax) problems.push(`${name}: more than ${linesMax} lines`)
    return problems
  })

const homes = [/(?<![\w.])\/(?:home|Users)\/\w/, /\b[A-Z]:\\/, /(?<![\w.])\/tmp\//]
const machineProblems = (path: string, text: string): ReadonlyArray<string> => [
  ...leakProblems({ path, text }, []),
  ...text.split("\n").filter((line) => homes.some((home) => home.test(line))).map((line) => `${path}: ${line}`)
]

const ofPages = (rule: (path: string, text: string) => ReadonlyArray<string>): ReadonlyArray<string> =>
  pages.flatMap((path) => rule(path, textOf(path)))

describe("pages", () => {
  it("link to files and headings that exist", () => {
    atLeast(20, pages)
    atLeast(50, pages.flatMap((path) => linksOf(textOf(path))))
    none(ofPages(linkProblems))
  })

  it("goes red on links that lead nowhere", () => {
    const page = "# One two\n\n## One `two`, again!\n\n## One two\n"
    const problems = (link: string) => linkProblems("docs/x.md", `${page}[text](${link})\n`)
    for (
      const link of [
        "../README.md",
        "#one-two",
        "#one-two-again",
        "#one-two-1",
        "https://a.example/b",
        "operating.md#backup"
      ]
    ) {
      none(problems(link))
    }
    for (
      const link of [
        "gone.md",
        "#one-three",
        "#one-two-2",
        "/README.md",
        "../../README.md",
        "operating.md#gone",
        "../README.md#gone"
      ]
    ) {
      assert.strictEqual(problems(link).length, 1, link)
    }
    none(linkProblems("docs/x.md", "```md\n[text](gone.md)\n```\nand `[text](gone.md)`\n"))
  })

  it("name files, npm scripts, commands and options that exist", () => {
    atLeast(12, ofPages((_, text) => scriptNames(text)))
    atLeast(15, ofPages((_, text) => callsOf(text)))
    none([...ofPages(pathProblems), ...ofPages(scriptProblems), ...ofPages(commandProblems)])
  })

  it("goes red on names that do not exist", () => {
    const problems = (text: string) =>
      [pathProblems, scriptProblems, commandProblems].flatMap((rule) => rule("docs/x.md", text))
    none(
      problems("`npm run lint`, `npm test`, `npx p2p-mes send --key a.key 0x00 hi`, `src/main.ts`, run npm run wild")
    )
    for (
      const code of [
        "npm run wild",
        "src/gone.ts",
        "npx p2p-mes sing",
        "npx p2p-mes send --kee a.key",
        "examples/gone.py"
      ]
    ) {
      assert.strictEqual(problems(`\`${code}\``).length, 1, code)
      assert.strictEqual(problems(`\`\`\`sh\n${code}\n\`\`\`\n`).length, 1, code)
    }
  })

  it("name no machine", () => none(ofPages(machineProblems)))

  it("goes red on a path of a machine", () => {
    for (const path of ["/home/ann/x", "/Users/ann", "C:\\x", "/tmp/x", ["", "root", "x"].join("/")]) {
      assert.isAtLeast(machineProblems("x.md", `see ${path}`).length, 1, path)
    }
    none(machineProblems("x.md", "see /var/lib/p2p-mes and https://a.example/home/ann"))
  })
})

describe("README", () => {
  it("has the two commands, and an app of at most 20 lines", () => {
    const lines = fences(textOf("README.md")).split("\n")
    assert.include(lines, "npm ci && npm start")
    assert.include(lines, "npm ci && npm test")
    const app = /<!-- embed -->\s+```ts\n([\s\S]*?)^```$/m.exec(textOf("README.md"))?.[1]
    assert.isDefined(app)
    assert.isAtMost(app.trimEnd().split("\n").length, 20)
  })
})

describe("CONTRIBUTING", () => {
  it("says what each npm script does", () => {
    const named = scriptNames(textOf("CONTRIBUTING.md"))
    const silent = ["prepack"]
    none(scripts.filter((name) => !named.includes(name) && !silent.includes(name)))
    assert.includeMembers(scripts, own)
  })
})

describe("metrics", () => {
  // pages show metrics, and make none
  const source = sources.filter((path) => !path.startsWith("src/web/")).map(textOf).join("\n")

  it("are those of docs/operating.md", () => {
    atLeast(10, [...metricsIn(source)])
    none(metricProblems(source, textOf("docs/operating.md")))
  })

  it("goes red on one that is missing on either side", () => {
    const [a, b] = ["Metric.gauge(\"p2p_mes_a\", {})", "Metric.counter(\n  \"p2p_mes_b\"\n)"]
    none(metricProblems(`${a}${b}`, "`p2p_mes_a` p2p_mes_b"))
    assert.strictEqual(metricProblems(`${a}${b}`, "`p2p_mes_a`").length, 1)
    assert.strictEqual(metricProblems(a, "`p2p_mes_a` `p2p_mes_b`").length, 1)
  })
})

describe("decisions", () => {
  const folder = "docs/decisions/"

  it("are numbered without gaps, and short", () => {
    const decisions = pages.filter((path) => path.startsWith(folder))
    atLeast(9, decisions)
    none(decisionProblems(decisions.map((path) => [path.slice(folder.length), textOf(path)] as const)))
  })

  it("goes red on gaps, repeats, missing parts and length", () => {
    const text = (number: number, more = "") =>
      `# ${number}. x\n\n**Context.** **Decision.** **Consequences.** ${more}\n`
    none(decisionProblems([["0001-a.md", text(1)], ["0002-b.md", text(2)]]))
    assert.strictEqual(decisionProblems([["0001-a.md", text(1)], ["0003-b.md", text(3)]]).length, 1)
    assert.strictEqual(decisionProblems([["0001-a.md", text(1)], ["0001-b.md", text(1)]]).length, 1)
    assert.strictEqual(decisionProblems([["0001-a.md", text(2)]]).length, 1)
    assert.strictEqual(decisionProblems([["0001-a.md", "# 1. x\n\n**Context.** **Decision.**\n"]]).length, 1)
    assert.strictEqual(decisionProblems([["0001-a.md", text(1, "\n".repeat(30) + "x")]]).length, 1)
  })
})
