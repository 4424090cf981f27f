/**
 * The package as others get it: `npm pack` into a tarball, unpacked into an empty project where nothing can be imported
 * but what the package names as its dependencies. The README's embedding example type-checks there and runs.
 *
 * Dependencies are links to this checkout's own, each package seeing its direct ones only, as a strict installer would
 * lay them out: no network is needed, and an import that package.json does not name fails.
 */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import {
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { builtinModules } from "node:module"
import { homedir, tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { afterAll } from "vitest"
import { call, dm, send, user } from "../http/fixture.ts"

const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "")
const project = mkdtempSync(join(tmpdir(), "p2p-mes-package-"))
const unpacked = join(project, "node_modules", "p2p-mes")
const slow = 240_000

interface Manifest {
  readonly dependencies: { readonly [name: string]: string }
  readonly exports: { readonly [path: string]: string | { readonly types: string; readonly default: string } }
  readonly bin: { readonly [name: string]: string }
}
const manifest = (): Manifest => JSON.parse(readFileSync(join(unpacked, "package.json"), "utf8")) as Manifest

const link = (name: string, into: string): void => {
  const path = join(into, "node_modules", name)
  mkdirSync(dirname(path), { recursive: true })
  symlinkSync(join(root, "node_modules", name), path)
}

/** Files of the package, as paths inside it. */
const files = (): ReadonlyArray<string> =>
  globSync("**/*", { cwd: unpacked, exclude: ["node_modules"] })
    .filter((path) => statSync(join(unpacked, path)).isFile())
    .sort()

const embedding = (): string | undefined =>
  /<!-- embed -->\s*```ts\n([\s\S]*?)```/.exec(readFileSync(join(root, "README.md"), "utf8"))?.[1]

/** Each subpath gives what it promises; a wrong use shows that types came along and are not `any`. */
const subpaths = `import { Layer } from "effect"
import * as P2pMes from "p2p-mes"
import { InvalidRequest, NodeApi } from "p2p-mes/api"
import { Chat, NodeClient, Signer } from "p2p-mes/client"
import { layerMemory, TestNode } from "p2p-mes/testing"

// @ts-expect-error a key is bytes
export const wrong = () => Signer.fromPrivateKey(42)
// @ts-expect-error a node needs a directory
export const directory = () => P2pMes.layerServices({})
const store: Layer.Layer<P2pMes.Store, never, P2pMes.Hashing> = layerMemory
const made = [store, P2pMes.layer, NodeApi, InvalidRequest, Chat.dm, NodeClient.make, Signer.fromPrivateKey, TestNode.layerServices]
console.log(made.filter((each) => each === undefined).length, Object.keys(NodeApi.groups).length > 0)
`

const tsconfig = {
  compilerOptions: {
    target: "esnext",
    lib: ["esnext", "dom"],
    module: "nodenext",
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    types: ["node"],
    // declarations are part of what is shipped
    skipLibCheck: false
  },
  include: ["*.ts"]
}

const run = (file: string, args: ReadonlyArray<string>, cwd: string): string =>
  execFileSync(file, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], timeout: slow })

beforeAll(() => {
  run("npm", ["pack", "--pack-destination", project], root)
  const tarball = readdirSync(project).find((name) => name.endsWith(".tgz"))
  assert.isDefined(tarball)
  mkdirSync(unpacked, { recursive: true })
  run("tar", ["-xzf", join(project, tarball!), "-C", unpacked, "--strip-components=1"], project)
  for (const name of Object.keys(manifest().dependencies)) link(name, unpacked)
  // what the app itself imports, and what its author needs to check types
  for (const name of ["effect", "@effect/platform-node", "@types/node"]) link(name, project)
  writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }))
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify(tsconfig))
  writeFileSync(join(project, "app.ts"), embedding() ?? "")
  writeFileSync(join(project, "subpaths.ts"), subpaths)
}, slow)

afterAll(() => rmSync(project, { recursive: true, force: true }))

