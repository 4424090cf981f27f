/**
 * What every record must be, wherever it is: of valid form, signed by its author and, an op, by its node (SPEC §2, §3, §5).
 *
 * Rule: it is written after the words of SPEC, numbers included, and shares with the door that a node judges records by
 * only the derivation of ids, the wire form and the library that checks signatures.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Bytes from "../../domain/bytes.ts"
import { type Hashes, Hashing } from "../../domain/hashing.ts"
import * as Ids from "../../domain/ids.ts"
import { parseNodeId } from "../../domain/node-id.ts"
import { authorOf, type Op, type Record } from "../../domain/record.ts"
import * as Wire from "../../domain/wire.ts"
import { Verifier } from "../../services/Verifier.ts"

const sameValue = (a: unknown, b: unknown): boolean => {
  if (a === b) return true
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Bytes.equal(a, b)
  return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((each, i) => each === b[i])
}

/** Whether two records are the same in all that travels, and in id. */
export const sameRecord = (a: Record, b: Record): boolean => {
  if (a === b) return true
  if (a.id !== b.id || a.hlc !== b.hlc || a.kind !== b.kind) return false
  const [mine, other] = [a, b] as unknown as ReadonlyArray<{ readonly [field: string]: unknown }>
  for (const field in mine) if (!sameValue(mine[field], other![field])) return false
  for (const field in other) if (mine![field] === undefined && other[field] !== undefined) return false
  return true
}

/** Kind and the first 8 digits of the id: how findings name a record. */
export const nameOf = ({ id, kind }: { readonly kind: string; readonly id: string }): string =>
  `${kind} ${id.slice(0, 8)}`

/** Ms since the epoch of a stamp, and back. */
export const msOf = (hlc: bigint): number => Number(hlc >> 16n)

/** The group of a record; none in direct conversations and of identities. */
export const groupOf = (record: Record): Ids.ChatId | undefined =>
  record.kind === "op" || (record.kind !== "identity" && record.peer === undefined) ? record.chatId : undefined

const idOf = (hashes: Hashes, record: Record): string => {
  switch (record.kind) {
    case "message":
      return Ids.messageId(hashes, record)
    case "op":
      return Ids.opId(hashes, record)
    case "read":
      return Ids.readId(hashes, record)
    case "identity":
      return Ids.identityId(hashes, record)
  }
}

/** Half of the order of secp256k1: a higher s is refused (SPEC §3). */
const halfOrder = "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0"
const zeros = "0".repeat(64)

const signatureShape = (sig: Uint8Array): string | undefined => {
  const hex = sig.toHex()
  if (hex.length !== 130) return "sig has not 65 bytes"
  const [r, s, v] = [hex.slice(0, 64), hex.slice(64, 128), hex.slice(128)]
  if (v !== "00" && v !== "01") return "v of sig is not 0 or 1"
  if (r === zeros || s === zeros) return "r or s of sig is 0"
  return s > halfOrder ? "s of sig is high" : undefined
}

const isAscending = (items: ReadonlyArray<string>): boolean => items.every((each, i) => i === 0 || items[i - 1]! < each)

/** The table of SPEC §5.2. */
const opShape = (hashes: Hashes, op: Op): string | undefined => {
  const [create, , remove, setTitle] = [0, 1, 2, 3].map((type) => op.op === type)
  if (op.role !== 0 && op.op !== 1) return "role is not for this op"
  if (!isAscending(op.targets)) return "targets are not strictly ascending"
  if (setTitle ? op.targets.length !== 0 : !create && op.targets.length === 0) return "number of targets"
  if (op.title === undefined ? setTitle : !create && !setTitle) return "title"
  if ((op.nonce !== undefined) !== create) return "nonce"
  if ((op.observed !== undefined) !== remove) return "observed"
  if (!isAscending(op.observed ?? [])) return "observed are not strictly ascending"
  if (!create) return undefined
  if (op.targets.includes(op.actor)) return "a create names its actor"
  return op.chatId === Ids.groupChatId(hashes, op.actor, op.nonce!) ? undefined : "chat_id is not of actor and nonce"
}

const bodyShape = (hashes: Hashes, record: Record): string | undefined => {
  if (record.kind === "op") return opShape(hashes, record)
  if (record.kind === "identity") return undefined
  const { chatId, peer } = record
  return peer === undefined || chatId === Ids.dmChatId(hashes, authorOf(record), peer)
    ? undefined
    : "chat_id is not of author and peer"
}

