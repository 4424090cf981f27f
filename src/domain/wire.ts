/**
 * The wire form of records: deterministic CBOR maps (RFC 8949 §4.2) with exactly the keys of SPEC §5. Ids are not sent
 * but recomputed here, so a decoded record's id can be believed.
 *
 * Decoding is strict by construction. Nearly every record is read by `canonical-read.ts`, which knows one form only. What it
 * does not take is read generally, encoded again, and must give the same bytes: that refuses unsorted keys, long forms,
 * floats, invalid UTF-8 and indefinite lengths in one place, and says what is wrong.
 */
import { decode as decodeCbor, Token, Tokenizer, Type } from "cborg"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Bytes from "./bytes.ts"
import { Cursor, readRecord } from "./canonical-read.ts"
import { encode } from "./canonical.ts"
import type { Hashes } from "./hashing.ts"
import type { Hlc } from "./hlc.ts"
import * as Ids from "./ids.ts"
import { type Dot, dotOf, dotOpId, dotTarget, type Kind, type Record } from "./record.ts"

/** These bytes are no record, and never will be. */
export class InvalidRecord extends Schema.TaggedError<InvalidRecord>()("InvalidRecord", {
  /** The key that is wrong, or "cbor". */
  field: Schema.String,
  message: Schema.String
}) {}

const invalid = (field: string, message: string): InvalidRecord => new InvalidRecord({ field, message })

/** A foreign key is named in the error up to here: it may be as long as the frame, and errors are logged. */
const fieldCharsMax = 64

type Wire = { [key: string]: unknown }

const envelopeOf = (record: Record): Wire => ({
  node: record.node,
  sig: record.sig,
  sig_version: record.sigVersion,
  hlc: Bytes.u64be(record.hlc)
})

/** A record as the map that is its wire form, for a message that embeds it; cborg sorts the keys. */
export const toValue = (record: Record): { readonly [key: string]: unknown } => {
  const wire = envelopeOf(record)
  wire["ts"] = record.ts
  switch (record.kind) {
    case "message":
      wire["chat_id"] = Bytes.fromHex(record.chatId)
      wire["sender"] = Bytes.fromHex(record.sender)
      if (record.peer !== undefined) wire["peer"] = Bytes.fromHex(record.peer)
      wire["msg_type"] = record.msgType
      wire["content"] = record.content
      if (record.control !== undefined) wire["control"] = record.control
      return wire
    case "op":
      wire["chat_id"] = Bytes.fromHex(record.chatId)
      wire["actor"] = Bytes.fromHex(record.actor)
      wire["op"] = record.op
      wire["role"] = record.role
      wire["targets"] = record.targets.map(Bytes.fromHex)
      if (record.title !== undefined) wire["title"] = record.title
      if (record.nonce !== undefined) wire["nonce"] = Bytes.fromHex(record.nonce)
      if (record.observed !== undefined) {
        wire["observed"] = record.observed.map((
          dot
        ) => [Bytes.fromHex(dotOpId(dot)), Bytes.fromHex(dotTarget(dot))])
      }
      wire["stamp"] = record.stamp
      return wire
    case "read":
      wire["chat_id"] = Bytes.fromHex(record.chatId)
      wire["reader"] = Bytes.fromHex(record.reader)
      if (record.peer !== undefined) wire["peer"] = Bytes.fromHex(record.peer)
      wire["up_to"] = Bytes.u64be(record.upTo)
      return wire
    case "identity":
      wire["address"] = Bytes.fromHex(record.address)
      wire["blob"] = record.blob
      return wire
  }
}

export { encode }

/** Takes the keys of a map one by one; what is left at the end was not expected. */
class Reader {
  readonly map: Map<unknown, unknown>
  constructor(map: Map<unknown, unknown>) {
    this.map = map
  }

  take(field: string): unknown {
    const value = this.map.get(field)
    this.map.delete(field)
    return value
  }

  bytes(field: string, length?: number): Uint8Array {
    return asBytes(field, this.take(field), length)
  }

