/**
 * Builds dist/, what the npm package ships: its modules, for Node does not strip types under node_modules, its command
 * line in a bundle, and its pages.
 *
 * The compiler rewrites the endings of relative imports, but not of `new URL("./x.worker.ts", import.meta.url)`, which
 * is how a worker thread is named: that is done here, and a URL that then leads nowhere fails the build.
 */
import { execFileSync } from "node:child_process"
import { existsSync, globSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { bundle } from "./bundle.ts"
import { buildWeb } from "./web.ts"

const workerUrl = /new URL\(\s*"(\.{1,2}\/[^"]+)\.ts"/g

rmSync("dist", { recursive: true, force: true })
execFileSync(join("node_modules", ".bin", "tsc"), ["-p", "tsconfig.build.json"], { stdio: "inherit" })

for (const file of globSync("dist/**/*.js")) {
  const before = readFileSync(file, "utf8")
  const after = before.replaceAll(workerUrl, (_, path: string) => {
    if (!existsSync(join(dirname(file), `${path}.js`))) throw new Error(`${file}: no ${path}.js to run as a worker`)
    return `new URL("${path}.js"`
  })
  if (after !== before) writeFileSync(file, after)
}

await bundle()
await buildWeb()
