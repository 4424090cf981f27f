/** `node`: runs a node until it is told to stop. */
import { Effect, Layer, Logger, References, Result } from "effect"
import { Command } from "effect/cli"
import { textLength } from "../../domain/bytes.ts"
import { defaultIngestLimits as limits } from "../../domain/limits.ts"
import { NodeKey } from "../../services/NodeKey.ts"
import { jsonFlag } from "../account.ts"
import * as Defaults from "../defaults.ts"
import { drainsOnSignal } from "../exit.ts"
import { bold, note, print, printJson } from "../output.ts"
import * as Settings from "../settings.ts"

export const dataFlag = Settings.optionOr({
  name: "data",
  metavar: "DIR",
  description: `The data directory of the node (default: ${Defaults.dataDir})`,
  parse: Settings.text
}, Defaults.dataDir)

interface HostPort {
  readonly host: string
  readonly port: number
}

const parseHostPort = (input: string): Result.Result<HostPort, string> => {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):([0-9]{1,5})$/.exec(input)
  const port = Number(match?.[3])
  return match !== null && port <= 65_535
    ? Result.succeed({ host: (match[1] ?? match[2])!, port })
    : Result.fail(`expected HOST:PORT such as 127.0.0.1:4280 or [::1]:4280, got ${JSON.stringify(input)}`)
}

const limit = (name: string, description: string, standard: number) =>
  Settings.optionOr({
    name,
    metavar: "NUMBER",
    description: `${description} (default: ${standard})`,
    parse: Settings.int(1, 1_000_000_000)
  }, standard)

const announce = (json: boolean) =>
  Layer.effectDiscard(Effect.gen(function*() {
    const { HttpServer } = yield* Effect.promise(() => import("effect/http"))
    const { address } = yield* HttpServer.HttpServer
    const { id } = yield* NodeKey
    const api = HttpServer.formatAddress(address).replace(/\/$/, "")
    if (json) return yield* printJson({ peer_id: id, api, addresses: [] })
    yield* print(`${bold(id)} ${api}`)
    if (process.stderr.isTTY) {
      yield* note(`try: p2p-mes status --node ${api}, or in a browser ${api}/docs; Ctrl-C stops the node`)
    }
  }))

/** Logs go to stderr: stdout has the one line that says the node is ready. */
const logger = (json: boolean) =>
  Layer.merge(
    Logger.layer([
      json
        ? Logger.withConsoleError(Logger.formatJson)
        : process.stderr.isTTY
        ? Logger.withConsoleError(Logger.formatSimple)
        : Logger.withConsoleError(Logger.formatLogFmt)
    ]),
    Layer.succeed(References.MinimumLogLevel, "Info")
  )

export const node = Command.make(
  "node",
  {
    data: dataFlag,
    http: Settings.optionOr({
      name: "http",
      metavar: "HOST:PORT",
      description: `Where the API listens; port 0: any free one (default: ${Defaults.http.host}:${Defaults.http.port})`,
      parse: parseHostPort
    }, Defaults.http as HostPort),
    network: Settings.optionOr({
      name: "network",
      metavar: "NAME",
      description: "Name of the network that the node belongs to (default: the common one)",
      parse: (input) => textLength(input) <= 64 ? Result.succeed(input) : Result.fail("expected at most 64 bytes")
    }, ""),
    userRate: limit("user-rate", "Requests a second that a user may make, on average", limits.userRequestsPerSecond),
    userBurst: limit("user-burst", "Requests that a user may make at once", limits.userRequestsBurst),
    inFlight: limit("max-in-flight", "Requests under way at once, then 503", limits.inFlightMax),
    bodyBytes: limit("max-body", "Bytes of a request's body, then 413", limits.bodyBytesMax),
    groupMembers: limit("max-members", "Members of a group", limits.groupMembersMax),
    queue: limit("max-queue", "Records accepted and not yet committed, then 503", limits.queueRecordsMax),
    json: jsonFlag
  },
  Effect.fnUntraced(function*(flags) {
    const { layer } = yield* Effect.promise(() => import("../../layers/node-live.ts"))
    yield* drainsOnSignal
    const running = layer({
      dataDir: flags.data,
      http: flags.http,
      network: flags.network,
      limits: {
        userRequestsPerSecond: flags.userRate,
        userRequestsBurst: flags.userBurst,
        inFlightMax: flags.inFlight,
        bodyBytesMax: flags.bodyBytes,
        groupMembersMax: flags.groupMembers,
        queueRecordsMax: flags.queue
      }
    })
    return yield* announce(flags.json).pipe(
      Layer.provide(running),
      Layer.launch,
      Effect.provide(logger(flags.json))
    )
  })
).pipe(
  Command.withDescription(
    "Run a node. Prints one line when it is ready: its id and the address of its API. SIGINT and SIGTERM let it finish what "
      + "it has accepted, and end it with exit code 0."
  ),
  Command.withShortDescription("Run a node"),
  Command.withExamples([
    { command: "p2p-mes node" },
    { command: "p2p-mes node --data /var/lib/p2p-mes --http 0.0.0.0:4280", description: "Serve a whole network" },
    { command: "p2p-mes node --config node.toml" }
  ])
)
