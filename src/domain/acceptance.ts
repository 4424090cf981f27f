/**
 * Whether a replica takes a record (SPEC §5): a function of the record, of constants of the protocol, and of facts that
 * stay true once they are. So all replicas end with one set, whatever came first. Who is an admin *now* plays no part.
 *
 * Three questions, in this order: is it well formed ({@link formProblem}), did its author (and, for an op, its node)
 * sign it (`services/Verifier` over {@link signaturesOf}), and is it time ({@link standing})?
 */
import * as Result from "effect/Result"
import type { Authority } from "./authority.ts"
import * as Bytes from "./bytes.ts"
import type { Hashes } from "./hashing.ts"
import * as Hlc from "./hlc.ts"
import * as Ids from "./ids.ts"
import * as Limits from "./limits.ts"
import { type NodeKey, parseNodeId } from "./node-id.ts"
import { authorOf, type Op, opTypes, type Record } from "./record.ts"
import * as Retention from "./retention.ts"
import * as Signature from "./signature.ts"
import { InvalidRecord } from "./wire.ts"

type Problem = readonly [field: string, message: string] | undefined

const ascending = (items: ReadonlyArray<string>): boolean => {
  for (let i = 1; i < items.length; i++) if (items[i - 1]! >= items[i]!) return false
  return true
}

const textProblem = (field: string, text: string, bytesMax: number): Problem =>
  !Bytes.isWellFormed(text)
    ? [field, "holds a lone surrogate"]
    : Bytes.textLength(text) > bytesMax
    ? [field, `is longer than ${bytesMax} bytes`]
    : undefined

/** The shape of an op's fields by its type (the table of SPEC §5.2). The envelope plays no part. */
export const opShapeProblem = (hashes: Hashes, op: Ids.OpFields): Problem => {
  const create = op.op === opTypes.create
  const setTitle = op.op === opTypes.setTitle
  if (op.role !== 0 && op.op !== opTypes.add) return ["role", "is for add only"]
  if (op.targets.length > Limits.targetsMax) return ["targets", `are more than ${Limits.targetsMax}`]
  if (!ascending(op.targets)) return ["targets", "are not strictly ascending"]
  if (setTitle ? op.targets.length > 0 : !create && op.targets.length === 0) {
    return ["targets", setTitle ? "are not for set-title" : "are missing"]
  }
  if (create && op.targets.includes(op.actor)) return ["targets", "of a create do not name the creator"]
  if (op.title === undefined ? setTitle : !create && !setTitle) {
    return ["title", setTitle ? "is missing" : "is for create and set-title only"]
  }
  if (op.title !== undefined) {
    const problem = textProblem("title", op.title, Limits.titleBytesMax)
    if (problem !== undefined) return problem
  }
  if ((op.nonce !== undefined) !== create) return ["nonce", create ? "is missing" : "is for create only"]
  if (create && op.chatId !== Ids.groupChatId(hashes, op.actor, op.nonce!)) {
    return ["chat_id", "is not derived from the actor and the nonce"]
  }
  return undefined
}

const observedProblem = (op: Op): Problem => {
  if ((op.observed !== undefined) !== (op.op === opTypes.remove)) {
    return ["observed", op.op === opTypes.remove ? "is missing" : "is for remove only"]
  }
  if (op.observed === undefined) return undefined
  if (op.observed.length > Limits.observedMax) return ["observed", `are more than ${Limits.observedMax}`]
  return ascending(op.observed) ? undefined : ["observed", "are not strictly ascending"]
}

const bodyProblem = (hashes: Hashes, record: Record): Problem => {
  switch (record.kind) {
    case "message":
      if (!Number.isInteger(record.msgType) || record.msgType < 0 || record.msgType > Limits.msgTypeMax) {
        return ["msg_type", `is not from 0 to ${Limits.msgTypeMax}`]
      }
      if (record.control !== undefined && record.control.length > Limits.controlBytesMax) {
        return ["control", `is longer than ${Limits.controlBytesMax} bytes`]
      }
      return textProblem("content", record.content, Limits.contentBytesMax) ??
        dmProblem(hashes, record.chatId, record.sender, record.peer)
    case "op":
      return opShapeProblem(hashes, record) ?? observedProblem(record) ??
        (record.stamp.length === 64 ? undefined : ["stamp", "has not 64 bytes"])
    case "read":
      return record.upTo > record.hlc
        ? ["up_to", "is above the stamp"]
        : dmProblem(hashes, record.chatId, record.reader, record.peer)
    case "identity":
      return record.blob.length > Limits.identityBytesMax
        ? ["blob", `is longer than ${Limits.identityBytesMax} bytes`]
        : undefined
  }
}