/** What is wrong with the form of a record, in itself; `undefined` when nothing is. */
const formTrouble = (hashes: Hashes, record: Record): string | undefined => {
  if (idOf(hashes, record) !== record.id) return "the id is not that of its fields"
  const shape = signatureShape(record.sig) ?? bodyShape(hashes, record)
  if (shape !== undefined) return shape
  if (!Number.isSafeInteger(record.ts) || record.ts < 1 || record.ts >= 2 ** 48) return "ts is out of range"
  if (Result.isFailure(parseNodeId(record.node))) return "node is no node id"
  const back = Wire.decode(hashes, record.kind, Wire.encode(record))
  return Result.isSuccess(back) && sameRecord(back.success, record) ? undefined : "its wire form says something else"
}

const isTextTooLong = (text: string, bytesMax: number): boolean =>
  !text.isWellFormed() || Bytes.fromText(text).length > bytesMax

/** Which constant of SPEC §5 and §10 a record does not keep; `undefined` when it keeps all. */
const boundTrouble = (record: Record): string | undefined => {
  const offMs = msOf(record.hlc) - record.ts
  if (Math.abs(offMs) > 90_000) return `is stamped ${offMs} ms from its ts`
  switch (record.kind) {
    case "message":
      if (isTextTooLong(record.content, 32_768) || (record.control?.length ?? 0) > 32_768) return "is too long"
      return Number.isInteger(record.msgType) && record.msgType >= 0 && record.msgType <= 255 ? undefined : "msg_type"
    case "op":
      if (isTextTooLong(record.title ?? "", 128)) return "has too long a title"
      if (record.targets.length > 256) return `has ${record.targets.length} targets`
      return (record.observed?.length ?? 0) > 4_096 ? `observed ${record.observed!.length} dots` : undefined
    case "read":
      return record.upTo > record.hlc ? "marks what is above its stamp" : undefined
    case "identity":
      return record.blob.length > 128 ? "has too long a blob" : undefined
  }
}

const signedDigest = (hashes: Hashes, record: Record): Uint8Array => {
  const signed = Bytes.fromText(
    ["p2p-mes/v1", record.kind, String(record.ts), record.node, record.id].join("\n")
  )
  if (record.sigVersion === 1) return hashes.keccak256(signed)
  const prefix = Bytes.fromText(`\x19Ethereum Signed Message:\n${signed.length}`)
  return hashes.keccak256(Bytes.concat([prefix, signed]))
}

const stampedDigest = (hashes: Hashes, op: Op): Uint8Array => {
  const { observed } = op
  const seen = observed === undefined
    ? [Uint8Array.of(0)]
    : [Uint8Array.of(1, observed.length >> 8, observed.length), Bytes.fromHex(observed.join(""))]
  return hashes.blake3(
    Bytes.concat([Bytes.fromText("p2p-mes/stamp/v1"), Bytes.fromHex(op.id), Bytes.u64be(op.hlc), ...seen])
  )
}

/** Whose signature is missing on a record of valid form; `undefined` when it is proved. In place: no time passes. */
const proofTrouble = (hashes: Hashes, verifier: Verifier["Service"], record: Record): string | undefined => {
  const recovery = {
    digest: signedDigest(hashes, record),
    rs: record.sig.subarray(0, 64),
    v: record.sig[64] as 0 | 1
  }
  if (Effect.runSync(verifier.recover(recovery)) !== authorOf(record)) return "is not signed by its author"
  if (record.kind !== "op") return undefined
  const key = Result.getOrThrow(parseNodeId(record.node))
  const stamp = { key, digest: stampedDigest(hashes, record), signature: record.stamp }
  return record.stamp.length === 64 && Effect.runSync(verifier.verifyNode(stamp))
    ? undefined
    : "is not stamped by its node"
}

/** What was found out about one variant of a record. Absent: nothing is wrong. */
export interface Examined {
  readonly record: Record
  /** Form and signatures. */
  readonly signature: string | undefined
  /** Constants of acceptance. */
  readonly acceptance: string | undefined
}

/** Looks at each variant of each record once, whichever nodes bring it: checking signatures is dear. */
export class Examiner {
  readonly #hashes: Hashes
  readonly #verifier: Verifier["Service"]
  readonly #seen = new Map<string, Array<Examined>>()

  constructor(shared: Context.Context<Hashing | Verifier>) {
    this.#hashes = Context.get(shared, Hashing)
    this.#verifier = Context.get(shared, Verifier)
  }

  /** What is wrong with a record that was not seen before; `undefined` for one that was. */
  first(record: Record): Examined | undefined {
    const variants = this.#seen.get(record.id)
    if (variants?.some((each) => sameRecord(each.record, record)) === true) return undefined
    const examined = this.look(record)
    if (variants === undefined) this.#seen.set(record.id, [examined])
    else variants.push(examined)
    return examined
  }

  look(record: Record): Examined {
    const signature = formTrouble(this.#hashes, record) ?? proofTrouble(this.#hashes, this.#verifier, record)
    return { record, signature, acceptance: boundTrouble(record) }
  }
}
