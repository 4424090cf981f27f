/**
 * `npm run demo`: three nodes and four people on this computer, as a story. Everything goes through the program and the
 * client as anyone has them: nodes are processes of their own on free ports of the loopback, in a temporary directory.
 *
 * Exit code 0 only if in the end every node's `dump` has the same bytes.
 */
import { Effect, Layer, ManagedRuntime, Result } from "effect"
import { FetchHttpClient } from "effect/http"
import { type ChildProcess, spawn } from "node:child_process"
import { createHash, randomBytes } from "node:crypto"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { setTimeout as sleep } from "node:timers/promises"
import { Chat, Entropy, Hlc, type Ids, NodeClient, NodeProbe, Signer } from "../src/client/index.ts"

const main = join(import.meta.dirname, "..", "src", "main.ts")
const readySecondsMax = 20
/** Gossip needs milliseconds, a lost message the next comparison. */
const arriveSecondsMax = 40
/** Records are compared once they are 10 s old, in steps of 5 s. */
const equalSecondsMax = 60
const endSecondsMax = 15
const dumpSecondsMax = 30
const pollMs = 100
/** Of a conversation, the newest. */
const messagesShown = 2

const paints = process.stdout.isTTY === true && (process.env["NO_COLOR"] ?? "") === ""
const paint = (code: string) => (text: string): string => paints ? `\x1b[${code}m${text}\x1b[0m` : text
const [bold, faint, green, yellow, cyan] = [paint("1"), paint("2"), paint("32"), paint("33"), paint("36")]

const say = (text = ""): void => console.log(text)
let chapters = 0
const chapter = (title: string): void => say(`\n${bold(`${++chapters}. ${title}`)}`)
const tell = (who: string, text: string): void => say(`   ${who}  ${text}`)

// ── nodes ────────────────────────────────────────────────────────────────────────────────────────────────────────

const nodeNames = ["north", "east", "south"] as const
type NodeName = typeof nodeNames[number]

interface RunningNode {
  readonly child: ChildProcess
  readonly id: string
  readonly api: string
  readonly addresses: ReadonlyArray<string>
  readonly closed: Promise<unknown>
  /** What it said on stderr, the end of it. */
  readonly log: () => string
}

const directory = mkdtempSync(join(tmpdir(), "p2p-mes-demo-"))
const running = new Map<NodeName, RunningNode>()
const dataOf = (name: NodeName): string => join(directory, name)

const bounded = async <A>(what: string, seconds: number, promise: Promise<A>): Promise<A> => {
  const gone = new AbortController()
  const late = sleep(seconds * 1_000, undefined, { signal: gone.signal }).then(() => {
    throw new Error(`${what}: not within ${seconds} s`)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    gone.abort()
    late.catch(() => undefined)
  }
}

const program = (args: ReadonlyArray<string>): ChildProcess =>
  spawn(process.execPath, [main, ...args], {
    cwd: directory,
    // options of the one who runs this are not meant for these nodes
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("P2PMES_"))),
    stdio: ["ignore", "pipe", "pipe"]
  })

const startNode = async (name: NodeName, bootstrap: ReadonlyArray<NodeName>): Promise<RunningNode> => {
  const known = bootstrap.flatMap((other) => running.get(other)?.addresses ?? [])
  const child = program([
    "node",
    "--json",
    "--data",
    dataOf(name),
    "--http",
    "127.0.0.1:0",
    "--listen",
    "/ip4/127.0.0.1/tcp/0",
    ...known.flatMap((address) => ["--bootstrap", address])
  ])
  let log = ""
  child.stderr!.setEncoding("utf8").on("data", (chunk: string) => log = (log + chunk).slice(-2_000))
  const closed = once(child, "close")
  const line = once(createInterface(child.stdout!), "line") as Promise<[string]>
  const ended = closed.then(() => {
    throw new Error(`node ${name} ended: ${log}`)
  })
  ended.catch(() => undefined)
  try {
    const [text] = await bounded(`node ${name} starts`, readySecondsMax, Promise.race([line, ended]))
    const { addresses, api, peer_id } = JSON.parse(text) as {
      readonly peer_id: string
      readonly api: string
      readonly addresses: ReadonlyArray<string>
    }
    if (addresses.length === 0) throw new Error(`node ${name} listens nowhere: ${log}`)
    const node: RunningNode = { child, id: peer_id, api, addresses, closed, log: () => log }
    running.set(name, node)
    tell(
      cyan(name.padEnd(5)),
      `${faint(`…${peer_id.slice(-8)}`)}  API ${api}, others at ${addresses[0]!.split("/p2p/")[0]}`
    )
    return node
  } catch (error) {
    child.kill("SIGKILL")
    throw error
  }
}