  optionalBytes(field: string, length?: number): Uint8Array | undefined {
    return this.map.has(field) ? this.bytes(field, length) : undefined
  }

  hex<A extends string>(field: string, length: number): A {
    return Bytes.toHex(this.bytes(field, length)) as A
  }

  text(field: string): string {
    const value = this.take(field)
    if (typeof value !== "string") throw invalid(field, "expected text")
    return value
  }

  uint(field: string, max: number): number {
    const value = this.take(field)
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0 || value > max) {
      throw invalid(field, `expected an integer from 0 to ${max}`)
    }
    return value
  }

  list(field: string): ReadonlyArray<unknown> {
    const value = this.take(field)
    if (!Array.isArray(value)) throw invalid(field, "expected an array")
    return value
  }

  end(): void {
    for (const key of this.map.keys()) throw invalid(String(key).slice(0, fieldCharsMax), "unknown key")
  }
}

const asBytes = (field: string, value: unknown, length?: number): Uint8Array => {
  if (!(value instanceof Uint8Array)) throw invalid(field, "expected bytes")
  if (length !== undefined && value.length !== length) throw invalid(field, `expected ${length} bytes`)
  return value
}

const readEnvelope = (reader: Reader) => ({
  ts: reader.uint("ts", Number.MAX_SAFE_INTEGER),
  node: reader.text("node") as Ids.NodeId,
  sig: reader.bytes("sig", 65),
  sigVersion: readSigVersion(reader),
  hlc: Bytes.readU64be(reader.bytes("hlc", 8)) as Hlc
})

const readSigVersion = (reader: Reader): 1 | 2 => {
  const version = reader.uint("sig_version", 2)
  if (version === 0) throw invalid("sig_version", "expected 1 or 2")
  return version as 1 | 2
}

const readDot = (pair: unknown): Dot => {
  if (!Array.isArray(pair) || pair.length !== 2) throw invalid("observed", "expected pairs of op id and target")
  return dotOf(
    Bytes.toHex(asBytes("observed", pair[0], 32)) as Ids.OpId,
    Bytes.toHex(asBytes("observed", pair[1], 20)) as Ids.Address
  )
}

const optionalField = <K extends string, A>(key: K, value: A | undefined): { readonly [P in K]?: A } =>
  (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: A }

const recordFrom = (hashes: Hashes, kind: Kind, reader: Reader): Record => {
  const envelope = readEnvelope(reader)
  switch (kind) {
    case "message": {
      const fields = {
        ...envelope,
        chatId: reader.hex<Ids.ChatId>("chat_id", 32),
        sender: reader.hex<Ids.Address>("sender", 20),
        ...optionalField("peer", reader.map.has("peer") ? reader.hex<Ids.Address>("peer", 20) : undefined),
        msgType: reader.uint("msg_type", 255),
        content: reader.text("content"),
        ...optionalField("control", reader.optionalBytes("control"))
      }
      return { kind, id: Ids.messageId(hashes, fields), ...fields }
    }
    case "op": {
      const fields = {
        ...envelope,
        chatId: reader.hex<Ids.ChatId>("chat_id", 32),
        actor: reader.hex<Ids.Address>("actor", 20),
        op: reader.uint("op", 3) as Ids.OpType,
        role: reader.uint("role", 1) as Ids.RoleCode,
        targets: reader.list("targets").map((target) => Bytes.toHex(asBytes("targets", target, 20)) as Ids.Address),
        ...optionalField("title", reader.map.has("title") ? reader.text("title") : undefined),
        ...optionalField("nonce", reader.map.has("nonce") ? reader.hex<Ids.Nonce>("nonce", 16) : undefined),
        ...optionalField("observed", reader.map.has("observed") ? reader.list("observed").map(readDot) : undefined),
        stamp: reader.bytes("stamp", 64)
      }
      return { kind, id: Ids.opId(hashes, fields), ...fields }
    }
    case "read": {
      const fields = {
        ...envelope,
        chatId: reader.hex<Ids.ChatId>("chat_id", 32),
        reader: reader.hex<Ids.Address>("reader", 20),
        ...optionalField("peer", reader.map.has("peer") ? reader.hex<Ids.Address>("peer", 20) : undefined),
        upTo: Bytes.readU64be(reader.bytes("up_to", 8)) as Hlc
      }
      return { kind, id: Ids.readId(hashes, fields), ...fields }
    }
    case "identity": {
      const fields = { ...envelope, address: reader.hex<Ids.Address>("address", 20), blob: reader.bytes("blob") }
      return { kind, id: Ids.identityId(hashes, fields), ...fields }
    }
  }
}

