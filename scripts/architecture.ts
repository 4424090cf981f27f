/**
 * The rules of the source tree as functions from text to problems, so that each can be shown to go red on a bad sample;
 * `test/architecture.test.ts` applies them to the tree. Files are parsed, not searched: a comment or a string that
 * names a forbidden thing is none. Paths are relative to the project, with `/`.
 */
import { isBuiltin } from "node:module"
import { posix } from "node:path"
import { parseAst } from "vitest/node"

export interface Source {
  readonly path: string
  readonly text: string
}

/** Who may import whom: `domain ← services ← layers ← {testing, cli, main}` and `domain ← api ← {client, layers}`, `client ← web`. */
const below: Readonly<Record<string, ReadonlyArray<string>>> = {
  domain: [],
  services: ["domain"],
  api: ["domain"],
  client: ["domain", "api"],
  layers: ["domain", "services", "api"],
  web: ["domain", "api", "client"],
  testing: ["domain", "services", "api", "client", "layers"],
  cli: ["domain", "services", "api", "client", "layers", "testing"],
  "main.ts": ["domain", "services", "api", "client", "layers", "testing", "cli"],
  "index.ts": ["domain", "services", "api", "client", "layers", "testing"]
}
/** Where the world may be touched: clocks, timers, chance, the process. */
const outer = ["layers", "cli", "web", "main.ts"]
/** Where there are `node:` modules. */
const onNode = ["layers", "cli", "main.ts"]
/** What must also run in a browser. */
const portable = ["domain", "api", "client", "web"]

export const entries = [
  "main.ts",
  "index.ts",
  "client/index.ts",
  "api/index.ts",
  "testing/index.ts",
  "web/main.tsx",
  "web/status/main.tsx"
]
  .map((path) => `src/${path}`)
export const linesMax = 400

interface Node {
  readonly type: string
  readonly start: number
  readonly [field: string]: unknown
}

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string"

const children = (node: Node): ReadonlyArray<readonly [key: string, child: Node]> =>
  Object.entries(node).flatMap(([key, value]) =>
    (Array.isArray(value) ? value : [value]).filter(isNode).map((child) => [key, child] as const)
  )

const walk = (node: Node, visit: (node: Node) => void): void => {
  visit(node)
  for (const [, child] of children(node)) walk(child, visit)
}

const parse = (source: Source): Node =>
  parseAst(source.text, { lang: source.path.endsWith("x") ? "tsx" : "ts" }) as unknown as Node

const at = (source: Source, node: Node): string =>
  `${source.path}:${source.text.slice(0, node.start).split("\n").length}`

/** The text of a string, or of a template without holes. */
const literal = (node: unknown): string | undefined => {
  if (!isNode(node)) return undefined
  if (node.type === "Literal") return typeof node["value"] === "string" ? node["value"] : undefined
  if (node.type === "TSLiteralType") return literal(node["literal"])
  if (node.type !== "TemplateLiteral") return undefined
  const quasis = node["quasis"] as ReadonlyArray<{ readonly value: { readonly cooked: string } }>
  return quasis.length === 1 ? quasis[0]!.value.cooked : undefined
}

const name = (node: unknown): string | undefined =>
  isNode(node) && node.type === "Identifier" ? node["name"] as string : undefined

export interface Import {
  readonly where: string
  /** As written; `undefined` when it is computed. */
  readonly specifier: string | undefined
}

/** Every module that the file names: imports, re-exports, `import()`, import types, and `new URL("./x.ts", …)`. */
export const importsOf = (source: Source): ReadonlyArray<Import> => {
  const found: Array<Import> = []
  walk(parse(source), (node) => {
    const add = (target: unknown) => found.push({ where: at(source, node), specifier: literal(target) })
    if (node.type === "ImportDeclaration" || node.type === "ImportExpression" || node.type === "ImportType") {
      add(node["source"])
    } else if (node.type === "TSImportType") add(node["source"] ?? node["argument"])
    else if (node.type === "TSExternalModuleReference") add(node["expression"])
    else if (node.type.startsWith("Export") && isNode(node["source"])) add(node["source"])
    else if (node.type === "NewExpression" && name(node["callee"]) === "URL") {
      const [first] = node["arguments"] as ReadonlyArray<Node>
      if (/^\.{1,2}\/.*\.ts$/.test(literal(first) ?? "")) add(first)
    }
  })
  return found
}

