/**
 * How the command line fails: one line on stderr that says what is wrong and what to do, never a stack trace. Exit code
 * 2 for a wrong invocation, 1 for everything else.
 */
import * as Schema from "effect/Schema"
import { nodeUrl } from "./defaults.ts"
import { harmless } from "./terminal/harmless.ts"

export class CliFailure extends Schema.TaggedError<CliFailure>()("CliFailure", {
  message: Schema.String,
  /** 1, or 2 for a wrong invocation. */
  exitCode: Schema.Literals([1, 2])
}) {}

export const failure = (message: string): CliFailure => new CliFailure({ message, exitCode: 1 })

export const usage = (message: string): CliFailure => new CliFailure({ message, exitCode: 2 })

interface Described {
  readonly _tag?: unknown
  readonly message?: unknown
  readonly reason?: unknown
  readonly cause?: unknown
  readonly code?: unknown
  readonly address?: unknown
  readonly port?: unknown
  readonly url?: unknown
  readonly retry_after?: unknown
}

/** What may help, by what went wrong; the message itself says the rest. */
const advice = (error: Described): string => {
  switch (error._tag) {
    case "NodeUnreachable":
      return error.url === nodeUrl
        ? "start a node with `p2p-mes node`, or name another with --node"
        : "check the address given with --node"
    case "NodeUnproven":
      return "check the address given with --node"
    case "NodeChanged":
      return "check the address, or give the new id with --pin"
    case "OutcomeUnknown":
      return "look with `p2p-mes read` in a minute, before you send it again"
    case "RateLimited":
    case "Overloaded":
      return `try again in ${String(error.retry_after)} s`
    case "Unauthenticated":
      return error.reason === "expired" ? "set this computer's clock" : ""
    default:
      return ""
  }
}

const listenProblem = ({ address, code, port }: Described): string | undefined => {
  const where = `${String(address)}:${String(port)}`
  switch (code) {
    case "EADDRINUSE":
      return `${where} is in use: stop the program that listens there, or choose another place with --http`
    case "EACCES":
      return `this user may not listen on ${where}: choose a port above 1023 with --http`
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return `this computer has no address ${where}: choose another with --http`
    default:
      return undefined
  }
}

/** A port of `--listen`; the network tells of it in a text of its own. */
const networkProblem = ({ _tag, message }: Described): string | undefined => {
  if (_tag !== "NetworkError" || typeof message !== "string") return undefined
  const where = /(\/ip[46]\/[^\s/]+\/tcp\/[0-9]+)\S*: .*?\b(EADDRINUSE|EACCES|EADDRNOTAVAIL)\b/s.exec(message)
  switch (where?.[2]) {
    case "EADDRINUSE":
      return `${where![1]} is in use: stop the program that listens there, or choose another place with --listen`
    case "EACCES":
      return `this user may not listen on ${where![1]}: choose a port above 1023 with --listen`
    case "EADDRNOTAVAIL":
      return `this computer has no address ${where![1]}: choose another with --listen, and tell others with --announce`
    default:
      return undefined
  }
}

const isDescribed = (value: unknown): value is Described => typeof value === "object" && value !== null

/** One line for people about any error. */
export const describe = (error: unknown): string => {
  if (!isDescribed(error)) return String(error)
  const cause = isDescribed(error.cause) ? error.cause : undefined
  const problem = networkProblem(error) ?? listenProblem(error) ??
    (cause === undefined ? undefined : listenProblem(cause))
  if (problem !== undefined) return problem
  const message = typeof error.message === "string" && error.message !== ""
    ? error.message
    : cause === undefined
    ? String(error._tag ?? error)
    : describe(cause)
  const hint = advice(error)
  // what a node answers is in it
  return harmless(hint === "" ? message : `${message}; ${hint}`).replace(/\s*\n\s*/g, " ")
}
