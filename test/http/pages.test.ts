/** The pages that a node serves: what of them, under which headers, and what it says when they were not built. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { HttpRouter } from "effect/http"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { brotliCompressSync, gzipSync } from "node:zlib"
import * as Pages from "../../src/layers/http/pages.ts"

const folder = mkdtempSync(join(tmpdir(), "p2p-mes-pages-"))
const script = "document.title = 1"
mkdirSync(join(folder, "assets"))
for (
  const [name, text] of [
    ["index.html", "<h1>chat</h1>"],
    ["status.html", "<h1>status</h1>"],
    ["licences.txt", "MIT"],
    ["assets/main-ABC.js", script],
    ["secret", "not a page"]
  ] as const
) {
  writeFileSync(join(folder, name), text)
  writeFileSync(join(folder, `${name}.gz`), gzipSync(text))
  writeFileSync(join(folder, `${name}.br`), brotliCompressSync(text))
}

const served = HttpRouter.toWebHandler(Pages.layerFrom(folder), { disableLogger: true })
const bare = HttpRouter.toWebHandler(Pages.layerFrom(undefined), { disableLogger: true })
afterAll(async () => {
  await Promise.all([served.dispose(), bare.dispose()])
  rmSync(folder, { recursive: true, force: true })
})

const ask = (path: string, init: RequestInit = {}, by = served) => by.handler(new Request(`http://node${path}`, init))

describe("pages", () => {
  it("are answered at their paths, asked for anew each time, and parts of them once for ever", async () => {
    for (const [path, text] of [["/", "<h1>chat</h1>"], ["/status", "<h1>status</h1>"], ["/licences.txt", "MIT"]]) {
      const answer = await ask(path!)
      assert.deepStrictEqual([answer.status, await answer.text()], [200, text], path)
      assert.strictEqual(answer.headers.get("cache-control"), "no-cache")
    }
    const asset = await ask("/assets/main-ABC.js")
    assert.strictEqual(await asset.text(), script)
    assert.strictEqual(asset.headers.get("content-type"), "text/javascript; charset=utf-8")
    assert.strictEqual(asset.headers.get("cache-control"), "public, max-age=31536000, immutable")
  })

  it("lead to nothing else, whatever the path says", async () => {
    const paths = ["/secret", "/assets/", "/assets/main-ABC.js.gz", "/index.html", "/assets/..%2fsecret", "//secret"]
    for (const path of paths) assert.strictEqual((await ask(path)).status, 404, path)
  })

  it("run scripts of this node only, in no frame, and reach nodes that are named, by plain HTTP too", async () => {
    const policy = async (path: string, by = served) =>
      new Map(
        (await ask(path, {}, by)).headers.get("content-security-policy")!.split("; ")
          .map((rule) => [rule.slice(0, rule.indexOf(" ")), rule.slice(rule.indexOf(" ") + 1)] as const)
      )
    const chat = await policy("/")
    assert.strictEqual(chat.get("default-src"), "'none'")
    for (const kind of ["script-src", "style-src", "img-src"]) assert.strictEqual(chat.get(kind), "'self'")
    for (const kind of ["base-uri", "form-action", "frame-ancestors", "trusted-types"]) {
      assert.strictEqual(chat.get(kind), "'none'")
    }
    assert.strictEqual(chat.get("connect-src"), "'self' http: https:")
    assert.strictEqual((await policy("/status")).get("connect-src"), "'self'")
    assert.strictEqual((await policy("/assets/main-ABC.js")).get("connect-src"), "'none'")
    assert.strictEqual((await policy("/", bare)).get("script-src"), "'self'")
    for (const path of ["/", "/status", "/assets/main-ABC.js"]) {
      const { headers } = await ask(path)
      assert.strictEqual(headers.get("x-content-type-options"), "nosniff")
      assert.strictEqual(headers.get("referrer-policy"), "no-referrer")
      assert.strictEqual(headers.get("cross-origin-opener-policy"), "same-origin")
      assert.match(headers.get("permissions-policy")!, /camera=\(\)/)
    }
  })

  it("come compressed as the browser takes them, each form with a tag of its own", async () => {
    const by = (encoding: string) => ask("/", { headers: { "accept-encoding": encoding } })
    const tags = new Set<string | null>()
    for (
      const [accepted, sent] of [
        ["gzip, deflate, br", "br"],
        ["gzip", "gzip"],
        ["br;q=0, GZIP;q=0.5", "gzip"],
        ["br;q=0.000, gzip;q=0", null],
        ["brotli", null]
      ] as const
    ) {
      const { headers } = await by(accepted)
      assert.strictEqual(headers.get("content-encoding"), sent, accepted)
      assert.strictEqual(headers.get("vary"), "Accept-Encoding")
      tags.add(headers.get("etag"))
    }
    assert.strictEqual(tags.size, 3)
  })

  it("are not sent again to who has them", async () => {
    const etag = (await ask("/")).headers.get("etag")!
    for (const held of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
      const answer = await ask("/", { headers: { "if-none-match": held } })
      assert.deepStrictEqual([answer.status, await answer.text(), answer.headers.get("etag")], [304, "", etag], held)
    }
    assert.strictEqual((await ask("/", { headers: { "if-none-match": `"other"` } })).status, 200)
  })

  it("answer HEAD as GET without a body, and other methods with 405", async () => {
    const head = await ask("/", { method: "HEAD" })
    assert.deepStrictEqual([head.status, head.headers.get("etag")], [200, (await ask("/")).headers.get("etag")])
    assert.strictEqual(await head.text(), "")
    for (const method of ["POST", "PUT", "DELETE"]) {
      const answer = await ask("/assets/main-ABC.js", { method })
      assert.deepStrictEqual([answer.status, answer.headers.get("allow")], [405, "GET, HEAD"])
      assert.strictEqual(((await answer.json()) as { readonly field: string }).field, "method")
    }
  })

  it("that were not built say how to build them, and are kept by nobody", async () => {
    for (const path of ["/", "/status"]) {
      const answer = await ask(path, {}, bare)
      assert.strictEqual(answer.status, 404)
      assert.strictEqual(answer.headers.get("cache-control"), "no-store")
      assert.match(await answer.text(), /node scripts\/web\.ts/)
    }
  })
})
