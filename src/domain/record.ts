/**
 * The four kinds of record that nodes replicate (SPEC §5). A record is what its author signed, the envelope of its
 * ingest node, and its id, which is derived and never travels.
 */
import type { Hlc } from "./hlc.ts"
import type * as Ids from "./ids.ts"

/** Version 1 signs keccak256 of the string, version 2 its EIP-191 hash (SPEC §3). */
export type SigVersion = 1 | 2

/** What the ingest node adds to every record. */
export interface Envelope {
  /** The node that the author addressed. */
  readonly node: Ids.NodeId
  /** 65 bytes: r[32] || s[32] || v, v being 0 or 1. */
  readonly sig: Uint8Array
  readonly sigVersion: SigVersion
  /** Given by the ingest node. */
  readonly hlc: Hlc
}

export interface Message extends Ids.MessageFields, Envelope {
  readonly kind: "message"
  readonly id: Ids.MessageId
  /** The other party, in a direct conversation only. */
  readonly peer?: Ids.Address | undefined
}

/** A dot: op id and target joined, 52 bytes in hex; order is (op_id, target). */
export type Dot = string & { readonly Dot: unique symbol }

export const dotOf = (opId: Ids.OpId | Ids.ChatId, target: Ids.Address): Dot => `${opId}${target}` as Dot
export const dotOpId = (dot: Dot): Ids.OpId => dot.slice(0, 64) as Ids.OpId
export const dotTarget = (dot: Dot): Ids.Address => dot.slice(64) as Ids.Address

export interface Op extends Ids.OpFields, Envelope {
  readonly kind: "op"
  readonly id: Ids.OpId
  /** On a removal, and only there: the dots of its targets that were live at the ingest node, strictly ascending. */
  readonly observed?: ReadonlyArray<Dot> | undefined
  /** 64 bytes: the ingest node's signature over `stampDigest`. */
  readonly stamp: Uint8Array
}

export interface Read extends Ids.ReadFields, Envelope {
  readonly kind: "read"
  readonly id: Ids.ReadId
  /** The other party, in a direct conversation only. */
  readonly peer?: Ids.Address | undefined
}

export interface Identity extends Ids.IdentityFields, Envelope {
  readonly kind: "identity"
  readonly id: Ids.IdentityId
}

export type Record = Message | Op | Read | Identity
export type Kind = Record["kind"]

/** The three sets that are compared between nodes, each with a Merkle tree of its own (SPEC §6). */
export type Domain = "messages" | "members" | "identity"
export const domains: ReadonlyArray<Domain> = ["identity", "members", "messages"]

export const domainOf = (record: Record): Domain => {
  switch (record.kind) {
    case "message":
      return "messages"
    case "op":
    case "read":
      return "members"
    case "identity":
      return "identity"
  }
}

export const opTypes = { create: 0, add: 1, remove: 2, setTitle: 3 } as const
export const roles = { member: 0, admin: 1 } as const

export const authorOf = (record: Record): Ids.Address => {
  switch (record.kind) {
    case "message":
      return record.sender
    case "op":
      return record.actor
    case "read":
      return record.reader
    case "identity":
      return record.address
  }
}

/** A leave is a removal of exactly oneself. */
export const isLeave = (op: Pick<Op, "op" | "actor" | "targets">): boolean =>
  op.op === opTypes.remove && op.targets.length === 1 && op.targets[0] === op.actor

const fixedBytes = 512

/** {@link sizeOf} a message, by what of it is not of fixed length. */
export const sizeOfMessage = ({ content, control }: Pick<Message, "content" | "control">): number =>
  fixedBytes + content.length + (control?.length ?? 0)

/** Roughly what a record takes in memory, bytes: for bounds. */
export const sizeOf = (record: Record): number => {
  switch (record.kind) {
    case "message":
      return sizeOfMessage(record)
    case "op":
      return fixedBytes + record.targets.length * 128 + (record.observed?.length ?? 0) * 128
    case "read":
    case "identity":
      return fixedBytes
  }
}
