/** What a process takes, as Linux tells it. */
import { readFileSync } from "node:fs"

/** Resident memory of a process, bytes. */
export const memoryOf = (pid: number): number => {
  const kib = /^VmRSS:\s+([0-9]+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
  return Number(kib) * 1_024
}
