/** Kinds of records in words. */
import type { Kind } from "../domain/record.ts"

const names: { readonly [K in Kind]: readonly [one: string, more: string] } = {
  identity: ["identity", "identities"],
  op: ["group op", "group ops"],
  read: ["read mark", "read marks"],
  message: ["message", "messages"]
}

/** Such as `1 message` and `3 group ops`. */
export const countOf = (kind: Kind, count: number): string => `${count} ${names[kind][count === 1 ? 0 : 1]}`
