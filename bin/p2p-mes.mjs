#!/usr/bin/env node
/**
 * Starts the command line under Node 26 whatever Node the machine has: the package `node`, a dependency, brings it.
 * Plain JavaScript for old engines, and nothing else happens here. An installed package runs its bundle,
 * dist/program/main.js; a checkout does too while the bundle is that of its sources, else src/main.ts. Signals, stdio
 * and the exit code pass through.
 */
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import Module, { createRequire } from "node:module"
import { constants } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"

const oldestMajor = 26
/**
 * Garbage is collected sooner: of the young at 8 MiB, which takes some 30 MiB less than by default and no more CPU time (4 MiB take a
 * tenth more), and of the old when it is half of what lives, which takes a fiftieth more CPU time; left alone, heaps grow to four
 * times as much. Only a new process can be told.
 */
const engineFlags = ["--max-semi-space-size=8", "--heap-growing-percent=50"]
/** Of glibc's malloc: by default it keeps eight heaps a core for threads, of which a node with a few fills parts; 10 MiB less. */
const arenas = "2"

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const source = join(root, "src", "main.ts")
const bundle = join(root, "dist", "program", "main.js")

/** The file to run. Under Node 26 only: in a checkout it asks TypeScript whether the bundle is fresh. */
const findMain = async () => {
  if (!existsSync(source)) return bundle
  if (!existsSync(bundle)) return source
  const { isFresh } = await import("../scripts/bundle.ts")
  return isFresh() ? bundle : source
}

/** The Node of the package `node`; `undefined` when it was not installed, or its install script did not run. */
const findNode = () => {
  try {
    const folder = join(dirname(createRequire(import.meta.url).resolve("node/package.json")), "bin")
    return [join(folder, "node"), join(folder, "node.exe")].find((file) => existsSync(file))
  } catch {
    return undefined
  }
}

const relay = (node) => {
  const child = spawn(node, [...engineFlags, fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: "inherit",
    env: { MALLOC_ARENA_MAX: arenas, ...process.env }
  })
  // A terminal signals the whole group, so the child has these already; without one they come to this process alone.
  const fromTerminal = process.stdin.isTTY === true ? ["SIGINT", "SIGQUIT", "SIGHUP"] : []
  for (const signal of ["SIGINT", "SIGQUIT", "SIGHUP", "SIGTERM", "SIGUSR2"]) {
    process.on(signal, () => {
      if (!fromTerminal.includes(signal)) child.kill(signal)
    })
  }
  child.on("error", (error) => {
    process.stderr.write(`p2p-mes: cannot start ${node}: ${error.message}\n`)
    process.exitCode = 1
  })
  child.on("exit", (code, signal) => {
    process.exit(code ?? 128 + (constants.signals[signal] ?? 0))
  })
}

if (Number.parseInt(process.versions.node, 10) >= oldestMajor) {
  Module.enableCompileCache()
  const main = await findMain()
  process.argv[1] = main
  await import(pathToFileURL(main).href)
} else {
  const node = findNode()
  if (node === undefined) {
    process.stderr.write(
      `p2p-mes needs Node ${oldestMajor} or later; this is ${process.versions.node}, and the package "node" that brings `
        + "it is missing or its install script did not run (see allowScripts in package.json)\n"
    )
    process.exitCode = 1
  } else relay(node)
}
