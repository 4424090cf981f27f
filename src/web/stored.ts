/**
 * What the page keeps in the browser: settings, and the encrypted key. Nothing secret is written in clear. A browser that
 * keeps nothing (a private window, storage switched off) leaves the page working for as long as it is open.
 */

const prefix = "p2p-mes/"
/** Stands in where the browser gives no storage. */
const memory = new Map<string, string>()

const storage = (): Storage | undefined => {
  try {
    return globalThis.localStorage
  } catch {
    return undefined
  }
}

export const read = (name: string): string | undefined => {
  try {
    return storage()?.getItem(prefix + name) ?? memory.get(name)
  } catch {
    return memory.get(name)
  }
}

/** Says whether it will be there the next time. */
export const write = (name: string, value: string): boolean => {
  try {
    const kept = storage()
    if (kept !== undefined) {
      kept.setItem(prefix + name, value)
      // what another window removes is gone here, too
      memory.delete(name)
      return true
    }
  } catch {
    // kept as long as the page is open
  }
  memory.set(name, value)
  return false
}

export const remove = (name: string): void => {
  memory.delete(name)
  try {
    storage()?.removeItem(prefix + name)
  } catch {
    // where nothing can be written, nothing was kept
  }
}

/** Tells when another window of this browser changes what is kept under `name`. */
export const onOtherWindow = (name: string, tell: () => void): void => {
  addEventListener("storage", (event) => {
    if (event.key === prefix + name || event.key === null) tell()
  })
}