const decodeOptions = {
  useMaps: true,
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
  rejectDuplicateMapKeys: true
}

/** Puts back the byte order mark that cborg takes off the start of a text: text is never normalised (SPEC §2). */
class ExactTokenizer extends Tokenizer {
  override next(): Token {
    const start = this.pos()
    const token = super.next()
    if (token.type !== Type.string) return token
    const head = this.data[start]! & 31
    const at = start + (head < 24 ? 1 : 1 + (1 << (head - 24)))
    return this.data[at] === 0xef && this.data[at + 1] === 0xbb && this.data[at + 2] === 0xbf && at + 3 <= this.pos()
      ? new Token(Type.string, `\ufeff${token.value}`, token.encodedLength)
      : token
  }
}

/**
 * Reads CBOR, maps as `Map`. Throws where there is none; what it gives is canonical only if encoding it gives the same
 * bytes. Copies what it reads, so that a record never keeps the frame alive that it came in; hence no `Buffer`, which
 * would not.
 */
export const decodeExact = (bytes: Uint8Array): unknown => {
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return decodeCbor(plain, { ...decodeOptions, tokenizer: new ExactTokenizer(plain, decodeOptions) })
}

/** Reads a map of {@link decodeExact}, whose keys it takes out. Throws {@link InvalidRecord}. For {@link reading}. */
export const fromValue = (hashes: Hashes, kind: Kind, value: unknown): Record => {
  if (!(value instanceof Map)) throw invalid("cbor", "expected a map")
  const reader = new Reader(value)
  const record = recordFrom(hashes, kind, reader)
  reader.end()
  return record
}

/** What `read` gives or throws, as a result: any bytes may come, and none may throw further. */
export const reading = <A>(read: () => A): Result.Result<A, InvalidRecord> => {
  try {
    return Result.succeed(read())
  } catch (error) {
    return Result.fail(
      error instanceof InvalidRecord ? error : invalid("cbor", error instanceof Error ? error.message : String(error))
    )
  }
}

/**
 * Reads canonical bytes of a record of `kind`. Checks the form of the bytes only; `acceptance.formProblem` checks what
 * they say.
 */
export const decode = (hashes: Hashes, kind: Kind, bytes: Uint8Array): Result.Result<Record, InvalidRecord> => {
  const cursor = new Cursor(bytes)
  const record = readRecord(hashes, kind, cursor)
  return record !== undefined && cursor.done ? Result.succeed(record) : decodeStrictly(hashes, kind, bytes)
}

/** The same by a general decoder, which can tell what is wrong. */
export const decodeStrictly = (hashes: Hashes, kind: Kind, bytes: Uint8Array): Result.Result<Record, InvalidRecord> =>
  reading(() => {
    const record = fromValue(hashes, kind, decodeExact(bytes))
    if (!Bytes.equal(encode(record), bytes)) throw invalid("cbor", "the encoding is not canonical")
    return record
  })

const leafTag = Bytes.fromText("p2p-mes/leaf/v1")

/**
 * Digest of a record in its Merkle leaf: over everything that is stored (SPEC §6). `hash` is BLAKE3, keyed where the
 * network has a key.
 */
export const leafDigest = (hash: (bytes: Uint8Array) => Uint8Array, record: Record): Uint8Array =>
  leafDigestOf(hash, encode(record))

/** The same, of the bytes that {@link encode} gives. */
export const leafDigestOf = (hash: (bytes: Uint8Array) => Uint8Array, encoded: Uint8Array): Uint8Array =>
  hash(Bytes.concat([leafTag, encoded]))
