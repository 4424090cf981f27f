/**
 * What `npm start` runs: the bundle of the command line, in a copy of this checkout. A bundle that is not that of the
 * sources is never run.
 */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { afterAll } from "vitest"
import { call, dm, send, user } from "../http/fixture.ts"

const root = join(import.meta.dirname, "..", "..")
const copy = mkdtempSync(join(tmpdir(), "p2p-mes-start-"))
const inCopy = (...path: ReadonlyArray<string>) => join(copy, ...path)
const program = inCopy("dist", "program", "main.js")
const slow = 240_000

const run = (...args: ReadonlyArray<string>): string =>
  execFileSync(process.execPath, args, { cwd: copy, encoding: "utf8", timeout: slow })
const version = (): string => run(inCopy("bin", "p2p-mes.mjs"), "--version")
const bundle = (): string => run(inCopy("scripts", "bundle.ts"))

beforeAll(() => {
  for (const path of ["bin", "package.json", "package-lock.json", "scripts", "src"]) {
    cpSync(join(root, path), inCopy(path), { recursive: true })
  }
  symlinkSync(join(root, "node_modules"), inCopy("node_modules"))
  bundle()
}, slow)

afterAll(() => rmSync(copy, { recursive: true, force: true }))

describe("the bundle", () => {
  it("runs a node that takes signed messages and ends in order", { timeout: slow }, async () => {
    const options = ["--data", inCopy("data"), "--http", "127.0.0.1:0", "--offline", "--json"]
    const node = spawn(process.execPath, [program, "node", ...options], { stdio: ["ignore", "pipe", "inherit"] })
    const exit = once(node, "exit")
    try {
      const lines = createInterface(node.stdout)
      const [line] = await Promise.race([
        once(lines, "line") as Promise<[string]>,
        exit.then(([code]) => Promise.reject(new Error(`the node ended with ${code}`)))
      ])
      const { api, peer_id } = JSON.parse(line) as { readonly api: string; readonly peer_id: string }
      const at = { url: api, id: peer_id as never }
      const [alice, bob] = [user(1), user(2)]
      const request = { ...dm(alice, bob, { content: "hello" }), headers: { Prefer: "wait=10" } }
      const sent = await call(at, alice, request)
      assert.strictEqual(sent.status, 201, JSON.stringify(sent.body))
      // enough at once for the threads of the verifier, and one by somebody else
      const pages = await Promise.all(
        Array.from(
          { length: 12 },
          (_, i) => call(at, bob, { method: "GET", path: `/dialogs/0x${alice.address}/messages?limit=${i + 1}` })
        )
      )
      for (const page of pages) assert.strictEqual(page.status, 200, JSON.stringify(page.body))
      const { version: told } = (await send(at, { method: "GET", path: "/node" })).body
      assert.strictEqual(told, JSON.parse(readFileSync(inCopy("package.json"), "utf8")).version)
      const docs = await send(at, { method: "GET", path: "/docs" })
      assert.strictEqual(docs.status, 200)
    } finally {
      node.kill("SIGTERM")
      await exit
    }
    assert.strictEqual(node.exitCode, 0)
  })

  it("names the licences of what is in it", () => {
    const text = readFileSync(inCopy("dist", "program", "LICENSES.txt"), "utf8")
    for (const name of ["effect", "libp2p", "@noble/curves"]) assert.match(text, new RegExp(`^${name} [0-9]`, "m"))
  })

  it("is run while it is that of the sources, and made anew only when it is not", { timeout: slow }, () => {
    assert.match(version(), /^p2p-mes v[0-9.]+\n$/)
    writeFileSync(program, `console.log("the bundle")`)
    assert.strictEqual(version(), "the bundle\n")
    bundle()
    assert.strictEqual(version(), "the bundle\n", "there was nothing to make anew")

    const source = inCopy("src", "domain", "limits.ts")
    // an older file than before is another one too
    utimesSync(source, 1_000_000_000, 1_000_000_000)
    assert.match(version(), /^p2p-mes v/, "the sources were run")
    bundle()
    assert.match(readFileSync(program, "utf8"), /^import/m, "it was made anew")
    writeFileSync(program, `console.log("the bundle")`)
    assert.strictEqual(version(), "the bundle\n")
    writeFileSync(inCopy("src", "added.ts"), "")
    assert.match(version(), /^p2p-mes v/, "the sources were run")
  })
})