const endNode = async (name: NodeName, signal: NodeJS.Signals): Promise<void> => {
  const node = running.get(name)
  if (node === undefined) return
  running.delete(name)
  node.child.kill(signal)
  await bounded(`node ${name} ends after ${signal}`, endSecondsMax, node.closed)
}

// ── people ───────────────────────────────────────────────────────────────────────────────────────────────────────

const runtime = ManagedRuntime.make(Layer.merge(FetchHttpClient.layer, Entropy.layer))

interface Person {
  readonly name: string
  readonly home: NodeName
  readonly signer: Signer.Signer
}

const person = (name: string, home: NodeName): Person => ({
  name,
  home,
  signer: Result.getOrThrow(Signer.fromPrivateKey(new Uint8Array(randomBytes(32))))
})
const alice = person("Alice", "north")
const bob = person("Bob", "east")
const carol = person("Carol", "south")
const dave = person("Dave", "east")
const people = [alice, bob, carol, dave]

const at = (who: Person, node: NodeName): string => `${bold(who.name.padEnd(5))} ${faint("at")} ${cyan(node.padEnd(5))}`
const nameOf = (address: Ids.Address): string =>
  people.find((each) => each.signer.address === address)?.name ?? address.slice(0, 8)

/** Runs a call of a person, at her own node or at another. */
const as = <A, E>(
  who: Person,
  call: (client: NodeClient.NodeClient) => Effect.Effect<A, E>,
  node: NodeName = who.home
): Promise<A> => {
  const there = running.get(node)
  if (there === undefined) return Promise.reject(new Error(`node ${node} does not run`))
  return runtime.runPromise(Effect.flatMap(NodeClient.make({ url: there.api, signer: who.signer }), call))
}

/** Asks again and again until `look` gives something, and says what was last the matter when that takes too long. */
const until = async <A>(what: string, seconds: number, look: () => Promise<A | undefined>): Promise<A> => {
  const end = Date.now() + seconds * 1_000
  let last = ""
  while (Date.now() < end) {
    try {
      const found = await look()
      if (found !== undefined) return found
    } catch (error) {
      last = `; last: ${error instanceof Error ? error.message : String(error)}`
    }
    await sleep(pollMs)
  }
  const logs = [...running].map(([name, node]) => `\n--- ${name}: ${node.log().trim() || "(silent)"}`).join("")
  throw new Error(`${what}: not within ${seconds} s${last}${logs}`)
}

let lastWriteMs = 0
const wrote = <A extends { readonly hlc: Hlc.Hlc }>(answer: A): A => {
  lastWriteMs = Math.max(lastWriteMs, Hlc.physicalMs(answer.hlc))
  return answer
}

const send = async (who: Person, chat: Chat.Chat, to: string, text: string): Promise<void> => {
  wrote(await as(who, (client) => client.send(chat, text, { wait: 5 })))
  tell(at(who, who.home), `writes to ${to}: “${text}”`)
}

/** Waits until the newest message that the person is shown is this one, and tells the end of the conversation. */
const sees = async (who: Person, chat: Chat.Chat, newest: string, node: NodeName = who.home): Promise<void> => {
  const messages = await until(
    `${who.name} sees “${newest}” at ${node}`,
    arriveSecondsMax,
    async () => {
      const page = await as(who, (client) => client.history(chat), node)
      return page.messages[0]?.content === newest ? page.messages.toReversed() : undefined
    }
  )
  const shown = messages.slice(-messagesShown).map(({ content, sender }) => `${nameOf(sender)}: ${content}`)
  const earlier = messages.length - shown.length
  tell(at(who, node), `sees     ${earlier > 0 ? faint(`(${earlier} earlier) `) : ""}${shown.join(faint(" | "))}`)
}

