/**
 * The shape of the source tree, held by a test. Each rule is first shown to go red on a bad sample and to stay silent
 * on the good one beside it; then it is applied to the tree.
 */
import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import {
  deadFiles,
  importProblems,
  importsOf,
  leakProblems,
  lengthProblems,
  linesMax,
  nameProblems,
  seamProblems,
  type Source
} from "../scripts/architecture.ts"
import { complete, type Lock, platformOf } from "../scripts/lock.ts"

const root = new URL("..", import.meta.url)
const text = (path: string) => readFileSync(new URL(path, root), "utf8")
const files = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root })
  .toString().split("\0").filter((path) => path !== "" && existsSync(new URL(path, root)))
const sources = (...folders: ReadonlyArray<string>): ReadonlyArray<Source> =>
  files.filter((path) => /\.tsx?$/.test(path) && folders.some((folder) => path.startsWith(`${folder}/`)))
    .map((path) => ({ path, text: text(path) }))
const src = sources("src")

const none = (problems: ReadonlyArray<string>) => assert.deepStrictEqual(problems, [])
const some = (problems: ReadonlyArray<string>, count = 1) =>
  assert.strictEqual(problems.length, count, problems.join("\n"))

describe("imports", () => {
  const problems = (path: string, body: string) => importProblems({ path, text: body }, () => true)

  it("finds every way to name a module, and none in comments and strings", () => {
    const body = [
      `import a from "./a.ts"`,
      `import type { B } from "./b.ts"`,
      `import {\n  c,\n  type C\n} from "./c.ts"`,
      `import "./d.ts"`,
      `export * from "./e.ts"`,
      `export { f } from "./f.ts"`,
      `export type { G } from "./g.ts"`,
      "const h = await import(`./h.ts`)",
      `type I = import("./i.ts").I`,
      `const j = new Worker(new URL("./j.worker.ts", import.meta.url))`,
      `// import "./no1.ts"`,
      `/* export * from "./no2.ts" */`,
      `const s = 'import "./no3.ts"' + \`import("./no4.ts") \${a}\` + /from "no5"/.source`,
      `const u = new URL("/health", "http://localhost")`
    ].join("\n")
    const found = importsOf({ path: "src/domain/x.ts", text: body }).map(({ specifier }) => specifier)
    assert.deepStrictEqual(found, [..."abcdefghi"].map((x) => `./${x}.ts`).concat("./j.worker.ts"))
  })

  it("go one way", () => {
    for (
      const [from, to] of [
        ["domain/a.ts", "../services/B.ts"],
        ["domain/a.ts", "../api/b.ts"],
        ["services/A.ts", "../layers/b.ts"],
        ["services/A.ts", "../api/b.ts"],
        ["api/a.ts", "../services/B.ts"],
        ["client/a.ts", "../layers/b.ts"],
        ["client/a.ts", "../services/B.ts"],
        ["layers/a/b.ts", "../../testing/c.ts"],
        ["layers/a.ts", "../client/b.ts"],
        ["testing/a.ts", "../cli/b.ts"],
        ["cli/a.ts", "../main.ts"],
        ["index.ts", "./cli/a.ts"],
        ["index.ts", "./main.ts"],
        ["domain/a.ts", "../../test/b.ts"],
        ["elsewhere/a.ts", "../domain/b.ts"]
      ] as const
    ) {
      some(problems(`src/${from}`, `import type { X } from "${to}"`))
      some(problems(`src/${from}`, `export * from "${to}"`))
    }
    for (
      const [from, to] of [
        ["domain/a/b.ts", "../c.ts"],
        ["services/A.ts", "../domain/b.ts"],
        ["api/a.ts", "../domain/b.ts"],
        ["client/a.ts", "../api/b.ts"],
        ["layers/a.ts", "../services/B.ts"],
        ["layers/a.ts", "../api/b.ts"],
        ["testing/a.ts", "../layers/b.ts"],
        ["cli/a.ts", "../client/b.ts"],
        ["main.ts", "./cli/a.ts"],
        ["index.ts", "./testing/index.ts"]
      ] as const
    ) none(problems(`src/${from}`, `import { x } from "${to}"`))
  })

  it("name a file that exists, by a relative path that can be read", () => {
    some(importProblems({ path: "src/domain/a.ts", text: `import "./gone.ts"` }, () => false))
    some(problems("src/domain/a.ts", "await import(somewhere)"))
    some(problems("src/domain/a.ts", `import "p2p-mes/api"`))
  })

  it("leave node: to layers, cli and main", () => {
    for (const zone of ["domain", "services", "api", "client", "testing", "web"]) {
      for (const module of ["node:fs", "fs", "node:crypto", "fs/promises"]) {
        some(problems(`src/${zone}/a.ts`, `import { x } from "${module}"`))
      }
    }
    for (const zone of ["layers", "cli"]) none(problems(`src/${zone}/a.ts`, `import { x } from "node:fs"`))
    none(problems("src/main.ts", `import "node:process"`))
    some(problems("src/client/a.ts", `import { NodeRuntime } from "@effect/platform-node"`))
    none(problems("src/client/a.ts", `import { Effect } from "effect"`))
  })

  it("of this tree", () =>
    none(src.flatMap((source) => importProblems(source, (path) => existsSync(new URL(path, root))))))
})

