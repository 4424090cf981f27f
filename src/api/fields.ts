/**
 * How the values of the domain look in JSON (SPEC §2): fixed-length bytes as `0x` and lower-case hex, read in any case
 * and with or without `0x`; opaque bytes as padded base64, read strictly; stamps as 16 hex digits.
 *
 * Server and client share these schemas, so both sides work with domain values and never with their text.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as Bytes from "../domain/bytes.ts"
import * as Hlc from "../domain/hlc.ts"
import * as Ids from "../domain/ids.ts"
import * as Limits from "../domain/limits.ts"

const parsed = <A>(result: Result.Result<A, string>): Effect.Effect<A, SchemaIssue.Issue> =>
  Result.isSuccess(result)
    ? Effect.succeed(result.success)
    : Effect.fail(new SchemaIssue.InvalidValue({ message: result.failure }))

const hex = <A extends string>(
  identifier: string,
  description: string,
  length: number,
  parse: (input: string) => Result.Result<A, string>
) =>
  Schema.String.annotate({
    identifier,
    description: `${description}, ${length} bytes: 0x and ${
      length * 2
    } lower-case hex digits; read in any case, with or without 0x`,
    examples: [`0x${"1f".repeat(length)}`]
  }).pipe(
    Schema.decodeTo(
      Schema.declare((input): input is A => typeof input === "string"),
      SchemaTransformation.transformEffect({
        decode: (input: string) => parsed(parse(input)),
        encode: (value: A) => Effect.succeed(`0x${value}`)
      })
    )
  )

export const Address = hex("Address", "A user", 20, Ids.parseAddress)
export const ChatId = hex("ChatId", "A conversation", 32, Ids.parseChatId)
export const MessageId = hex("MessageId", "A message", 32, Ids.parseMessageId)
export const OpId = hex<Ids.OpId>("OpId", "A membership op", 32, (s) => Bytes.parseHex(s, 32) as never)
export const ReadId = hex<Ids.ReadId>("ReadId", "A read mark", 32, (s) => Bytes.parseHex(s, 32) as never)
export const IdentityId = hex<Ids.IdentityId>("IdentityId", "An identity", 32, (s) => Bytes.parseHex(s, 32) as never)
export const Nonce = hex("Nonce", "The creator's choice that makes a group's id", 16, Ids.parseNonce)

/** A stamp; in JSON 16 lower-case hex digits. */
export const Stamp = Schema.String.annotate({
  identifier: "Hlc",
  description: "A hybrid logical clock stamp: 16 hex digits, so that text order is time order",
  examples: ["018bcfe568000001"]
}).pipe(
  Schema.decodeTo(
    Schema.declare((input): input is Hlc.Hlc => typeof input === "bigint"),
    SchemaTransformation.transformEffect({
      decode: (input: string) => parsed(Hlc.parse(input)),
      encode: (value: Hlc.Hlc) => Effect.succeed(Hlc.toText(value))
    })
  )
)

/** Opaque bytes, at most `bytesMax`. */
export const opaque = (description: string, bytesMax: number) =>
  Schema.String.annotate({
    description: `${description}: at most ${bytesMax} bytes, as padded standard base64`,
    contentEncoding: "base64"
  }).pipe(
    Schema.decodeTo(
      Schema.declare((input): input is Uint8Array => input instanceof Uint8Array),
      SchemaTransformation.transformEffect({
        decode: (input: string) => parsed(Bytes.parseBase64(input)),
        encode: (value: Uint8Array) => Effect.succeed(Bytes.toBase64(value))
      })
    ),
    Schema.check(Schema.makeFilter<Uint8Array>((bytes) =>
      bytes.length <= bytesMax || `expected at most ${bytesMax} bytes, got ${bytes.length}`
    ))
  )

/** Text of at most `bytesMax` UTF-8 bytes without lone surrogates. */
export const text = (description: string, bytesMax: number) =>
  Schema.String.check(
    Schema.makeFilter<string>((value) =>
      !Bytes.isWellFormed(value)
        ? "expected text without lone surrogates"
        : Bytes.textLength(value) <= bytesMax || `expected at most ${bytesMax} bytes of UTF-8`
    )
  ).annotate({ description: `${description}: at most ${bytesMax} bytes of UTF-8` })

export const MsgType = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Limits.msgTypeMax })).annotate({
  description: "For the client to interpret; absent means 0"
})

/** A whole number in a query or a header. */
export const intFromText = (minimum: number, maximum: number) =>
  Schema.String.pipe(
    Schema.decodeTo(
      Schema.Int,
      SchemaTransformation.transformEffect({
        decode: (input: string) => {
          const value = Number(input)
          return /^(0|[1-9][0-9]{0,15})$/.test(input) && value >= minimum && value <= maximum
            ? Effect.succeed(value)
            : Effect.fail(
              new SchemaIssue.InvalidValue({ message: `expected a whole number from ${minimum} to ${maximum}` })
            )
        },
        encode: (value: number) => Effect.succeed(String(value))
      })
    )
  )

/** The media type of a stream of events. */
export const eventsType = "text/event-stream"

/** Where a page ends; made by the node and given back to it unread. */
export const Cursor = Schema.String.annotate({ identifier: "Cursor", description: "Opaque: as `next` gave it" })
