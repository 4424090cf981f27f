/**
 * Bundles the command line into dist/program/: a node loads some thousand modules, and finding, reading and stripping
 * them one by one takes longer than all else it does at its start, and twice the memory. `bin/p2p-mes.mjs` starts it.
 *
 *     node scripts/bundle.ts      makes it anew when the sources or the dependencies have changed since
 *
 * In a checkout a bundle counts only while the {@link key} beside it is that of the sources: an old one is never run.
 */
import { existsSync, globSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")
const folder = join(root, "dist", "program")
const keyFile = join(folder, "key")
/** How a thread's program is named; after bundling all of them lie beside the files that name them. */
const workerUrl = /new URL\("\.{1,2}\/(?:[^"]*\/)?([^"/]+\.worker)\.ts", import\.meta\.url\)/g

/** What a bundle is made of: each source, the versions of what they import, and this file, by size and time of change. */
export const key = (): string => {
  const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts")).map((path) => join("src", path)).sort()
  return [...sources, "package.json", "package-lock.json", "tsconfig.json", "scripts/bundle.ts"].map((path) => {
    const found = statSync(join(root, path), { throwIfNoEntry: false })
    return `${path} ${found?.size ?? "missing"} ${found?.mtimeMs ?? ""}\n`
  }).join("")
}

export const isFresh = (): boolean => existsSync(keyFile) && readFileSync(keyFile, "utf8") === key()

/** The licences of the packages that the files come from, each text once: they ask to be told where they are copied. */
const licences = (files: ReadonlyArray<string>): string => {
  const packages = new Set(files.map((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0]))
  const named = new Map<string, Array<string>>()
  for (const path of [...packages].filter((each) => each !== undefined).sort()) {
    const { license, name, version } = JSON.parse(readFileSync(join(root, path, "package.json"), "utf8"))
    const texts = globSync("{LICEN[CS]E,licen[cs]e}*", { cwd: join(root, path) }).sort()
      .map((file) => readFileSync(join(root, path, file), "utf8").trim())
    const text = texts.length === 0 ? String(license) : texts.join("\n\n")
    named.set(text, [...(named.get(text) ?? []), `${name} ${version}`])
  }
  return [...named].map(([text, names]) => `${names.join("\n")}\n\n${text}\n`).join(`\n${"=".repeat(80)}\n\n`)
}

export const bundle = async (): Promise<void> => {
  const { build } = await import("esbuild")
  // files of before stay: a node that runs may still load some of them. Parts carry a hash of what is in them
  rmSync(keyFile, { force: true })
  const made = key()
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ["src/main.ts", ...globSync("src/**/*.worker.ts", { cwd: root })],
    entryNames: "[name]",
    outdir: folder,
    bundle: true,
    // what threads and commands share is a file of its own: each loads what it runs
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node26",
    metafile: true,
    logLevel: "warning",
    // native code stays where it was installed
    external: ["secp256k1"],
    // for the CommonJS among the dependencies
    banner: {
      js: `import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);`
    },
    plugins: [{
      name: "workers",
      setup: ({ onLoad }) => {
        onLoad({ filter: /[/\\]src[/\\].*\.ts$/ }, ({ path }) => ({
          loader: "ts",
          contents: readFileSync(path, "utf8").replaceAll(workerUrl, `new URL("./$1.js", import.meta.url)`)
        }))
      }
    }]
  })
  writeFileSync(join(folder, "LICENSES.txt"), licences(Object.keys(metafile.inputs)))
  // last: what has no key was not finished
  writeFileSync(keyFile, made)
}

/** Of the development dependencies, so an installation may lack it. */
const hasEsbuild = (): boolean => existsSync(join(root, "node_modules", "esbuild"))

if (import.meta.main && !isFresh()) {
  if (hasEsbuild()) await bundle()
  else process.stderr.write("esbuild is not installed: without a bundle a start takes about a second longer\n")
}