describe("seams", () => {
  const problems = (body: string, path = "src/domain/a.ts") => seamProblems({ path, text: body })

  it("goes red on clocks, timers, chance and the process", () => {
    for (
      const body of [
        "const t = Date.now()",
        `const t = Date["now"]()`,
        "const t = new Date()",
        "const t = new Date",
        "const t = Date()",
        "const { now } = Date",
        "const clock = { time: Date }",
        "const t = performance.now()",
        "setTimeout(() => {}, 1)",
        "const later = setInterval",
        "const f = () => setImmediate(() => {})",
        "queueMicrotask(() => {})",
        "const s = AbortSignal.timeout(5)",
        "const x = Math.random()",
        "const { random } = Math",
        "const x = crypto.randomUUID()",
        "const x = crypto.getRandomValues(new Uint8Array(1))",
        "const x = globalThis.crypto.subtle",
        "const x = globalThis.Date.now()",
        `const x = globalThis["setTimeout"]`,
        "const g = globalThis",
        "const e = process.env.HOME",
        "const o = { process }",
        "const x = [...Array(3)].map(Math.random)",
        "const x = `${Date.now()}`",
        "const x = (Date as any).now()",
        "class A { x = Math.random() }",
        "const f = (t = Date.now()) => t"
      ]
    ) some(problems(body))
  })

  it("holds for the client too, and lets the outer zones be", () => {
    for (const zone of ["domain", "services", "api", "client", "testing"])
      some(problems("Date.now()", `src/${zone}/a.ts`))
    some(problems("Date.now()", "src/index.ts"))
    for (const path of ["layers/a.ts", "cli/a.ts", "main.ts"])
      none(problems("Date.now(); process.exit()", `src/${path}`))
  })

  it("stays silent on comments, strings, types and names that only look alike", () => {
    none(problems([
      "// Date.now() and setTimeout",
      "/** Math.random() */",
      `const s = "Date.now()" + 'process.env' + /crypto\\./.source`,
      "const d = new Date(0), n = Math.floor(1.5), u = Date.UTC(2020, 1), b = d instanceof Date",
      "const o = { process: 1, crypto() {}, now: clock.now() }",
      "interface P { readonly process: Date; readonly setTimeout: typeof setTimeout }",
      "const f = (process: number) => process + 1",
      "const x = a.performance.now + globalThis.structuredClone(1)",
      `import { crypto } from "./crypto.ts"`,
      "const c = crypto.sign()"
    ].join("\n")))
  })

  it("of this tree", () => none(src.flatMap(seamProblems)))
})

