/**
 * The frame of a bench with processes: a directory of its own, and whatever happens, processes that it started are ended by
 * their pid and the directory goes.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { endAll } from "./processes.ts"

const begun = performance.now()
const secondsSoFar = (): string => ((performance.now() - begun) / 1_000).toFixed(0)

/** How far it is, on stderr: some steps take minutes. */
export const say = (what: string): void => console.error(`${secondsSoFar().padStart(4)} s  ${what}`)

/** Runs `bench` in a fresh directory and ends the process. */
export const inDirectory = async (bench: (directory: string) => Promise<void>): Promise<never> => {
  const directory = mkdtempSync(join(tmpdir(), "p2p-mes-bench-"))
  const clear = async (): Promise<void> => {
    await endAll()
    rmSync(directory, { recursive: true, force: true })
  }
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => void clear().then(() => process.exit(1)))
  try {
    await bench(directory)
    console.log(`${secondsSoFar()} s`)
  } finally {
    await clear()
  }
  process.exit()
}
