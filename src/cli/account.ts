/**
 * What the client commands share: which node, as whom, printed how; and the client itself, loaded only when it is used.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type { Chat } from "../client/Chat.ts"
import type { NodeClient, NodeProbe } from "../client/index.ts"
import { parseUrl } from "../client/url.ts"
import * as Ids from "../domain/ids.ts"
import { pageMax, waitSecondsMax } from "../domain/limits.ts"
import { parseNodeId } from "../domain/node-id.ts"
import { keyFile, nodeUrl, pageLimit, waitSeconds } from "./defaults.ts"
import { usage } from "./failure.ts"
import * as KeyFile from "./keyfile.ts"
import { note } from "./output.ts"
import * as Settings from "./settings.ts"
import { yellow } from "./terminal/colour.ts"

export const jsonFlag = Settings.toggle("json", "Print JSON, one value a line")

export const keyFlag = Settings.optionOr({
  name: "key",
  metavar: "FILE",
  description: `Your key file (default: ${keyFile})`,
  parse: Settings.text
}, keyFile)

/** Which node. */
const whereFlags = {
  node: Settings.optionOr({
    name: "node",
    metavar: "URL",
    description: `The node to ask (default: ${nodeUrl})`,
    parse: parseUrl
  }, nodeUrl),
  pin: Settings.option({
    name: "pin",
    metavar: "ID",
    description: "The id that the node must have; without it whatever it proves is taken",
    parse: (input) => Result.map(parseNodeId(input), () => input as Ids.NodeId)
  })
}

export const nodeFlags = { ...whereFlags, json: jsonFlag }

/** Which nodes, and as whom. */
export const accountFlags = {
  ...whereFlags,
  also: Settings.list({
    name: "also",
    metavar: "URL",
    description: "Another node to turn to when that one has no answer; several times for several",
    parse: (text) => Effect.fromResult(parseUrl(text))
  }),
  key: keyFlag
}

export const clientFlags = { ...accountFlags, json: jsonFlag }

export const waitFlag = Settings.optionOr({
  name: "wait",
  metavar: "SECONDS",
  description: `Wait for the node to commit, at most ${waitSecondsMax}; 0: do not wait (default: ${waitSeconds})`,
  parse: Settings.int(0, waitSecondsMax)
}, waitSeconds)

export const limitFlag = Settings.optionOr({
  name: "limit",
  metavar: "COUNT",
  description: `Print at most this many, up to ${pageMax} (default: ${pageLimit})`,
  parse: Settings.int(1, pageMax)
}, pageLimit)

export interface AccountFlags {
  readonly node: string
  readonly pin: Ids.NodeId | undefined
  readonly also: ReadonlyArray<string> | undefined
  readonly key: string
}

const platform = Effect.promise(async () => {
  const [{ Entropy, ...client }, { layer }] = await Promise.all([
    import("../client/index.ts"),
    import("effect/http/FetchHttpClient")
  ])
  return { ...client, layer: Layer.mergeAll(layer, Entropy.layer) }
})

/** `wait` of a write: absent for 0. */
export const waitOf = (seconds: number): { readonly wait?: number } => seconds === 0 ? {} : { wait: seconds }

/** Clients of one user: of the node that was named first, and of any of them by its address. */
export interface Clients {
  readonly first: NodeClient.NodeClient
  readonly at: (url: string) => NodeClient.NodeClient | undefined
}

const withoutSlash = (url: string): string => url.replace(/\/+$/, "")

/** Runs `f` with clients of the user whose key file is named. Says so when this computer's clock had to be corrected. */
export const withClients = <A, E, R>(flags: AccountFlags, f: (clients: Clients) => Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const signer = yield* KeyFile.read(flags.key)
    const { NodeClient, layer } = yield* platform
    const open = (url: string, others: ReadonlyArray<string>, pin: Ids.NodeId | undefined) =>
      NodeClient.make({ url, pin, alternates: others, signer }).pipe(Effect.provide(layer))
    const also = flags.also ?? []
    const first = yield* open(flags.node, also, flags.pin)
    const clients = new Map([[withoutSlash(flags.node), first]])
    for (const url of also) {
      const others = [flags.node, ...also].filter((each) => each !== url)
      clients.set(withoutSlash(url), yield* open(url, others, undefined))
    }
    const result = yield* f({ first, at: (url) => clients.get(withoutSlash(url)) })
    const seconds = Math.round((yield* first.clockOffsetMs) / 1000)
    if (seconds !== 0) {
      yield* note(
        `${yellow("note:", process.stderr)} this computer's clock is ${Math.abs(seconds)} s ${
          seconds > 0 ? "behind" : "ahead of"
        } the node's; the node's time was used`
      )
    }
    return result
  })

/** Runs `f` with a client of the user at the node that was named first. */
export const withClient = <A, E, R>(
  flags: AccountFlags,
  f: (client: NodeClient.NodeClient) => Effect.Effect<A, E, R>
) => withClients(flags, ({ first }) => f(first))

/**
 * What is mistyped is told before anything else is done: an address where no node is, unless there are others to turn to; a
 * group that there is not, or that is not the user's.
 */
export const lookFirst = (flags: AccountFlags, client: NodeClient.NodeClient, chat?: Chat) =>
  (chat?.kind === "group" ? Effect.asVoid(client.groups.members(chat.chatId)) : Effect.asVoid(client.node)).pipe(
    Effect.catchTag("NodeUnreachable", (error) => flags.also === undefined ? Effect.fail(error) : Effect.void)
  )

/** Runs `f` with what needs no key. */
export const withProbe = <A, E, R>(
  flags: Pick<AccountFlags, "node" | "pin">,
  f: (probe: NodeProbe.NodeProbe) => Effect.Effect<A, E, R>
) =>
  Effect.gen(function*() {
    const { NodeProbe, layer } = yield* platform
    return yield* f(yield* NodeProbe.make({ url: flags.node, pin: flags.pin }).pipe(Effect.provide(layer)))
  })

/** An address (a direct conversation) or a group's chat id. */
export const parseChat = (input: string): Effect.Effect<Chat, ReturnType<typeof usage>> => {
  const digits = input.replace(/^0x/i, "")
  const chat: Result.Result<Chat, string> = digits.length === 64
    ? Result.map(Ids.parseChatId(input), (chatId) => ({ kind: "group", chatId }))
    : Result.map(Ids.parseAddress(input), (peer) => ({ kind: "dm", peer }))
  return Result.isSuccess(chat)
    ? Effect.succeed(chat.success)
    : Effect.fail(
      usage(
        `${
          JSON.stringify(input)
        } names no conversation: expected an address (0x and 40 hex digits) or a group (0x and 64)`
      )
    )
}

export const parseGroup = (input: string) =>
  Effect.mapError(
    Effect.fromResult(Ids.parseChatId(input)),
    () => usage(`${JSON.stringify(input)} is no group: expected 0x and 64 hex digits, as \`p2p-mes inbox\` shows them`)
  )

export const parseAddress = (input: string) =>
  Effect.mapError(
    Effect.fromResult(Ids.parseAddress(input)),
    () => usage(`${JSON.stringify(input)} is no address: expected 0x and 40 hex digits`)
  )
