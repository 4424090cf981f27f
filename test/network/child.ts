/**
 * A node in a process of its own, for tests that stop a process or need a network of its own. Arguments: seed, mdns or -,
 * listen address, bootstrap addresses. Prints its addresses, and then each change of peers, as JSON lines.
 */
import { Effect, PubSub } from "effect"
import { eventually, listen, start } from "./nodes.ts"

const [seed, mdns, address, ...bootstrap] = process.argv.slice(2)

const program = Effect.gen(function*() {
  const node = yield* start({ seed: Number(seed), mdns: mdns === "mdns", listen: [address!], bootstrap })
  yield* listen(node)
  yield* eventually("it listens", () => node.network.addresses().length > 0)
  console.log(JSON.stringify({ id: node.id, addresses: node.network.addresses() }))
  const changes = yield* PubSub.subscribe(node.network.changes)
  for (const { id } of node.network.peers()) console.log(JSON.stringify({ _tag: "Connected", peer: id }))
  return yield* Effect.forever(Effect.map(PubSub.take(changes), (change) => console.log(JSON.stringify(change))))
})

Effect.runFork(Effect.scoped(program))
