/**
 * What the page wants to know, asked of a node: each thing once at a time, a few at once, and what had no answer again when
 * there is a connection.
 */
import type { Want } from "./state.ts"

const askedMax = 4
const queuedMax = 500
/** The inbox is asked for after a pause, so that a burst of events asks once, ms. */
const inboxPauseMs = 250

const keyOf = (want: Want): string => {
  switch (want.what) {
    case "inbox":
      return "inbox"
    case "history":
    case "members":
      return `${want.what} ${want.chatId}`
    case "name":
      return `name ${want.address}`
  }
}

export interface Asking {
  want(want: Want): void
  /** Asks again for what had no answer. */
  again(): void
  /** Lets go of all that is not asked yet. */
  stop(): void
}

/** `ask` says whether it got an answer; it never throws. */
export const make = (ask: (want: Want) => Promise<boolean>): Asking => {
  const queued = new Map<string, Want>()
  const unanswered = new Map<string, Want>()
  const asked = new Set<string>()
  let isStopped = false

  const next = (): void => {
    for (const [key, want] of queued) {
      if (asked.size >= askedMax || isStopped) return
      if (asked.has(key)) continue
      queued.delete(key)
      asked.add(key)
      void run(key, want)
    }
  }

  const run = async (key: string, want: Want) => {
    if (want.what === "inbox") await new Promise((resume) => setTimeout(resume, inboxPauseMs))
    if (isStopped) return
    if (await ask(want)) unanswered.delete(key)
    else if (unanswered.size < queuedMax) unanswered.set(key, want)
    asked.delete(key)
    next()
  }

  const want = (want: Want): void => {
    const key = keyOf(want)
    // a name that is being asked for is not news; what is read for changes may have changed again meanwhile
    if (queued.size >= queuedMax || (want.what === "name" && asked.has(key))) return
    queued.set(key, want)
    next()
  }

  return {
    want,
    again: () => {
      const before = [...unanswered.values()]
      unanswered.clear()
      before.forEach(want)
    },
    stop: () => {
      isStopped = true
      queued.clear()
      unanswered.clear()
    }
  }
}
