/**
 * What a user makes of a node's answer: found, taken or refused, each decoded by the API's own schemas and nothing beside
 * them. Whatever the API does not describe is {@link Broken}: no input and no fault may bring that about.
 */
import * as Effect from "effect/Effect"
import * as HttpApi from "effect/http-api/HttpApi"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { NodeApi } from "../../api/NodeApi.ts"
import * as Bytes from "../../domain/bytes.ts"
import type { Hlc } from "../../domain/hlc.ts"
import * as Refusal from "../../domain/refusal.ts"
import type { HttpAnswer } from "./door.ts"

/** Anything that a node answers instead of what was asked. */
export type NodeRefusal =
  | Refusal.InvalidRequest
  | Refusal.Unauthenticated
  | Refusal.Forbidden
  | Refusal.NotFound
  | Refusal.Conflict
  | Refusal.TooLarge
  | Refusal.RateLimited
  | Refusal.Overloaded

/** A read's answer. */
export interface Found<A> {
  readonly kind: "found"
  readonly status: number
  readonly value: A
}

/** A write's answer. */
export interface Accepted {
  readonly kind: "accepted"
  readonly status: 201 | 202
  /** Status 201: the answer came after the commit. */
  readonly committed: boolean
  /** Of the record, 64 hex digits. */
  readonly id: string
  readonly hlc: Hlc
}

export interface Refused {
  readonly kind: "refused"
  readonly status: number
  readonly tag: NodeRefusal["_tag"]
  /** Of a tag that has reasons. */
  readonly reason?: string | undefined
  readonly refusal: NodeRefusal
}

/** An answer outside the API: a defect of the node. */
export interface Broken {
  readonly kind: "broken"
  readonly status: number
  readonly why: string
}

export type WriteOutcome = Accepted | Refused | Broken
export type ReadOutcome<A> = Found<A> | Refused | Broken

/** An outcome that is not what was asked for, in a few words that are the same for all of its kind. */
export const whyOf = (outcome: Refused | Broken): string => {
  if (outcome.kind === "broken") return `broken ${outcome.status}: ${outcome.why}`
  return outcome.reason === undefined ? outcome.tag : `${outcome.tag} ${outcome.reason}`
}

/** What an answer is that no node may give; `undefined` for the others. */
export const brokenBy = (outcome: WriteOutcome | ReadOutcome<unknown>): string | undefined =>
  outcome.kind === "broken" ? whyOf(outcome) : undefined

export const broken = ({ status }: HttpAnswer, why: string): Broken => ({ kind: "broken", status, why })

/** Decodes one body; keys that the schema does not know are an error. */
type Decoder = (input: unknown) => Effect.Effect<unknown, Schema.SchemaError>

interface Described {
  readonly successes: ReadonlyMap<number, Decoder>
  readonly refusals: ReadonlyMap<number, Decoder>
}

const decoder = (schemas: ReadonlyArray<Schema.Top>): Decoder =>
  Schema.decodeUnknownEffect(
    (schemas.length === 1 ? schemas[0]! : Schema.Union(schemas)) as Schema.Codec<unknown>,
    { onExcessProperty: "error" }
  )

const decoders = (byStatus: ReadonlyMap<number, ReadonlyArray<Schema.Top>>): ReadonlyMap<number, Decoder> =>
  new Map([...byStatus].map(([status, schemas]) => [status, decoder(schemas)]))

/** By group and name, as `dialogs.send`. */
const endpoints: ReadonlyMap<string, Described> = (() => {
  const found = new Map<string, Described>()
  HttpApi.reflect(NodeApi, {
    onGroup: () => {},
    onEndpoint: ({ endpoint, errors, group, successes }) => {
      found.set(`${group.identifier}.${endpoint.identifier}`, {
        successes: decoders(successes),
        refusals: decoders(errors)
      })
    }
  })
  return found
})()

/** SPEC §8: method, answer type and body type are refused as `InvalidRequest`, each with a status of its own. */
const otherStatuses: ReadonlySet<number> = new Set([405, 406, 415])
const decodeInvalidRequest: Decoder = decoder([Refusal.InvalidRequest])

const jsonOf = ({ body, headers }: HttpAnswer): Result.Result<unknown, string> => {
  const type = headers["content-type"]?.split(";")[0]?.trim()
  if (type !== "application/json") return Result.fail(`a body of type ${type}, ${body.length} bytes`)
  const text = Bytes.toText(body)
  if (text === undefined) return Result.fail("a body that is not UTF-8")
  return Result.try({ try: () => JSON.parse(text) as unknown, catch: () => "a body that is not JSON" })
}

/** The first line says what is wrong; where, the second. */
const told = (error: Schema.SchemaError): string => error.message.split("\n").map((line) => line.trim()).join(" ")

const refused = (answer: HttpAnswer, refusal: NodeRefusal): Refused | Broken => {
  if ("retry_after" in refusal && answer.headers["retry-after"] !== String(refusal.retry_after)) {
    return broken(answer, `${refusal._tag} with retry-after ${answer.headers["retry-after"]}`)
  }
  return {
    kind: "refused",
    status: answer.status,
    tag: refusal._tag,
    ...("reason" in refusal ? { reason: refusal.reason } : {}),
    refusal
  }
}

/** Reads the answer of an endpoint, named as `dialogs.send`. `A` is what the API says that it gives. */
export const read = <A>(endpoint: string, answer: HttpAnswer): Effect.Effect<ReadOutcome<A>> =>
  Effect.suspend((): Effect.Effect<ReadOutcome<A>> => {
    const described = endpoints.get(endpoint)
    if (described === undefined) return Effect.die(new Error(`the API has no ${endpoint}`))
    const success = described.successes.get(answer.status)
    const refusal = otherStatuses.has(answer.status) ? decodeInvalidRequest : described.refusals.get(answer.status)
    const decode = success ?? refusal
    if (decode === undefined) return Effect.succeed(broken(answer, `a status that ${endpoint} does not have`))
    const json = jsonOf(answer)
    if (Result.isFailure(json)) return Effect.succeed(broken(answer, `${endpoint}: ${json.failure}`))
    return Effect.match(decode(json.success), {
      onFailure: (error) => broken(answer, `${endpoint}: ${told(error)}`),
      onSuccess: (value) =>
        success === undefined
          ? refused(answer, value as NodeRefusal)
          : { kind: "found", status: answer.status, value: value as A }
    })
  })

/** Reads the answer of a write whose record has the id `id`; `waits`: it was asked to answer after the commit. */
export const readWrite = (
  endpoint: string,
  answer: HttpAnswer,
  expected: { readonly id: string; readonly chatId?: string | undefined; readonly waits: boolean }
): Effect.Effect<WriteOutcome> =>
  Effect.map(read<{ readonly [key: string]: unknown }>(endpoint, answer), (outcome): WriteOutcome => {
    if (outcome.kind !== "found") return outcome
    const { status, value } = outcome
    const id = value["msg_id"] ?? value["op_id"] ?? value["read_id"] ?? value["identity_id"]
    if (id !== expected.id) return broken(answer, `${endpoint}: it took ${String(id)}, asked was ${expected.id}`)
    if (expected.chatId !== undefined && value["chat_id"] !== expected.chatId) {
      return broken(answer, `${endpoint}: it took a message for ${String(value["chat_id"])}`)
    }
    if (status === 201 && !expected.waits) return broken(answer, `${endpoint}: 201, and nobody asked for the commit`)
    return {
      kind: "accepted",
      status: status === 201 ? 201 : 202,
      committed: status === 201,
      id: expected.id,
      hlc: value["hlc"] as Hlc
    }
  })
