/**
 * Brings the log into the file while nothing is written. A commit that has to do it (`wal_autocheckpoint`) takes 20 µs a page
 * longer: 80 to 140 ms were measured, for which every later write and whoever reads after one waited. In a pause it is a few
 * hundred pages and about 12 ms. Without pauses the commits do it, seldom, which costs least a record.
 */
import type { DatabaseSync } from "node:sqlite"
import * as Rows from "./rows.ts"

/** So long after a commit without another it is a pause, ms. */
const pauseMs = 3
/** Pages in the log from which on it is brought in. */
export const pausePages = 500

/** Called after each commit. The timer keeps no thread alive; what fails is left to the next pause, or to a commit. */
export const inPauses = (db: DatabaseSync): () => void => {
  const log = Rows.prepareRows(db, "PRAGMA wal_checkpoint(NOOP)")
  let timer: NodeJS.Timeout | undefined
  const pause = (): void => {
    if (!db.isOpen) return
    try {
      const [, pages, done] = log.first()!.map(Rows.integer) as [number, number, number]
      if (pages - done >= pausePages) db.exec("PRAGMA wal_checkpoint(PASSIVE)")
    } catch {
      // the file is locked while it is repaired, or the disk fails, of which commits tell
    }
  }
  return () => {
    if (timer === undefined) timer = setTimeout(pause, pauseMs).unref()
    else timer.refresh()
  }
}
