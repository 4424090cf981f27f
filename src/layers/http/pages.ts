/**
 * The pages that a node serves to people: messages at `/`, its own standing at `/status`, and what they are made of below
 * `/assets/`. `scripts/web.ts` builds them.
 *
 * Rule: the files are read once, at the start, into memory; a request names one of them or nothing, so no path of a request
 * ever becomes the path of a file. A page may load scripts and styles from this node and from nowhere else.
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import { createHash } from "node:crypto"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { extname, join } from "node:path"
import { fileURLToPath } from "node:url"

/** Where the pages lie: beside the bundle of the program, or in dist/ of a checkout or a package. */
const places = ["../web/", "../../../dist/web/"]

const types: { readonly [ending: string]: string } = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml; charset=utf-8",
  ".txt": "text/plain; charset=utf-8"
}

/** Encodings that files lie there in, best first. */
const encodings = [["br", ".br"], ["gzip", ".gz"]] as const

const pages = [
  // people name further nodes by their addresses, on a LAN without certificates too; all of them only ever send JSON
  { path: "/", file: "index.html", connects: "'self' http: https:" },
  { path: "/status", file: "status.html", connects: "'self'" },
  { path: "/licences.txt", file: "licences.txt", connects: "'none'" }
] as const

const policy = (connects: string): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    `connect-src ${connects}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'"
  ].join("; ")

const ownHeaders = (connects: string): { readonly [name: string]: string } => ({
  "content-security-policy": policy(connects),
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff"
})

type Answer = (request: HttpServerRequest.HttpServerRequest) => HttpServerResponse.HttpServerResponse

/** Whether a header that lists what is accepted names `encoding`, and does not rule it out by a weight of 0. */
const accepts = (header: string | undefined, encoding: string): boolean =>
  (header ?? "").toLowerCase().split(",").some((part) => {
    const [name, ...parameters] = part.split(";").map((each) => each.trim())
    return name === encoding && !parameters.some((each) => /^q=0(?:\.0{0,3})?$/.test(each))
  })

/** One file in all its encodings. A tag is of what is sent, byte for byte, so each encoding has its own. */
const answerOf = (file: string, headers: { readonly [name: string]: string }): Answer => {
  const contentType = types[extname(file)] ?? "application/octet-stream"
  const read = (encoding: string, ending: string) => {
    const body = new Uint8Array(readFileSync(`${file}${ending}`))
    const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 27)}"`
    const coded = encoding === "identity" ? {} : { "content-encoding": encoding }
    return { encoding, etag, body, headers: { ...headers, ...coded, etag, vary: "Accept-Encoding" } }
  }
  const plain = read("identity", "")
  const coded = encodings.filter(([, ending]) => existsSync(`${file}${ending}`))
    .map(([encoding, ending]) => read(encoding, ending))
  return (request) => {
    const chosen = coded.find(({ encoding }) => accepts(request.headers["accept-encoding"], encoding)) ?? plain
    const known = (request.headers["if-none-match"] ?? "").split(",").map((each) => each.trim().replace(/^W\//, ""))
    return known.includes(chosen.etag) || known.includes("*")
      ? HttpServerResponse.empty({ status: 304, headers: chosen.headers })
      : HttpServerResponse.uint8Array(chosen.body, { contentType, headers: chosen.headers })
  }
}

const notBuilt = `<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>p2p-mes</title>
  <h1>This node runs, but its pages were not built</h1>
  <p>In the folder of the project, run <code>node scripts/web.ts</code> and start the node again; <code>npm start</code> does
  both.</p>
  <p>The API works without pages: <a href="docs">its reference</a>.</p>
</html>
`

/** The answers by their paths. */
const read = (folder: string | undefined): ReadonlyMap<`/${string}`, Answer> => {
  const fresh = (connects: string) => ({ ...ownHeaders(connects), "cache-control": "no-cache" })
  if (folder === undefined) {
    const headers = { ...fresh("'none'"), "cache-control": "no-store" }
    const answer = HttpServerResponse.text(notBuilt, { status: 404, contentType: types[".html"]!, headers })
    return new Map(pages.map(({ path }) => [path, () => answer]))
  }
  // the hash of its content is in the name of an asset: what it names never changes
  const lasting = { ...ownHeaders("'none'"), "cache-control": "public, max-age=31536000, immutable" }
  const assets = readdirSync(join(folder, "assets")).filter((name) => types[extname(name)] !== undefined)
  return new Map([
    ...pages.map(({ connects, file, path }) => [path, answerOf(join(folder, file), fresh(connects))] as const),
    ...assets.map((name) => [`/assets/${name}`, answerOf(join(folder, "assets", name), lasting)] as const)
  ])
}

const allow = "GET, HEAD"
const onlyRead = HttpServerResponse.jsonUnsafe({
  _tag: "InvalidRequest",
  message: `this path takes ${allow} only`,
  field: "method",
  allowed: allow.split(", ")
}, { status: 405, headers: { allow } })

/** Serves the pages that lie in `folder`; `undefined`: a page that tells how to build them. */
export const layerFrom = (folder: string | undefined) =>
  HttpRouter.use(Effect.fnUntraced(function*(router) {
    for (const [path, answer] of read(folder)) {
      yield* router.add("GET", path, (request) => Effect.succeed(answer(request)))
      for (const method of ["POST", "PUT", "PATCH", "DELETE", "QUERY"] as const) {
        yield* router.add(method, path, onlyRead)
      }
    }
  }))

/** The pages of this program, at the root of an `HttpRouter`. */
export const layerPages = Layer.unwrap(Effect.sync(() =>
  layerFrom(
    places.map((place) => fileURLToPath(new URL(place, import.meta.url)))
      .find((folder) => existsSync(join(folder, "index.html")))
  )
))
