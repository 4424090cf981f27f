/**
 * Gives pages that the collector freed back to the file system, a few at a time.
 */
import type { DatabaseSync } from "node:sqlite"
import * as Rows from "./rows.ts"

/** `PRAGMA auto_vacuum` of a file whose free pages can be cut off in steps. */
const incremental = 2n

const value = (db: DatabaseSync, pragma: string): bigint =>
  BigInt(Rows.prepareRows(db, `PRAGMA ${pragma}`).first()?.[0] as bigint)

/**
 * Cuts off up to `pages`, and says how many free ones there still are. 0 and nothing done for a file that was made before
 * this program could: its free pages are used again, but stay in the file.
 */
export const reclaim = (db: DatabaseSync, pages: number): number => {
  if (value(db, "auto_vacuum") !== incremental) return 0
  const count = Math.floor(pages)
  // 0 would mean all of them
  if (count >= 1) db.exec(`PRAGMA incremental_vacuum(${count})`)
  return Number(value(db, "freelist_count"))
}
