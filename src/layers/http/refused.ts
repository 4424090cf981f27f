/** Refusals as answers, by the API's own schemas of them: for what answers without the API's machinery. */
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import {
  Forbidden,
  InvalidRequest,
  NotFound,
  Overloaded,
  RateLimited,
  TooLarge,
  Unauthenticated
} from "../../domain/refusal.ts"
import type { Answer } from "./answers.ts"

const refusals = [Forbidden, InvalidRequest, NotFound, Overloaded, RateLimited, TooLarge, Unauthenticated] as const

export type Refusal = InstanceType<(typeof refusals)[number]>

const encode = Schema.encodeSync(Schema.toCodecJson(Schema.Union(refusals)))

const statuses: ReadonlyMap<string, number> = new Map(
  refusals.map((each) => [each.identifier, SchemaAST.resolve(each.ast)?.["httpApiStatus"] as number])
)

export const refused = (refusal: Refusal): Answer => ({
  status: statuses.get(refusal._tag)!,
  body: JSON.stringify(encode(refusal)),
  ...("retry_after" in refusal ? { retryAfter: refusal.retry_after } : {})
})
