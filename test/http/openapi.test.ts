/** The published description of the API, its reference page, and CORS (SPEC §8). */
import { assert, describe, it } from "@effect/vitest"
import { NodeApi } from "../../src/api/NodeApi.ts"
import * as Refusals from "../../src/domain/refusal.ts"
import { type Answer, send } from "./fixture.ts"
import { shared, steered } from "./steered-node.ts"

const node = shared(steered())

// oxlint-disable-next-line typescript/no-explicit-any -- whatever JSON came
type Any = any
type Json = { readonly [key: string]: Any }
const spec = async (): Promise<Json> => {
  const answer = await send(node(), { method: "GET", path: "/openapi.json" })
  assert.strictEqual(answer.status, 200)
  return answer.body
}

interface Operation {
  readonly method: string
  readonly path: string
  readonly value: Json
}
const operationsOf = (document: Json): ReadonlyArray<Operation> =>
  Object.entries(document["paths"] as Json).flatMap(([path, methods]) =>
    Object.entries(methods as Json).map(([method, value]) => ({ method, path, value }))
  )

const signed = /^\/(dialogs|groups|conversations|identity|events)/

describe("/openapi.json", () => {
  it("is OpenAPI 3.1, and every reference in it leads somewhere", async () => {
    const document = await spec()
    assert.match(document["openapi"], /^3\.1\.[0-9]+$/)
    assert.isString(document["info"].title)
    assert.isString(document["info"].version)
    let references = 0
    const visit = (value: unknown): void => {
      if (typeof value !== "object" || value === null) return
      for (const [key, each] of Object.entries(value)) {
        if (key === "$ref") {
          references++
          assert.match(each, /^#\//)
          const found = (each as string).slice(2).split("/").reduce<Any>(
            (at, part) => at?.[part.replaceAll("~1", "/").replaceAll("~0", "~")],
            document
          )
          assert.isDefined(found, each)
        } else visit(each)
      }
    }
    visit(document)
    assert.isAbove(references, 10)
  })

  it("has every path and method of the API, each with a summary, an id of its own and its path parameters", async () => {
    const document = await spec()
    const operations = operationsOf(document)
    const expected = Object.values(NodeApi.groups).flatMap((group) =>
      Object.values(group.endpoints as { [name: string]: { method: string; path: string } }).map(({ method, path }) =>
        `${method.toLowerCase()} ${path.replaceAll(/:([a-z_]+)/g, "{$1}")}`
      )
    )
    assert.deepStrictEqual(operations.map(({ method, path }) => `${method} ${path}`).sort(), expected.sort())
    const ids = operations.map(({ value }) => value["operationId"])
    assert.strictEqual(new Set(ids).size, ids.length)
    for (const { method, path, value } of operations) {
      assert.isAbove((value["summary"] ?? "").length, 5, `${method} ${path}`)
      const named = (value["parameters"] ?? []).filter((each: Json) => each["in"] === "path").map((each: Json) =>
        each["name"]
      )
      const inPath = [...path.matchAll(/\{([a-z_]+)\}/g)].map(([, name]) => name)
      assert.deepStrictEqual(named.sort(), inPath.sort(), `${method} ${path}`)
      for (const parameter of value["parameters"] ?? []) {
        assert.include(["path", "query", "header"], parameter["in"])
        assert.isObject(parameter["schema"], `${method} ${path} ${parameter["name"]}`)
        if (parameter["in"] === "path") assert.strictEqual(parameter["required"], true)
      }
      for (const [status, response] of Object.entries(value["responses"] as Json)) {
        assert.match(status, /^[1-5][0-9]{2}$/)
        assert.isString(response.description, `${method} ${path} ${status}`)
      }
    }
  })

  it("signed operations tell of the signature headers and of the refusals that all of them share", async () => {
    const document = await spec()
    for (const { method, path, value } of operationsOf(document)) {
      const name = `${method} ${path}`
      const headers = (value["parameters"] ?? []).filter((each: Json) => each["in"] === "header")
      const required = headers.filter((each: Json) => each["required"] === true).map((each: Json) => each["name"])
      if (!signed.test(path)) {
        assert.deepStrictEqual(required, [], name)
        assert.isUndefined(value["responses"]["401"], name)
        continue
      }
      assert.deepStrictEqual(required.sort(), ["X-Node", "X-Sig", "X-Ts", "X-User"], name)
      assert.isTrue(headers.some((each: Json) => each["name"] === "X-Sig-Version"), name)
      for (const status of ["400", "401", "413", "429", "503"]) {
        assert.isDefined(value["responses"][status]?.content?.["application/json"]?.schema, `${name} ${status}`)
      }
      const isWrite = method !== "get"
      if (isWrite) {
        assert.isDefined(value["responses"]["202"], name)
        assert.isDefined(value["responses"]["201"], name)
        assert.isTrue(headers.some((each: Json) => each["name"].toLowerCase() === "prefer"), name)
        if (method !== "delete") assert.isDefined(value["requestBody"]?.content?.["application/json"]?.schema, name)
      } else assert.isDefined(value["responses"]["200"], name)
      if (path.startsWith("/groups/")) {
        for (const status of ["403", "404"]) assert.isDefined(value["responses"][status], `${name} ${status}`)
      }
      if (/ops$|membership$/.test(path)) assert.isDefined(value["responses"]["409"], name)
    }
  })

  it("documents the data of every event", async () => {
    const { components } = await spec()
    for (const name of ["MessageEvent", "MembershipEvent", "ReadEvent", "Identity", "ResetEvent"]) {
      assert.isObject(components.schemas[name], name)
    }
  })

  it("documents every error class", async () => {
    const { components } = await spec()
    const schemas = components.schemas as Json
    const tags = Object.values(schemas).flatMap((schema: Any) =>
      schema?.properties?._tag?.enum ?? schema?.properties?._tag?.const ?? []
    )
    const classes = Object.keys(Refusals).filter((name) => !/Failure$|Reason$/.test(name))
    assert.isAbove(classes.length, 7)
    for (const name of classes) assert.include(tags, name)
  })
})

describe("/docs", () => {
  it("is a page that asks no other host for anything", async () => {
    const answer = await send(node(), { method: "GET", path: "/docs" })
    assert.strictEqual(answer.status, 200)
    assert.match(answer.headers.get("content-type")!, /^text\/html/)
    const html = answer.body as string
    assert.include(html, "p2p-mes")
    // what the browser loads by itself: tags outside scripts, and what the page tells the viewer to load
    const outside = html.replaceAll(/<script>[\s\S]*?<\/script>/g, "")
    assert.notMatch(outside, /<script[^>]+src=/i)
    assert.notMatch(outside, /<(link|img|iframe|object|embed|base)\b/i)
    assert.notMatch(outside, /https?:\/\//)
    const settings = /createApiReference\([\s\S]*?content:/.exec(html)?.[0] ?? ""
    assert.include(settings, "\"withDefaultFonts\":false")
    assert.notMatch(settings, /https?:\/\//)
  })

  it("may not ask another host, whatever its script holds", async () => {
    const policy = (await send(node(), { method: "GET", path: "/docs" })).headers.get("content-security-policy")
    const directives = new Map(
      (policy ?? "").split(";").map((each) => {
        const [name, ...sources] = each.trim().split(/\s+/)
        return [name, sources] as const
      })
    )
    assert.isTrue(directives.has("default-src"), String(policy))
    for (const [name, sources] of directives) {
      for (const source of sources) {
        assert.include(["'self'", "'none'", "'unsafe-inline'", "'unsafe-eval'", "data:", "blob:"], source, name)
      }
    }
  })
})

describe("CORS", () => {
  const preflight = (path: string, method: string) =>
    send(node(), { method: "OPTIONS", path }, {
      Origin: "https://app.example",
      "Access-Control-Request-Method": method,
      "Access-Control-Request-Headers": "x-user,x-ts,x-node,x-sig,x-sig-version,content-type,prefer"
    })

  const list = (answer: Answer, name: string) =>
    (answer.headers.get(name) ?? "").toLowerCase().split(",").map((each) => each.trim())

  it("a preflight of every path is answered for any origin", async () => {
    const operations = operationsOf(await spec())
    for (
      const { method, path } of [...operations, { method: "get", path: "/docs" }, {
        method: "get",
        path: "/openapi.json"
      }]
    ) {
      const answer = await preflight(path.replaceAll(/\{[a-z_]+\}/g, "11".repeat(32)), method.toUpperCase())
      assert.strictEqual(answer.status, 204, path)
      assert.strictEqual(answer.headers.get("access-control-allow-origin"), "*", path)
      assert.include(list(answer, "access-control-allow-methods"), method, path)
      for (
        const name of ["x-user", "x-ts", "x-node", "x-sig", "x-sig-version", "content-type", "prefer", "last-event-id"]
      ) {
        assert.include(list(answer, "access-control-allow-headers"), name, path)
      }
      assert.isNull(answer.headers.get("access-control-allow-credentials"))
    }
  })

  it("answers and refusals can be read by any page, with the headers that matter", async () => {
    for (
      const [path, status] of [["/node", 200], ["/conversations", 401], ["/nothing", 404], ["/identity", 405]] as const
    ) {
      const answer = await send(node(), { method: "GET", path }, { Origin: "https://app.example" })
      assert.strictEqual(answer.status, status, path)
      assert.strictEqual(answer.headers.get("access-control-allow-origin"), "*", path)
      for (const name of ["retry-after", "preference-applied"]) {
        assert.include(list(answer, "access-control-expose-headers"), name, path)
      }
    }
  })
})
