/**
 * Which of two records for one slot stays (SPEC §5, §5.3, §5.4). Each rule is a total order, variants included, so that
 * replicas keep the same one whatever came first.
 *
 * Slots: a message or an op by its id (one text signed, stamped by two nodes); a read mark by (chat, reader); an
 * identity by its address.
 */
import * as Bytes from "./bytes.ts"
import type { Identity, Message, Op, Read, Record } from "./record.ts"
import { observedBytes } from "./signature.ts"

/** Order of stamped variants of one id: the smaller wins. */
const compareStamped = (a: Message | Op, b: Message | Op): number =>
  compareBig(a.hlc, b.hlc) ||
  Bytes.compareText(a.node, b.node) ||
  Bytes.compare(observedOf(a), observedOf(b)) ||
  a.sigVersion - b.sigVersion ||
  Bytes.compare(a.sig, b.sig) ||
  Bytes.compare(stampOf(a), stampOf(b))

const compareBig = (a: bigint, b: bigint): number => a < b ? -1 : a > b ? 1 : 0

const none = new Uint8Array()
const observedOf = (record: Message | Op): Uint8Array =>
  record.kind === "op" ? observedBytes(record.observed) : observedBytes(undefined)
const stampOf = (record: Message | Op): Uint8Array => record.kind === "op" ? record.stamp : none

/** Order of read marks of one reader in one chat: the greater wins. */
const compareReads = (a: Read, b: Read): number =>
  compareBig(a.upTo, b.upTo) ||
  compareBig(a.hlc, b.hlc) ||
  Bytes.compareText(a.id, b.id) ||
  Bytes.compareText(a.node, b.node) ||
  a.sigVersion - b.sigVersion ||
  Bytes.compare(a.sig, b.sig)

/** Order of identities of one address: the greater wins. */
const compareIdentities = (a: Identity, b: Identity): number =>
  compareBig(a.hlc, b.hlc) ||
  Bytes.compareText(a.id, b.id) ||
  Bytes.compareText(a.node, b.node) ||
  a.sigVersion - b.sigVersion ||
  Bytes.compare(a.sig, b.sig)

/** The name of the place that a record competes for; unique over all kinds. */
export const slotOf = (record: Record): string => {
  switch (record.kind) {
    case "message":
      return `m${record.id}`
    case "op":
      return `o${record.id}`
    case "read":
      return `r${record.chatId}${record.reader}`
    case "identity":
      return `i${record.address}`
  }
}

/** Whether `a` takes the slot from `b`. Both must be of one slot; equal records do not replace each other. */
export const wins = (a: Record, b: Record): boolean => {
  switch (a.kind) {
    case "message":
    case "op":
      return compareStamped(a, b as Message | Op) < 0
    case "read":
      return compareReads(a, b as Read) > 0
    case "identity":
      return compareIdentities(a, b as Identity) > 0
  }
}