/** Modules that a file imports by name; comments are not code. */
const imported = (source: string): ReadonlyArray<string> => {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/^\s*\/\/.*$/gm, "")
  return [...code.matchAll(/(?<!["'])(?:\bfrom|\bimport|\brequire)\s*\(?\s*["']([^"'.\n][^"'\n]*)["']/g)].map((found) =>
    found[1]!
  )
}

const packageOf = (specifier: string): string =>
  specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/")

describe("the package", () => {
  it("imports nothing that its dependencies do not name", () => {
    const { dependencies } = manifest()
    const missing = new Set<string>()
    let found = 0
    // bundles have their dependencies inside: that the program runs is the last test here
    const isBundle = (path: string) => /^dist\/(program|web)\//.test(path)
    for (const file of files().filter((path) => /\.(m?js|d\.ts)$/.test(path) && !isBundle(path))) {
      for (const specifier of imported(readFileSync(join(unpacked, file), "utf8"))) {
        found++
        if (specifier.startsWith("node:") || builtinModules.includes(specifier)) continue
        if (!Object.hasOwn(dependencies, packageOf(specifier))) missing.add(`${specifier} in ${file}`)
      }
    }
    assert.isAbove(found, 100)
    assert.deepStrictEqual([...missing], [])
  })

  it("holds what it runs on, and no tests, sources, data or keys", () => {
    const shipped = files()
    const known = [
      /^dist\/.*\.(js|d\.ts)$/,
      /^dist\/program\/LICENSES\.txt$/,
      /^dist\/web\/((index|status)\.html|licences\.txt|assets\/[\w-]+\.(css|js|svg))(\.br|\.gz)?$/,
      /^(bin\/p2p-mes\.mjs|package\.json|README\.md|CHANGELOG\.md|LICENSE)$/
    ]
    const strange = shipped.filter((path) =>
      !known.some((pattern) => pattern.test(path)) ||
      (/(^|[./-])(tests?|spec|bench|fixture)[./-]/.test(path) && !path.startsWith("dist/cli/commands/bench."))
    )
    assert.deepStrictEqual(strange, [])
    for (
      const needed of [
        "LICENSE",
        "dist/main.js",
        "dist/program/LICENSES.txt",
        "dist/program/main.js",
        "dist/web/index.html",
        "dist/web/status.html",
        "dist/program/database.worker.js",
        "dist/program/sim-run.worker.js",
        "dist/program/verify.worker.js",
        "dist/layers/crypto/verify.worker.js",
        "dist/layers/store/database.worker.js",
        "dist/cli/sim-run.worker.js"
      ]
    ) {
      assert.include(shipped, needed)
    }
    const { bin, exports } = manifest()
    const promised = [
      ...Object.values(bin),
      ...Object.values(exports).flatMap((each) => typeof each === "string" ? [each] : Object.values(each))
    ]
    for (const path of promised) assert.include(shipped, path.replace(/^\.\//, ""))
  })

  it("tells nothing of the machine that built it", () => {
    const home = homedir()
    const machine = [root, ...(home.length > 1 ? [`${home}/`] : [])]
    const told: Array<string> = []
    for (const file of files()) {
      const text = readFileSync(join(unpacked, file), "utf8")
      for (const word of machine) if (text.includes(word)) told.push(`${file}: ${word}`)
      const secret = /-----BEGIN [A-Z ]*PRIVATE KEY-----|_authToken|^\/\/# sourceMappingURL/m.exec(text)
      if (secret !== null) told.push(`${file}: ${secret[0]}`)
    }
    assert.deepStrictEqual(told, [])
  })

  it("type-checks in an app: the README's example and every subpath, declarations included", { timeout: slow }, () => {
    assert.isDefined(embedding(), "README.md has a ts block after <!-- embed -->")
    let problems = ""
    try {
      run(join(root, "node_modules", ".bin", "tsc"), ["-p", project], project)
    } catch (error) {
      problems = String((error as { readonly stdout?: unknown }).stdout ?? error)
    }
    assert.strictEqual(problems, "")
    assert.strictEqual(run(process.execPath, ["subpaths.ts"], project), "0 true\n")
  })

  it(
    "runs the README's example: it prints where it is, answers signed calls and ends in order",
    { timeout: slow },
    async () => {
      const app = spawn(process.execPath, ["app.ts"], { cwd: project, stdio: ["ignore", "pipe", "pipe"] })
      const exit = once(app, "exit")
      const log: Array<string> = []
      app.stderr.on("data", (chunk) => log.push(String(chunk)))
      try {
        const url = await new Promise<string>((resolve, reject) => {
          createInterface(app.stdout).on("line", (line) => {
            log.push(line)
            const found = /http:\/\/127\.0\.0\.1:[0-9]+/.exec(line)
            if (found !== null) resolve(found[0])
          })
          void exit.then(([code]) => reject(new Error(`the app ended with ${code}:\n${log.join("\n")}`)))
        })
        const described = await send({ url, id: "" as never }, { method: "GET", path: "/node" })
        const node = { url, id: described.body.peer_id }
        const [alice, bob] = [user(1), user(2)]
        const sent = await call(node, alice, {
          ...dm(alice, bob, { content: "hello" }),
          headers: { Prefer: "wait=10" }
        })
        assert.strictEqual(sent.status, 201, JSON.stringify(sent.body))
        const page = await call(node, bob, { method: "GET", path: `/dialogs/0x${alice.address}/messages` })
        assert.deepStrictEqual(page.body.messages.map((each: { msg_id: string }) => each.msg_id), [sent.body.msg_id])
        const own = await send(node, { method: "GET", path: "/hello" })
        assert.strictEqual(own.status, 200)
      } finally {
        app.kill("SIGTERM")
        await exit
      }
      // how NodeRuntime tells that it was interrupted; an app killed by the signal has no exit code
      assert.strictEqual(app.exitCode, 130, log.join("\n"))
      // the log of an SQLite database is gone when it was closed
      const data = readdirSync(join(project, "app-data"))
      assert.isAbove(data.length, 0)
      assert.deepStrictEqual(data.filter((name) => name.endsWith("-wal")), [])
    }
  )

  it("brings a command line", { timeout: slow }, () => {
    const help = run(process.execPath, [join(unpacked, manifest().bin["p2p-mes"]!), "--help"], project)
    for (const command of ["node", "keygen", "send", "verify"]) assert.include(help, command)
  })
})