const unread = async (who: Person, chatId: Ids.ChatId, expected: number, node: NodeName): Promise<void> => {
  await until(`${who.name} has ${expected} unread at ${node}`, arriveSecondsMax, async () => {
    const inbox = await as(who, (client) => client.conversations(), node)
    return inbox.conversations.find((each) => each.chat_id === chatId)?.unread === expected ? true : undefined
  })
  tell(at(who, node), `has ${expected} unread there`)
}

const members = async (who: Person, chatId: Ids.ChatId, expected: ReadonlyArray<Person>): Promise<void> => {
  const wanted = expected.map((each) => each.signer.address).toSorted().join()
  const found = await until(`${who.name} sees the members at ${who.home}`, arriveSecondsMax, async () => {
    const { members } = await as(who, (client) => client.groups.members(chatId))
    return members.map(({ address }) => address).toSorted().join() === wanted ? members : undefined
  })
  tell(at(who, who.home), `sees     members ${found.map(({ address }) => nameOf(address)).toSorted().join(", ")}`)
}

const refused = async (who: Person, chatId: Ids.ChatId): Promise<void> => {
  const error = await until(`${who.name} is refused at ${who.home}`, arriveSecondsMax, async () => {
    const result = await as(who, (client) => Effect.result(client.groups.members(chatId)))
    return Result.isFailure(result) && result.failure._tag === "Forbidden" ? result.failure : undefined
  })
  tell(at(who, who.home), yellow(`is refused: ${error.message}`))
}

// ── agreement ────────────────────────────────────────────────────────────────────────────────────────────────────

const standing = (name: NodeName) =>
  runtime.runPromise(Effect.flatMap(NodeProbe.make({ url: running.get(name)!.api }), (probe) => probe.peers))

const connected = async (): Promise<void> => {
  await until("the nodes find each other", arriveSecondsMax, async () => {
    const all = await Promise.all([...running.keys()].map(standing))
    return all.every(({ peers }) => peers.filter((peer) => peer.gossips).length === running.size - 1) ? true : undefined
  })
  tell(green("all  "), "are connected to each other")
}

/** All roots equal at one horizon that lies above everything written here. */
const agree = async (): Promise<void> => {
  await until("the nodes find all records equal", equalSecondsMax, async () => {
    const [first, ...others] = await Promise.all([...running.keys()].map(standing))
    if (first?.roots === undefined || first.horizon === undefined || first.horizon < lastWriteMs) return undefined
    const roots = JSON.stringify(first.roots)
    return others.every((each) => each.horizon === first.horizon && JSON.stringify(each.roots) === roots)
      ? true
      : undefined
  })
  tell(green("all  "), "have the same Merkle roots: equal records, message for message")
}

/** SHA-256 of what `dump` prints, and how many lines that is. */
const dump = async (name: NodeName): Promise<{ readonly hash: string; readonly lines: number }> => {
  const child = program(["dump", "--data", dataOf(name)])
  const hash = createHash("sha256")
  let lines = 0
  let problem = ""
  child.stdout!.on("data", (chunk: Buffer) => {
    hash.update(chunk)
    for (const byte of chunk) if (byte === 10) lines++
  })
  child.stderr!.on("data", (chunk) => problem += String(chunk))
  const closed = once(child, "close") as Promise<[number | null]>
  try {
    const [code] = await bounded(`dump of ${name}`, dumpSecondsMax, closed)
    if (code !== 0) throw new Error(`dump of ${name} ended with ${code}: ${problem}`)
    return { hash: hash.digest("hex"), lines }
  } finally {
    child.kill("SIGKILL")
  }
}

// ── the story ────────────────────────────────────────────────────────────────────────────────────────────────────

