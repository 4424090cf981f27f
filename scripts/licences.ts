/** The licences of the packages that a bundle was made of: they ask to be told where they are copied. */
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "./freshness.ts"

/** The texts of the licences of these files' packages, each once. */
export const licences = (files: ReadonlyArray<string>): string => {
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