const dmProblem = (
  hashes: Hashes,
  chatId: Ids.ChatId,
  author: Ids.Address,
  peer: Ids.Address | undefined
): Problem =>
  peer !== undefined && chatId !== Ids.dmChatId(hashes, author, peer)
    ? ["chat_id", "is not derived from author and peer"]
    : undefined

/** Why this record is invalid for ever, or `undefined`. Signatures are looked at for their shape only. */
export const formProblem = (hashes: Hashes, record: Record): InvalidRecord | undefined => {
  const problem = envelopeProblem(record) ?? bodyProblem(hashes, record)
  return problem === undefined ? undefined : new InvalidRecord({ field: problem[0], message: problem[1] })
}

const envelopeProblem = (record: Record): Problem => {
  if (!Number.isInteger(record.ts) || record.ts < 1 || record.ts >= Limits.tsMsEnd) {
    return ["ts", "is not between 1 and 2^48"]
  }
  const node = parseNodeId(record.node)
  if (Result.isFailure(node)) return ["node", node.failure]
  if (record.hlc < 0n || record.hlc >= 1n << 64n) return ["hlc", "is not a number of 64 bits"]
  if (Math.abs(Hlc.physicalMs(record.hlc) - record.ts) > Limits.stampMsMax) {
    return ["hlc", `is more than ${Limits.stampMsMax} ms from ts`]
  }
  const problem = Signature.signatureProblem(record.sig)
  return problem === undefined ? undefined : ["sig", problem]
}

/** What must verify: the author's recovery gives `author`; on an op also the node's signature. */
export interface Signatures {
  readonly author: Ids.Address
  readonly recovery: { readonly digest: Uint8Array; readonly rs: Uint8Array; readonly v: 0 | 1 }
  readonly stamp?: { readonly key: NodeKey; readonly digest: Uint8Array; readonly signature: Uint8Array } | undefined
}

/** The signatures of a record that has passed {@link formProblem}. */
export const signaturesOf = (hashes: Hashes, record: Record): Signatures => {
  const author = authorOf(record)
  const recovery = {
    digest: Signature.recordDigest(hashes, record),
    rs: record.sig.subarray(0, 64),
    v: record.sig[64] as 0 | 1
  }
  if (record.kind !== "op") return { author, recovery }
  return {
    author,
    recovery,
    stamp: {
      key: Result.getOrThrow(parseNodeId(record.node)),
      digest: Signature.stampDigest(hashes, record),
      signature: record.stamp
    }
  }
}

/**
 * Where a valid record stands now:
 * - `aged`: below the cutoff, gone for ever;
 * - `early`: its time comes;
 * - `waiting`: a prerequisite is missing, so far;
 * - `acceptable`.
 */
export type Standing = "aged" | "early" | "waiting" | "acceptable"

/** `authority`: of the record's chat, when it is a group that this node knows. */
export const standing = (record: Record, authority: Authority | undefined, wallMs: number): Standing => {
  if (Retention.isAged(record, Retention.cutoffMs(wallMs))) return "aged"
  if (Hlc.isEarly(record.hlc, wallMs)) return "early"
  return hasPrerequisites(record, authority) ? "acceptable" : "waiting"
}

const hasPrerequisites = (record: Record, authority: Authority | undefined): boolean => {
  switch (record.kind) {
    case "identity":
      return true
    case "message":
      return record.peer !== undefined || (authority?.isParticipant(record.sender) ?? false)
    case "read":
      return record.peer !== undefined || (authority?.isParticipant(record.reader) ?? false)
    case "op":
      return record.op === opTypes.create || (authority?.mayIssue(record) ?? false)
  }
}