const story = async (): Promise<void> => {
  say("Four people, three nodes. Every node holds every message, and checks each by its author's signature.")

  chapter("Three nodes start and find each other")
  await startNode("north", [])
  await startNode("east", ["north"])
  await startNode("south", ["north", "east"])
  await connected()

  chapter("Alice and Bob talk, each at another node")
  const [toAlice, toBob] = [Chat.dm(alice.signer.address), Chat.dm(bob.signer.address)]
  const dm = Chat.idOf(toBob, alice.signer.address)
  await send(alice, toBob, "Bob", "Shall we go to the lake?")
  await unread(bob, dm, 1, "east")
  await sees(bob, toAlice, "Shall we go to the lake?")
  const page = await as(bob, (client) => client.history(toAlice))
  wrote(await as(bob, (client) => client.markRead(toAlice, page.messages[0]!.hlc, { wait: 5 })))
  tell(at(bob, "east"), "marks it as read")
  await unread(bob, dm, 0, "south")
  await send(bob, toAlice, "Alice", "Yes! I ask Carol.")
  await sees(alice, toBob, "Yes! I ask Carol.")

  chapter("A group across all nodes")
  const { chat_id } = wrote(
    await as(
      alice,
      (client) => client.groups.create([bob.signer.address, carol.signer.address], { title: "lake", wait: 5 })
    )
  )
  const lake = Chat.group(chat_id)
  tell(at(alice, "north"), "makes the group “lake” with Bob and Carol")
  await members(carol, chat_id, [alice, bob, carol])
  await send(carol, lake, "the group", "I bring cake.")
  await sees(bob, lake, "I bring cake.")
  await send(bob, lake, "the group", "I bring nothing.")
  for (const each of [alice, carol]) await sees(each, lake, "I bring nothing.")

  chapter("Members go and come")
  wrote(await as(alice, (client) => client.groups.remove(chat_id, [bob.signer.address], { wait: 5 })))
  tell(at(alice, "north"), "removes Bob")
  await refused(bob, chat_id)
  wrote(await as(alice, (client) => client.groups.add(chat_id, [dave.signer.address], { wait: 5 })))
  tell(at(alice, "north"), "adds Dave")
  await members(dave, chat_id, [alice, carol, dave])
  await send(dave, lake, "the group", "Dave here, I bring a boat.")
  await sees(carol, lake, "Dave here, I bring a boat.")

  chapter("South is killed, and its disk is wiped")
  await endNode("south", "SIGKILL")
  rmSync(dataOf("south"), { recursive: true, force: true })
  tell(cyan("south"), yellow("kill -9, and all its files are gone"))
  await send(alice, lake, "the group", "Carol, are you there?")
  await sees(carol, lake, "Carol, are you there?", "east")
  await startNode("south", ["north", "east"])
  await connected()
  tell(
    cyan("south"),
    `asks the others for everything ${faint("(what is younger than 10 to 15 s is compared a little later)")}`
  )
  await sees(carol, lake, "Carol, are you there?")
  tell(green("south"), "has everything again, also what was written while it was away")

  chapter("Do they agree?")
  await agree()
  await Promise.all(nodeNames.map((name) => endNode(name, "SIGTERM")))
  const dumps = await Promise.all(nodeNames.map(async (name) => ({ name, ...await dump(name) })))
  for (const { hash, lines, name } of dumps) {
    tell(cyan(name.padEnd(5)), `dump: ${lines} lines, SHA-256 ${hash.slice(0, 16)}…`)
  }
  if (new Set(dumps.map(({ hash }) => hash)).size !== 1) throw new Error("the dumps differ")
  say(`\n${green("All three nodes hold the same, byte for byte.")}`)
}

const cleanUp = (): void => {
  for (const { child } of running.values()) child.kill("SIGKILL")
  rmSync(directory, { recursive: true, force: true })
}

for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  process.once(signal, () => {
    cleanUp()
    process.exit(code)
  })
}

try {
  await story()
} catch (error) {
  console.error(`\ndemo: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
} finally {
  cleanUp()
  await runtime.dispose()
}
