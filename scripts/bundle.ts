/**
 * Bundles the command line into dist/program/: a node loads some thousand modules, and finding, reading and stripping
 * them one by one takes longer than all else it does at its start, and twice the memory. `bin/p2p-mes.mjs` starts it.
 *
 *     node scripts/bundle.ts      makes it, and the pages (`web.ts`), anew when what they are made of has changed
 *
 * In a checkout a bundle counts only while the {@link key} beside it is that of the sources: an old one is never run.
 */
import { existsSync, globSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { filesBelow, holds, keyOf, root } from "./freshness.ts"
import { licences } from "./licences.ts"
import * as Web from "./web.ts"

const folder = join(root, "dist", "program")
const keyFile = join(folder, "key")
/** How a thread's program is named; after bundling all of them lie beside the files that name them. */
const workerUrl = /new URL\("\.{1,2}\/(?:[^"]*\/)?([^"/]+\.worker)\.ts", import\.meta\.url\)/g

const webSources = join("src", "web")

/** What a bundle is made of: each source, the versions of what they import, and this file. */
const key = (): string =>
  keyOf([
    ...filesBelow("src").filter((path) => path.endsWith(".ts") && !path.startsWith(webSources)),
    "scripts/bundle.ts",
    "scripts/licences.ts"
  ])

export const isFresh = (): boolean => holds(keyFile, key())

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

if (import.meta.main && !(isFresh() && Web.isFresh())) {
  if (hasEsbuild()) {
    if (!isFresh()) await bundle()
    if (!Web.isFresh()) await Web.buildWeb()
  } else {
    process.stderr.write(
      "esbuild is not installed: without a bundle a start takes about a second longer, and there are no pages\n"
    )
  }
}
