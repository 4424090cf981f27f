/**
 * A nostr relay of `@nostr-relay/core`, its SQLite repository and its validator behind a WebSocket server, as their examples
 * put them together: every event is checked by schema, id and signature, then stored, then answered with OK.
 *
 * Started by `bench/elsewhere.ts` under the Node that `better-sqlite3` was built for; tells its port over the control channel
 * and ends with it. `node relay.mjs FILE`
 */
import { LogLevel } from "@nostr-relay/common"
import { NostrRelay } from "@nostr-relay/core"
import { EventRepositorySqlite } from "@nostr-relay/event-repository-sqlite"
import { Validator } from "@nostr-relay/validator"
import { WebSocketServer } from "ws"

const repository = new EventRepositorySqlite(process.argv[2])
await repository.init()
const relay = new NostrRelay(repository, { logLevel: LogLevel.ERROR })
const validator = new Validator()

const server = new WebSocketServer({ host: "127.0.0.1", port: 0 })
server.on("connection", (socket, request) => {
  relay.handleConnection(socket, request.socket.remoteAddress)
  socket.on("message", (data) => {
    validator.validateIncomingMessage(data)
      .then((message) => relay.handleMessage(socket, message))
      .catch((error) => socket.send(JSON.stringify(["NOTICE", error.message])))
  })
  socket.on("close", () => relay.handleDisconnect(socket))
  socket.on("error", () => socket.terminate())
})
server.on("listening", () => process.send({ port: server.address().port }))

process.on("message", (question) => {
  if (question !== "count") return
  const { count } = repository.getDatabase().prepare("SELECT count(*) AS count FROM events").get()
  process.send({ count })
})
process.on("disconnect", () => process.exit())