const zoneOf = (path: string): string => path.split("/")[1] ?? ""

const targetOf = (path: string, specifier: string): string => posix.join(posix.dirname(path), specifier)

/** Imports against the table, `node:` modules outside the outer zones, computed names, files that do not exist. */
export const importProblems = (source: Source, exists: (path: string) => boolean): ReadonlyArray<string> => {
  const zone = zoneOf(source.path)
  const allowed = below[zone]
  if (allowed === undefined) return [`${source.path}: src/${zone} has no place in the table of imports`]
  return importsOf(source).flatMap(({ specifier, where }) => {
    if (specifier === undefined) return [`${where}: an import of a computed name cannot be checked`]
    if (specifier.startsWith(".")) {
      const target = targetOf(source.path, specifier)
      if (!exists(target)) return [`${where}: ${target} does not exist`]
      if (!target.startsWith("src/")) return [`${where}: ${target} is outside src`]
      const other = zoneOf(target)
      return other === zone || allowed.includes(other) ? [] : [`${where}: ${zone} must not import ${other}`]
    }
    if (specifier.startsWith("/") || specifier.startsWith("file:") || specifier.startsWith("p2p-mes")) {
      return [`${where}: name ${specifier} by a relative path`]
    }
    if (isBuiltin(specifier) && !onNode.includes(zone)) return [`${where}: ${zone} must not import ${specifier}`]
    if (portable.includes(zone) && /^@effect\/platform-(?!browser)/.test(specifier)) {
      return [`${where}: ${zone} must run in browsers, ${specifier} does not`]
    }
    return []
  })
}

const seamNames = new Set([
  "setTimeout",
  "setInterval",
  "setImmediate",
  "queueMicrotask",
  "requestAnimationFrame",
  "requestIdleCallback",
  "performance",
  "crypto",
  "process"
])
const globals = new Set(["globalThis", "global", "window", "self"])
const seamMembers: Readonly<Record<string, ReadonlyArray<string>>> = {
  Date: ["now"],
  Math: ["random"],
  AbortSignal: ["timeout"]
}
const typeWrappers = new Set(["TSAsExpression", "TSSatisfiesExpression", "TSNonNullExpression", "TSTypeAssertion"])

/** The parts of `node` that run, without names of members, keys and types. */
const running = (node: Node): ReadonlyArray<readonly [key: string, child: Node]> => {
  if (node.type.startsWith("TS")) return typeWrappers.has(node.type) ? [["expression", node["expression"] as Node]] : []
  if (node.type.startsWith("Import") && node.type !== "ImportExpression") return []
  return children(node).filter(([key]) => node["computed"] === true || (key !== "property" && key !== "key"))
}

/** Names that the file binds itself, in imports, declarations and parameters: they are not the globals. */
const boundIn = (program: Node): ReadonlySet<string> => {
  const bound = new Set<string>()
  const bind = (pattern: unknown): void => {
    if (!isNode(pattern)) return
    const own = name(pattern)
    if (own !== undefined) bound.add(own)
    else if (pattern.type === "Property") bind(pattern["value"])
    else if (pattern.type === "AssignmentPattern") bind(pattern["left"])
    else for (const [, child] of children(pattern)) if (!child.type.startsWith("TS")) bind(child)
  }
  walk(program, (node) => {
    if (node.type.startsWith("Import") && node.type.endsWith("Specifier")) bind(node["local"])
    else if (node.type === "VariableDeclarator") bind(node["id"])
    else if (node.type === "FunctionDeclaration" || node.type === "ClassDeclaration") bind(node["id"])
    if (/^(Arrow)?Function(Expression|Declaration)$/.test(node.type)) {
      for (const parameter of node["params"] as ReadonlyArray<Node>) bind(parameter)
    }
  })
  return bound
}