describe("files", () => {
  it(`have at most ${linesMax} lines`, () => {
    const lines = (count: number) => ({ path: "src/a.ts", text: "x\n".repeat(count) })
    none(lengthProblems(lines(linesMax)))
    some(lengthProblems(lines(linesMax + 1)))
    none(sources("src", "test", "bench").flatMap(lengthProblems))
  })

  it("are named after what they are about", () => {
    for (
      const path of ["src/utils/a.ts", "src/domain/helpers.ts", "test/common/b.ts", "src/Util.ts", "a/helper.test.ts"]
    ) {
      some(nameProblems(path))
    }
    none(nameProblems("src/domain/commonwealth.ts"))
    none(files.flatMap(nameProblems))
  })

  it("of src are reached from an entry or a worker URL", () => {
    const tree = [
      { path: "src/main.ts", text: `import "./cli/a.ts"` },
      { path: "src/cli/a.ts", text: `new Worker(new URL("./b.worker.ts", import.meta.url))` },
      { path: "src/cli/b.worker.ts", text: `import type { C } from "../domain/c.ts"` },
      { path: "src/domain/c.ts", text: `// import "./dead.ts"` },
      { path: "src/domain/dead.ts", text: `import "./c.ts"` }
    ]
    assert.deepStrictEqual(deadFiles(tree), ["src/domain/dead.ts: no entry leads here"])
    none(deadFiles(tree.slice(0, -1)))
    none(deadFiles(src))
  })
})

describe("what is committed", () => {
  const registry = URL.parse(process.env["npm_config_registry"] ?? "")?.hostname ?? ""

  it("names no machine and no registry", () => {
    const slash = "/"
    const bad = (line: string) => some(leakProblems({ path: "a", text: line }, ["mirror.example"]))
    bad(`see ${slash}work/main/src`)
    bad(`"${slash}root/.npmrc"`)
    bad(["registry", "npmjs", "org"].join("."))
    bad(`npm_config_${"registry"}=https://somewhere`)
    bad("https://mirror.example/npm")
    bad(`//host/${":_"}authToken=x`)
    none(
      leakProblems({
        path: "a",
        text: `https://example.org/${"work"}/1 ./${"work"}/x src/root/a the registry of names`
      }, [])
    )
    // A host without a dot, or this machine, tells nothing about where packages come from.
    const hosts = registry.includes(".") && !/^[\d.]+$/.test(registry) ? [registry] : []
    none(
      files.filter((path) => !/\.(wasm|png|ico|gz|zst|bin)$/.test(path))
        .flatMap((path) => leakProblems({ path, text: text(path) }, hosts))
    )
  })

  it("has a lock without addresses", () => {
    const lock = JSON.parse(text("package-lock.json")) as Lock
    const resolved = (it: Lock) => Object.entries(it.packages).filter(([, entry]) => entry.resolved !== undefined)
    some(resolved({ packages: { "node_modules/a": { resolved: "https://somewhere/a.tgz" } } }).map(([path]) => path))
    none(resolved(lock).map(([path]) => path))
  })

  it("has a lock that names the packages of every platform (npm ci refuses it otherwise)", () => {
    const optional = { "@a/b-linux-x64-musl": "1.0.0", "@a/b-darwin-arm64": "1.0.0", other: "1.0.0" }
    const known = { version: "1.0.0", integrity: "sha512-x", optional: true }
    const sample: Lock = {
      packages: {
        "node_modules/b": { version: "1.0.0", dev: true, resolved: "https://x/b.tgz", optionalDependencies: optional },
        "node_modules/@a/b-darwin-arm64": known
      }
    }
    assert.deepStrictEqual(complete(sample).packages, {
      "node_modules/@a/b-darwin-arm64": known,
      "node_modules/@a/b-linux-x64-musl": {
        version: "1.0.0",
        cpu: ["x64"],
        dev: true,
        libc: ["musl"],
        optional: true,
        os: ["linux"]
      },
      "node_modules/b": { version: "1.0.0", dev: true, optionalDependencies: optional }
    })
    assert.deepStrictEqual(platformOf("@oxlint/binding-linux-arm-gnueabihf"), {
      cpu: ["arm"],
      libc: ["glibc"],
      os: ["linux"]
    })
    assert.deepStrictEqual(platformOf("fsevents"), {})
    const lock = JSON.parse(text("package-lock.json")) as Lock
    const missing = Object.keys(complete(lock).packages).filter((path) => lock.packages[path] === undefined)
    assert.deepStrictEqual(missing, [], "run node scripts/lock.ts")
  })
})
