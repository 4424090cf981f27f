/**
 * Which records a set of records comes to, plainly: of all variants in one slot the one that SPEC §5, §5.3 and §5.4 name.
 * Each order is written down as one text, so that comparing is comparing texts.
 */
import type { Record } from "../../domain/record.ts"

/** Below all characters that a part of a text may have. */
const end = "\0"

const stamp = (hlc: bigint): string => hlc.toString(16).padStart(16, "0")

const lines = (...parts: ReadonlyArray<string>): string => parts.join(end)

/** The place that a record competes for, by lengths of its own for each kind of place. */
export const slotIn = (record: Record): string => {
  switch (record.kind) {
    // ids of different kinds differ: the name of the kind is hashed
    case "message":
    case "op":
      return record.id
    case "read":
      return record.chatId + record.reader
    case "identity":
      return record.address
  }
}

/** `opt(u16be(n) || dots)` in hex: what the stamp of an op hashes. */
const observedText = (observed: ReadonlyArray<string> | undefined): string =>
  observed === undefined ? "00" : `01${observed.length.toString(16).padStart(4, "0")}${observed.join("")}`

/** Whether `a` takes the slot from `b`; equal records do not. */
export const takes = (a: Record, b: Record): boolean => {
  switch (a.kind) {
    // the smaller (hlc, node, observed, sig_version, sig, stamp)
    case "message":
    case "op":
      return rank(a) < rank(b)
    // the greater (up_to, hlc, read_id, node, sig_version, sig), and without up_to for an identity
    case "read":
    case "identity":
      return rank(a) > rank(b)
  }
}

const rank = (record: Record): string => {
  const { hlc, id, node, sig, sigVersion } = record
  const signed = [String(sigVersion), sig.toHex()]
  switch (record.kind) {
    case "message":
      return lines(stamp(hlc), node, observedText(undefined), ...signed)
    case "op":
      return lines(stamp(hlc), node, observedText(record.observed), ...signed, record.stamp.toHex())
    case "read":
      return lines(stamp(record.upTo), stamp(hlc), id, node, ...signed)
    case "identity":
      return lines(stamp(hlc), id, node, ...signed)
  }
}

/** One record a slot. In the order in which slots were first met. */
export const oneEach = <A extends Record>(records: Iterable<A>): ReadonlyArray<A> => {
  const best = new Map<string, A>()
  for (const record of records) {
    const slot = slotIn(record)
    const rival = best.get(slot)
    if (rival === undefined || (rival !== record && takes(record, rival))) best.set(slot, record)
  }
  return [...best.values()]
}