/** What `node` is a part of, as far as it tells whether a mention of Date or Math reads the clock or chance. */
const isHarmless = (own: string, key: string, parent: Node): boolean => {
  if (parent.type === "MemberExpression" && key === "object") {
    const member = parent["computed"] === true ? literal(parent["property"]) : name(parent["property"])
    return member !== undefined && !(seamMembers[own] ?? []).includes(member)
  }
  if (parent.type === "BinaryExpression") return parent["operator"] === "instanceof"
  return own === "Date" && parent.type === "NewExpression" && (parent["arguments"] as ReadonlyArray<Node>).length > 0
}

/** Reads of the clock, timers, chance and the process outside the outer zones: Effect's services stand for them. */
export const seamProblems = (source: Source): ReadonlyArray<string> => {
  if (outer.includes(zoneOf(source.path))) return []
  const program = parse(source)
  const bound = boundIn(program)
  const problems: Array<string> = []
  const visit = (node: Node, key: string, parent: Node): void => {
    const own = name(node)
    if (own !== undefined && !bound.has(own)) {
      const report = (what: string) => problems.push(`${at(source, node)}: ${what} is a seam: use a service`)
      if (seamNames.has(own)) report(own)
      else if (seamMembers[own] !== undefined && !isHarmless(own, key, parent)) report(own)
      else if (globals.has(own)) {
        const member = parent.type === "MemberExpression" && key === "object"
          ? parent["computed"] === true ? literal(parent["property"]) : name(parent["property"])
          : undefined
        if (member === undefined || seamNames.has(member) || seamMembers[member] !== undefined) report(own)
      }
    }
    for (const [childKey, child] of running(node)) visit(child, childKey, node)
  }
  visit(program, "", program)
  return problems
}

/** Files of src that no entry leads to. */
export const deadFiles = (sources: ReadonlyArray<Source>): ReadonlyArray<string> => {
  const files = new Map(sources.map((source) => [source.path, source]))
  const reached = new Set<string>()
  const queue = [...entries]
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    const source = files.get(path)
    if (source === undefined || reached.has(path)) continue
    reached.add(path)
    for (const { specifier } of importsOf(source)) {
      if (specifier?.startsWith(".") === true) queue.push(targetOf(path, specifier))
    }
  }
  return sources.filter(({ path }) => !reached.has(path)).map(({ path }) => `${path}: no entry leads here`)
}

export const lengthProblems = ({ path, text }: Source): ReadonlyArray<string> => {
  const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0)
  return lines > linesMax ? [`${path}: ${lines} lines, at most ${linesMax}`] : []
}

/** Folders and files named after nothing in particular. */
export const nameProblems = (path: string): ReadonlyArray<string> =>
  /(^|\/)(utils?|helpers?|common|misc)(\.|\/|$)/i.test(path) ? [`${path}: say what it is about`] : []

const leaks: ReadonlyArray<readonly [RegExp, string]> = [
  [/(?<![\w.~/-])\/(?:work|root)\//, "a path of somebody's machine"],
  [/\bregistry\.[a-z0-9-]+\.[a-z]{2,}\b/i, "the host of a registry"],
  [/(?<![a-z])registry\s*=\s*["']?https?:/i, "the address of a registry"],
  [/:_(?:authToken|auth|password)\b/, "a credential of a registry"]
]

/** Paths of a machine, hosts of package registries; `hosts` are further names that must not appear. */
export const leakProblems = ({ path, text }: Source, hosts: ReadonlyArray<string>): ReadonlyArray<string> =>
  text.split("\n").flatMap((line, index) => [
    ...leaks.filter(([pattern]) => pattern.test(line)).map(([, what]) => `${path}:${index + 1}: ${what}`),
    ...hosts.filter((host) => line.includes(host)).map(() => `${path}:${index + 1}: the host of a registry`)
  ])
