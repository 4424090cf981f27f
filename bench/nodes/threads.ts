/**
 * CPU time by process and by thread, as the kernel counts it, read from outside: what a node spends can be told from what its
 * peer, the load and the bench spend, and none of them has to count for itself.
 *
 * Linux only. Times of threads are those of the scheduler (ns), not of its clock ticks (10 ms).
 */
import { readdirSync, readFileSync } from "node:fs"
import { availableParallelism } from "node:os"

export const cores = availableParallelism()

/** Of a thread since it began. */
interface ThreadTime {
  readonly name: string
  readonly cpuMs: number
  /** Ready to run, and no core was free. */
  readonly waitedMs: number
}

const fieldsOf = (file: string): ReadonlyArray<string> => readFileSync(file, "utf8").trim().split(/\s+/)

/** All threads of a process by their number; those that end while they are read are left out. */
const threadsOf = (pid: number): ReadonlyMap<number, ThreadTime> => {
  const threads = new Map<number, ThreadTime>()
  for (const tid of readdirSync(`/proc/${pid}/task`)) {
    const directory = `/proc/${pid}/task/${tid}`
    try {
      const [ran, waited] = fieldsOf(`${directory}/schedstat`)
      const name = readFileSync(`${directory}/comm`, "utf8").trim()
      threads.set(Number(tid), { name, cpuMs: Number(ran) / 1e6, waitedMs: Number(waited) / 1e6 })
    } catch {
      continue
    }
  }
  return threads
}

/** What a thread, or several with one name, spent between two looks. */
export interface Spending {
  readonly name: string
  readonly cpuMs: number
  readonly waitedMs: number
}

export type Look = ReturnType<typeof threadsOf>

export const look = (pid: number): Look => threadsOf(pid)

/** What each thread spent from `before` to `after`. */
export const spendings = (before: Look, after: Look): ReadonlyMap<number, Spending> => {
  const spent = new Map<number, Spending>()
  for (const [tid, { cpuMs, name, waitedMs }] of after) {
    const since = before.get(tid)
    spent.set(tid, { name, cpuMs: cpuMs - (since?.cpuMs ?? 0), waitedMs: waitedMs - (since?.waitedMs ?? 0) })
  }
  return spent
}

export const totalCpuMs = (spent: ReadonlyMap<number, Spending>): number =>
  [...spent.values()].reduce((sum, { cpuMs }) => sum + cpuMs, 0)

/**
 * Spendings by what the threads of a node do, most first. `files` are the files that workers run, by their thread; of the two
 * database threads the busier one is the writer while there are writes.
 */
export const byRole = (
  spent: ReadonlyMap<number, Spending>,
  files: ReadonlyMap<number, string>
): ReadonlyArray<Spending> => {
  const roles = new Map<string, { cpuMs: number; waitedMs: number }>()
  const databases = [...files].filter(([, file]) => file.startsWith("database")).map(([tid]) => tid)
  const [writer] = databases.toSorted((a, b) => (spent.get(b)?.cpuMs ?? 0) - (spent.get(a)?.cpuMs ?? 0))
  const roleOf = (tid: number, name: string): string =>
    databases.includes(tid)
      ? tid === writer ? "database, writing" : "database, reading"
      : name.endsWith("MainThread")
      ? "event loop"
      : name === "verify"
      ? "verifier"
      : /V8Worker/.test(name)
      ? "garbage collection and compilation"
      : "the rest"
  for (const [tid, { cpuMs, name, waitedMs }] of spent) {
    const role = roleOf(tid, name)
    const sum = roles.get(role) ?? { cpuMs: 0, waitedMs: 0 }
    roles.set(role, { cpuMs: sum.cpuMs + cpuMs, waitedMs: sum.waitedMs + waitedMs })
  }
  return [...roles].map(([name, sum]) => ({ name, ...sum })).toSorted((a, b) => b.cpuMs - a.cpuMs)
}

const tickMs = 10

/** Time that all cores together were busy with anything, ms since the start of the machine. */
const machineBusyMs = (): number => {
  const [, user, nice, system, , , irq, softirq, steal] = fieldsOf("/proc/stat").map(Number) as Array<number>
  return (user! + nice! + system! + irq! + softirq! + steal!) * tickMs
}

/** A meter over some processes and the machine; `read` may be called several times. */
export const meter = (pids: { readonly [name: string]: number }) => {
  const [begunMs, busyMs] = [performance.now(), machineBusyMs()]
  const before = Object.entries(pids).map(([name, pid]) => ({ name, pid, look: look(pid) }))
  return {
    read: () => {
      const wallMs = performance.now() - begunMs
      const processes = new Map(before.map((each) => [each.name, spendings(each.look, look(each.pid))]))
      return { wallMs, busyMs: machineBusyMs() - busyMs, processes }
    }
  }
}

export type Metered = ReturnType<ReturnType<typeof meter>["read"]>
