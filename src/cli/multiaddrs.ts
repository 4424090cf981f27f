/** Multiaddrs as people type them: checked before anything starts, with what is wrong in words. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { parseNodeId } from "../domain/node-id.ts"

const parse = (text: string) =>
  Effect.promise(() => import("@multiformats/multiaddr")).pipe(
    Effect.flatMap(({ multiaddr }) =>
      Effect.try({
        try: () => {
          const components = multiaddr(text).getComponents()
          return { names: components.map(({ name }) => name), components }
        },
        catch: () => `expected a multiaddr such as /ip4/127.0.0.1/tcp/4281, got ${JSON.stringify(text)}`
      })
    ),
    Effect.filterOrFail(
      ({ components }) => components.length > 0,
      () => `expected a multiaddr such as /ip4/127.0.0.1/tcp/4281, got ${JSON.stringify(text)}`
    )
  )

const hosts = ["ip4", "ip6", "dns", "dns4", "dns6", "dnsaddr"]

/** Nodes speak TCP and nothing else. */
const overTcp = (text: string, names: ReadonlyArray<string>): Effect.Effect<void, string> =>
  hosts.includes(names[0]!) && (names[0] === "dnsaddr" || names[1] === "tcp")
    ? Effect.void
    : Effect.fail(`expected an address over TCP such as /ip4/127.0.0.1/tcp/4281, got ${JSON.stringify(text)}`)

/** Where to listen: an IP address and a TCP port of this computer. */
export const parseListen = Effect.fnUntraced(function*(text: string) {
  const { names } = yield* parse(text)
  if (names.length !== 2 || (names[0] !== "ip4" && names[0] !== "ip6") || names[1] !== "tcp") {
    return yield* Effect.fail(
      `expected an IP address and a TCP port such as /ip4/0.0.0.0/tcp/4281, got ${JSON.stringify(text)}`
    )
  }
  return text
})

/** What to tell others: an address over TCP, with or without the own id. */
export const parseAnnounce = Effect.fnUntraced(function*(text: string) {
  const { names } = yield* parse(text)
  yield* overTcp(text, names)
  return text
})

/** A peer to begin with: an address over TCP that ends in its id. */
export const parseBootstrap = Effect.fnUntraced(function*(text: string) {
  const { components, names } = yield* parse(text)
  yield* overTcp(text, names)
  const last = components.at(-1)!
  if (last.name !== "p2p") {
    return yield* Effect.fail(
      `expected the peer's id at the end, as /ip4/192.0.2.1/tcp/4281/p2p/12D3KooW…, got ${JSON.stringify(text)}; `
        + "a node prints its addresses when it starts"
    )
  }
  const id = parseNodeId(last.value ?? "")
  if (Result.isFailure(id)) return yield* Effect.fail(`the peer's id in ${JSON.stringify(text)} is none: ${id.failure}`)
  return text
})
