/** The HTTP API of a node as a schema: for servers, typed clients and documentation. */
export * from "../domain/refusal.ts"
export * from "./Authentication.ts"
export * from "./events.ts"
export * as Fields from "./fields.ts"
export * from "./Node.ts"
export * from "./NodeApi.ts"
export * from "./records.ts"
