/**
 * The client in a browser: one bundle without node modules, at work where nothing of Node exists.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { HttpBody, HttpClientRequest } from "effect/http"
import { build } from "esbuild"
import { createContext, Script } from "node:vm"
import { gzipSync } from "node:zlib"
import * as Scripted from "./scripted-node.ts"

/** Minified and compressed: 215 kB were measured, nearly all of it Effect (schemas, HTTP, streams). */
const compressedBytesMax = 250_000

/** What every browser has, and nothing of Node. Bytes are of one realm there, so here too. */
const browser = () => ({
  ArrayBuffer,
  DataView,
  Uint8Array,
  AbortController,
  AbortSignal,
  Blob,
  FormData,
  Headers,
  ReadableStream,
  Request,
  Response,
  TextDecoder,
  TextEncoder,
  URL,
  URLSearchParams,
  clearInterval,
  clearTimeout,
  console,
  crypto,
  performance,
  queueMicrotask,
  setInterval,
  setTimeout,
  structuredClone
})

const bundle = async (contents: string) => {
  const result = await build({
    stdin: { contents, resolveDir: new URL("../..", import.meta.url).pathname, loader: "ts" },
    bundle: true,
    minify: true,
    platform: "browser",
    format: "iife",
    globalName: "bundled",
    target: "esnext",
    write: false,
    metafile: true,
    logLevel: "silent"
  })
  return { text: result.outputFiles[0]!.text, inputs: Object.keys(result.metafile.inputs) }
}

describe("the bundle of the client", () => {
  it("has no node modules, no CBOR and no server, and a bounded size", async () => {
    // esbuild fails on `node:` under this platform
    const { inputs, text } = await bundle(`export * from "./src/client/index.ts"`)
    const foreign = inputs.filter((path) => /(^node:|platform-node|cborg|src\/(layers|services|cli)\/)/.test(path))
    assert.deepStrictEqual(foreign, [])
    const compressed = gzipSync(text).length
    assert.isBelow(compressed, compressedBytesMax, `${text.length} bytes, ${compressed} compressed`)
    if (process.env["P2PMES_REPORT"] !== undefined) console.log({ bytes: text.length, compressed })
    const failure = await bundle(`import "node:fs"`).then(() => undefined, (error: unknown) => error)
    assert.match(String(failure), /node:fs/)
  })

  it("signs, sends and reads where nothing of Node exists", async () => {
    const { text } = await bundle(`
      import { Effect, Layer, Result } from "effect"
      import { FetchHttpClient } from "effect/http"
      import { Chat, Entropy, NodeClient, Signer } from "./src/client/index.ts"
      export const run = (url, key, peer) => Effect.gen(function*() {
        const signer = yield* Effect.fromResult(Signer.fromPrivateKey(key))
        const client = yield* NodeClient.make({ url, signer })
        const chat = yield* Effect.fromResult(Chat.parse(peer))
        yield* client.send(chat, { content: "from a browser", control: Uint8Array.of(1, 2) })
        yield* client.groups.create([])
        const page = yield* client.history(chat)
        return JSON.stringify(page.messages.map((m) => [m.content, Array.from(m.control), m.sender]))
      }).pipe(Effect.provide(Layer.mergeAll(FetchHttpClient.layer, Entropy.layer)), Effect.runPromise)
    `)
    const { http, node } = Scripted.make()
    const fetch = (
      url: URL,
      init: { readonly method: "GET"; readonly headers: object; readonly body?: Uint8Array }
    ) => {
      const plain = HttpClientRequest.make(init.method)(url, { headers: { ...init.headers } })
      const request = init.body === undefined
        ? plain
        : HttpClientRequest.setBody(plain, HttpBody.uint8Array(new Uint8Array(init.body), "application/json"))
      return Effect.runPromise(
        Effect.flatMap(
          http.execute(request),
          (response) =>
            Effect.map(
              response.text,
              (text) => new Response(text, { status: response.status, headers: response.headers })
            )
        )
      )
    }
    const context = createContext({ ...browser(), fetch })
    for (const name of ["process", "Buffer", "require", "module", "global"]) {
      assert.strictEqual(new Script(`typeof ${name}`).runInContext(context), "undefined")
    }
    new Script(`${text}; globalThis.run = bundled.run`).runInContext(context)
    const run = context["run"] as (...args: ReadonlyArray<string>) => Promise<string>
    const answer = await run("http://node:1", "11".repeat(32), `0x${"22".repeat(20)}`)
    assert.deepStrictEqual(JSON.parse(answer), [["from a browser", [1, 2], "19e7e376e7c213b7e7e7e46cc70a5dd086daff2a"]])
    assert.strictEqual(node.messages.size, 1)
  })
})
