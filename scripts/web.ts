/**
 * Builds the pages that a node serves, src/web/*.html, into dist/web/: what a page names (scripts, styles, its icon) is
 * bundled into assets/, under names with a hash of the content, and every file lies there compressed too.
 *
 *     node scripts/web.ts             builds when the sources or the dependencies have changed since
 *     node scripts/web.ts --report    builds, and tells how large the pages are and what of
 */
import { globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { basename, dirname, join, posix } from "node:path"
import { brotliCompressSync, constants, gzipSync } from "node:zlib"
import { filesBelow, holds, keyOf, root } from "./freshness.ts"
import { licences } from "./licences.ts"

const source = "src/web"
const folder = join(root, "dist", "web")
const keyFile = join(folder, "key")
/** What a page names of its own: a path beside it. */
const named = /(?<=(?:src|href)=")\.\/[^"]+(?=")/g

const key = (): string => {
  const folders = [source, "src/client", "src/api", "src/domain"]
  return keyOf([...folders.flatMap(filesBelow), "scripts/web.ts", "scripts/licences.ts"])
}

export const isFresh = (): boolean => holds(keyFile, key())

interface Output {
  readonly bytes: number
  readonly entryPoint?: string
  readonly imports: ReadonlyArray<{ readonly path: string; readonly kind: string }>
  readonly inputs: { readonly [path: string]: { readonly bytesInOutput: number } }
}

/** All that the file at `path` needs before it can run. */
const partsOf = (path: string, outputs: { readonly [path: string]: Output }): ReadonlyArray<string> =>
  (outputs[path]?.imports ?? []).filter(({ kind }) => kind === "import-statement")
    .flatMap((part) => [part.path, ...partsOf(part.path, outputs)])

/** A page with the names of what was built; the parts that its scripts share are asked for beside them, not after. */
const finished = (page: string, outputs: { readonly [path: string]: Output }): string => {
  const parts = new Set<string>()
  const servedAs = (path: string) => `./${posix.relative("dist/web", path)}`
  const text = readFileSync(join(root, page), "utf8").replaceAll(named, (name) => {
    const entry = posix.join(source, name)
    const found = Object.entries(outputs).find(([, output]) => output.entryPoint === entry)
    if (found === undefined) throw new Error(`${page}: nothing was built of ${name}`)
    for (const part of partsOf(found[0], outputs)) parts.add(servedAs(part))
    return servedAs(found[0])
  })
  const preloads = [...parts].map((path) => `    <link rel="modulepreload" href="${path}">\n`).join("")
  return text.replace("  </head>", `${preloads}  </head>`)
}

/** Writes the file and its compressed forms. */
const write = (file: string, contents: Uint8Array): void => {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, contents)
  writeFileSync(`${file}.gz`, gzipSync(contents, { level: constants.Z_BEST_COMPRESSION }))
  const params = { [constants.BROTLI_PARAM_SIZE_HINT]: contents.length }
  writeFileSync(`${file}.br`, brotliCompressSync(contents, { params }))
}

export const buildWeb = async (): Promise<{ readonly [path: string]: Output }> => {
  const { build } = await import("esbuild")
  const made = key()
  const pages = globSync(`${source}/*.html`, { cwd: root }).sort()
  const entries = pages.flatMap((page) =>
    (readFileSync(join(root, page), "utf8").match(named) ?? []).map((name) => posix.join(source, name))
  )
  const { metafile, outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [...new Set(entries)],
    entryNames: "assets/[name]-[hash]",
    chunkNames: "assets/part-[hash]",
    assetNames: "assets/[name]-[hash]",
    outdir: "dist/web",
    bundle: true,
    splitting: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2024",
    loader: { ".svg": "copy" },
    legalComments: "none",
    metafile: true,
    write: false,
    logLevel: "warning"
  })
  // into a folder of its own first: a node that starts meanwhile finds the old pages or the new ones, whole
  const fresh = `${folder}.new`
  rmSync(fresh, { recursive: true, force: true })
  for (const { contents, path } of outputFiles) write(join(fresh, path.slice(folder.length + 1)), contents)
  for (const page of pages) write(join(fresh, basename(page)), Buffer.from(finished(page, metafile.outputs)))
  write(join(fresh, "licences.txt"), Buffer.from(licences(Object.keys(metafile.inputs))))
  writeFileSync(join(fresh, "key"), made)
  rmSync(folder, { recursive: true, force: true })
  renameSync(fresh, folder)
  return metafile.outputs
}

/** Bytes of each package or folder in what a page loads, largest first. */
const report = (outputs: { readonly [path: string]: Output }): string => {
  const lines: Array<string> = []
  for (const page of globSync("*.html", { cwd: folder }).sort()) {
    const files = [page, ...(readFileSync(join(folder, page), "utf8").match(named) ?? [])]
    const size = (ending: string) =>
      files.reduce((sum, file) => sum + readFileSync(join(folder, `${file}${ending}`)).length, 0)
    lines.push(`${page}: ${size("")} bytes, gzip ${size(".gz")}, brotli ${size(".br")}`)
    const shares = new Map<string, number>()
    for (const file of files) {
      for (const [path, { bytesInOutput }] of Object.entries(outputs[posix.join("dist/web", file)]?.inputs ?? {})) {
        const of = /node_modules\/((?:@[^/]+\/)?[^/]+(?:\/dist\/[^/]+)?)/.exec(path)?.[1] ?? dirname(path)
        shares.set(of, (shares.get(of) ?? 0) + bytesInOutput)
      }
    }
    const largest = [...shares].sort(([, a], [, b]) => b - a).slice(0, 40)
    lines.push(...largest.map(([of, bytes]) => `  ${String(bytes).padStart(8)}  ${of}`))
  }
  return `${lines.join("\n")}\n`
}

if (import.meta.main) {
  if (process.argv.includes("--report")) process.stdout.write(report(await buildWeb()))
  else if (!isFresh()) await buildWeb()
}
