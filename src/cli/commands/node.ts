/** `node`: runs a node until it is told to stop. */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Result from "effect/Result"
import { textLength } from "../../domain/bytes.ts"
import { defaultIngestLimits as limits } from "../../domain/limits.ts"
import { NetworkReady } from "../../layers/network/ready.ts"
import { Network } from "../../services/Network.ts"
import { NodeKey } from "../../services/NodeKey.ts"
import { Sync } from "../../services/Sync.ts"
import { jsonFlag } from "../account.ts"
import * as Defaults from "../defaults.ts"
import { drainsOnSignal } from "../exit.ts"
import * as Multiaddrs from "../multiaddrs.ts"
import * as NetworkKey from "../network-key.ts"
import { note, print, printJson, span } from "../output.ts"
import { type Screen, screenOf } from "../progress.ts"
import * as Settings from "../settings.ts"
import { bold } from "../terminal/colour.ts"
import { logger as terminalLogger } from "../terminal/log.ts"

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

/** One line once the API answers and the network listens. A network that cannot start ends the node. */
const announce = (json: boolean, screen: Screen) =>
  Layer.effectDiscard(Effect.gen(function*() {
    const { HttpServer } = yield* Effect.promise(() => import("effect/http"))
    const { address } = yield* HttpServer.HttpServer
    const { id } = yield* NodeKey
    const api = HttpServer.formatAddress(address).replace(/\/$/, "")
    yield* (yield* NetworkReady).ready
    const multiaddrs = (yield* Network).addresses()
    yield* screen.clear
    if (json) return yield* printJson({ peer_id: id, api, addresses: multiaddrs })
    yield* print([bold(id), api, ...multiaddrs].join(" "))
    if (process.stderr.isTTY) {
      yield* note(`people write to each other at ${api}, how the node is doing is at ${api}/status; Ctrl-C stops it`)
      const [first] = multiaddrs
      if (first !== undefined) yield* note(`another node joins with: p2p-mes node --bootstrap ${first}`)
    }
  }))

/** Between two looks how far a catch-up is, ms. */
const lookMs = 1_000

/** On a terminal: how far the node is with fetching what it missed. */
const showCatchUp = (screen: Screen) =>
  Layer.effectDiscard(Effect.gen(function*() {
    if (!process.stderr.isTTY) return
    const sync = yield* Sync
    const look = Effect.suspend(() => {
      const now = sync.catchUp()
      if (now === undefined) return screen.clear
      const { domain, fetched, missing, peer, rate } = now
      const left = rate > 0 ? `, ${span((Math.max(0, missing - fetched) / rate) * 1_000)} left` : ""
      return screen.progress(
        `catching up, ${domain} from …${peer.slice(-6)}: ${fetched} of ${missing} records${left}`,
        missing > 0 ? fetched / missing : 1
      )
    })
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(look, Effect.sleep(lookMs))))
  }))

/** Logs go to stderr: stdout has the one line that says the node is ready. */
const logger = (json: boolean, screen: Screen) =>
  Layer.merge(
    Logger.layer([
      json
        ? Logger.withConsoleError(Logger.formatJson)
        : process.stderr.isTTY
        ? terminalLogger(screen.clear)
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
    listen: Settings.list({
      name: "listen",
      metavar: "MULTIADDR",
      description:
        `Where other nodes connect, several times for several; port 0: any free one (default: ${Defaults.listen})`,
      parse: Multiaddrs.parseListen
    }),
    announce: Settings.list({
      name: "announce",
      metavar: "MULTIADDR",
      description: "What to tell others instead of where it listens, for a node behind a router",
      parse: Multiaddrs.parseAnnounce
    }),
    bootstrap: Settings.list({
      name: "bootstrap",
      metavar: "MULTIADDR",
      description: "A node to begin with, its id at the end; several times for several",
      parse: Multiaddrs.parseBootstrap
    }),
    mdns: Settings.toggle("mdns", "Find other nodes on the local network"),
    networkKey: NetworkKey.networkKeyFlag,
    offline: Settings.toggle("offline", "No other nodes: neither listen nor connect"),
    userRate: limit("user-rate", "Requests a second that a user may make, on average", limits.userRequestsPerSecond),
    userBurst: limit("user-burst", "Requests that a user may make at once", limits.userRequestsBurst),
    inFlight: limit("max-in-flight", "Requests under way at once, then 503", limits.inFlightMax),
    streams: limit("max-streams", "Streams of events open at once, then 503", limits.streamsMax),
    userStreams: limit("max-user-streams", "Streams of events that a user may have open", limits.userStreamsMax),
    bodyBytes: limit("max-body", "Bytes of a request's body, then 413", limits.bodyBytesMax),
    groupMembers: limit("max-members", "Members of a group", limits.groupMembersMax),
    queue: limit("max-queue", "Records accepted and not yet committed, then 503", limits.queueRecordsMax),
    json: jsonFlag
  },
  Effect.fnUntraced(function*(flags) {
    const { prepare } = yield* Effect.promise(() => import("../../layers/store/thread.ts"))
    prepare(2)
    const { layer } = yield* Effect.promise(() => import("../../layers/node-live.ts"))
    const networkKey = yield* NetworkKey.read(flags.networkKey)
    const p2p = {
      listen: flags.listen ?? [Defaults.listen],
      announce: flags.announce ?? [],
      bootstrap: flags.bootstrap ?? [],
      mdns: flags.mdns
    }
    yield* drainsOnSignal
    const running = layer({
      dataDir: flags.data,
      http: flags.http,
      network: flags.network,
      networkKey,
      ...(flags.offline ? {} : { p2p }),
      limits: {
        userRequestsPerSecond: flags.userRate,
        userRequestsBurst: flags.userBurst,
        inFlightMax: flags.inFlight,
        streamsMax: flags.streams,
        userStreamsMax: flags.userStreams,
        bodyBytesMax: flags.bodyBytes,
        groupMembersMax: flags.groupMembers,
        queueRecordsMax: flags.queue
      }
    })
    const screen = screenOf(process.stderr)
    return yield* Layer.merge(announce(flags.json, screen), showCatchUp(screen)).pipe(
      Layer.provide(running),
      Layer.launch,
      Effect.provide(logger(flags.json, screen))
    )
  })
).pipe(
  Command.withDescription(
    "Run a node. Prints one line when it is ready: its id, the address of its API, and where other nodes reach it. SIGINT and "
      + "SIGTERM let it finish what it has accepted, and end it with exit code 0."
  ),
  Command.withShortDescription("Run a node"),
  Command.withExamples([
    { command: "p2p-mes node" },
    {
      command: "p2p-mes node --data /var/lib/p2p-mes --http 0.0.0.0:4280",
      description: "Serve clients of a whole network"
    },
    {
      command: "p2p-mes node --listen /ip4/0.0.0.0/tcp/4281 --bootstrap /dns4/node.example.org/tcp/4281/p2p/12D3KooW…",
      description: "Join other nodes"
    },
    { command: "p2p-mes node --config node.toml" }
  ])
)
