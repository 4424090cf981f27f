/**
 * Says in the words of `StoreError` what SQLite or the file system refused, and what the operator can do about it.
 */
import { StoreError } from "../../services/Store.ts"

/** The same as {@link StoreError}, in a form that crosses a thread border. */
export interface Failure {
  readonly reason: StoreError["reason"]
  readonly message: string
}

/** A stored row that cannot be read as a record. */
export class DamagedRow extends Error {}

const sqliteReasons: { readonly [code: number]: Failure["reason"] } = {
  3: "readonly", // PERM
  5: "locked", // BUSY
  6: "locked", // LOCKED
  8: "readonly", // READONLY
  11: "corrupt", // CORRUPT
  13: "full", // FULL
  14: "readonly", // CANTOPEN
  23: "readonly", // AUTH
  26: "corrupt" // NOTADB
}

const systemReasons: { readonly [code: string]: Failure["reason"] } = {
  EACCES: "readonly",
  EPERM: "readonly",
  EROFS: "readonly",
  ENOSPC: "full",
  EDQUOT: "full"
}

const advice: { readonly [reason in Failure["reason"]]: string } = {
  full: "free some space or raise the limit; nothing of the batch was kept",
  readonly: "this process may not write there: check the owner, the mode and the mount",
  corrupt: "the file is damaged: stop the node and take the newest backup",
  locked: "another process uses it",
  stopped: "restart the node",
  io: "see the system log for the disk"
}

const reasonOf = (cause: unknown): Failure["reason"] => {
  if (cause instanceof DamagedRow) return "corrupt"
  if (typeof cause !== "object" || cause === null) return "io"
  // The low byte of an extended result code is the primary one.
  if ("errcode" in cause && typeof cause.errcode === "number") return sqliteReasons[cause.errcode & 0xff] ?? "io"
  if ("code" in cause && typeof cause.code === "string") return systemReasons[cause.code] ?? "io"
  return "io"
}

/** What went wrong at `path`. */
export const failureOf = (cause: unknown, path: string): Failure => {
  const reason = reasonOf(cause)
  const text = cause instanceof Error ? cause.message : String(cause)
  return { reason, message: `${path}: ${text}; ${advice[reason]}` }
}

export const storeError = (failure: Failure): StoreError =>
  new StoreError({ reason: failure.reason, message: failure.message })
