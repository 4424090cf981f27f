/**
 * Unread is derived when it is read, and never stored (SPEC §5.3): the shown messages of others above the reader's
 * effective mark, counted up to a cap. The store counts by sender; here it is decided whether the count can be believed.
 */
import * as Hlc from "./hlc.ts"
import type { Address } from "./ids.ts"
import { unreadMax } from "./limits.ts"

/** How many messages a count must look at to know that there are more than the cap. */
export const unreadScanMax = unreadMax + 1

export interface Unread {
  /** At most `unreadMax`. */
  readonly unread: number
  /** Whether there are more than that. */
  readonly capped: boolean
}

export const unread = (shown: number): Unread => ({ unread: Math.min(shown, unreadMax), capped: shown > unreadMax })

/** What is read: everything at or below it. `since`: of the reader, in a group; what is before her joining is not unread. */
export const effectiveMark = (upTo: Hlc.Hlc | undefined, since: Hlc.Hlc | undefined): Hlc.Hlc =>
  Hlc.max(upTo ?? Hlc.zero, since ?? Hlc.zero)

/** What one sender wrote of the messages that were counted. */
export interface Counted {
  readonly sender: Address
  readonly count: number
  readonly first: Hlc.Hlc
  readonly last: Hlc.Hlc
}

/**
 * Sums counts when all that was counted is shown for sure: each sender was a member from her first to her last message.
 * Else the messages must be looked at one by one (`Store.headers`). In a direct conversation all are shown.
 */
export const countShown = (
  counts: ReadonlyArray<Counted>,
  isMemberThroughout: (sender: Address, from: Hlc.Hlc, to: Hlc.Hlc) => boolean
): number | "look closer" => {
  let shown = 0
  for (const { count, first, last, sender } of counts) {
    if (!isMemberThroughout(sender, first, last)) return "look closer"
    shown += count
  }
  return shown
}
