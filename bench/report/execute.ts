/** Runs a bench as a process of its own, alone, in the Node of this one. Used by `all.ts` and `compare.ts`. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"

const minutesMax = 45

/** What `bench/<name>.ts` printed, when it has ended; throws when it failed or took longer than {@link minutesMax}. */
export const execute = async (name: string, args: ReadonlyArray<string>): Promise<string> => {
  const file = fileURLToPath(new URL(`../${name}.ts`, import.meta.url))
  if (!existsSync(file)) throw new Error(`there is no bench named ${name}`)
  const child = spawn(process.execPath, [file, ...args], { stdio: ["ignore", "pipe", "inherit"] })
  const timer = setTimeout(() => child.kill("SIGTERM"), minutesMax * 60_000)
  const printed: Array<Buffer> = []
  child.stdout.on("data", (chunk: Buffer) => {
    printed.push(chunk)
    process.stdout.write(chunk)
  })
  const [code, signal] = await once(child, "close") as [number | null, NodeJS.Signals | null]
  clearTimeout(timer)
  if (code !== 0) throw new Error(`bench ${name} ended with ${code === null ? signal : `code ${code}`}`)
  return Buffer.concat(printed).toString()
}
