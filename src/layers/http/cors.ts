/** Any page of any origin may ask: signatures authenticate, not cookies. */
import * as HttpRouter from "effect/http/HttpRouter"

const exposed = ["retry-after", "preference-applied"]

/** What every answer of a node's server carries beside its own headers. */
export const headers = {
  "access-control-allow-origin": "*",
  "vary": "Origin",
  "access-control-expose-headers": exposed.join(",")
} as const

export const layer = HttpRouter.cors({
  allowedOrigins: ["*"],
  allowedMethods: ["GET", "POST", "PUT", "DELETE", "OPTIONS"],
  allowedHeaders: ["content-type", "prefer", "x-user", "x-ts", "x-node", "x-sig", "x-sig-version", "last-event-id"],
  exposedHeaders: exposed,
  maxAge: 86_400
})
