/**
 * The command line as people meet it: a real node in a process of its own, two users who write to each other, output for
 * people and for programs, and what is said when something is wrong.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Result } from "effect"
import { FetchHttpClient, HttpClient, HttpClientError } from "effect/http"
import { type ChildProcess, spawn } from "node:child_process"
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { afterAll, beforeAll } from "vitest"
import { Ended, program } from "../../src/cli/program.ts"
import { Chat, Entropy, NodeClient, Signer } from "../../src/client/index.ts"

const main = new URL("../../src/main.ts", import.meta.url).pathname
const directory = mkdtempSync(join(tmpdir(), "p2p-mes-cli-"))
const file = (name: string) => join(directory, name)

interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}
type Env = Readonly<Record<string, string>>

const start = (args: ReadonlyArray<string>, env: Env = {}): ChildProcess =>
  spawn(process.execPath, [main, ...args], {
    cwd: directory,
    env: { PATH: process.env["PATH"], HOME: directory, TMPDIR: tmpdir(), ...env },
    stdio: "pipe"
  })

const textOf = (child: ChildProcess, stream: "stdout" | "stderr"): () => string => {
  let text = ""
  child[stream]!.setEncoding("utf8").on("data", (chunk: string) => text += chunk)
  return () => text
}

/** A process of its own, which costs about a second. */
const spawned = (args: ReadonlyArray<string>, env: Env = {}, input = ""): Promise<Ran> =>
  new Promise((resolve) => {
    const child = start(args, env)
    const [stdout, stderr] = [textOf(child, "stdout"), textOf(child, "stderr")]
    child.on("close", (code) => resolve({ code, stdout: stdout(), stderr: stderr() }))
    child.stdin!.end(input)
  })

/** The same program in this process. One at a time. */
const run = async (args: ReadonlyArray<string>, env: Env = {}): Promise<Ran> => {
  const written = { stdout: "", stderr: "" }
  const restore = (["stdout", "stderr"] as const).map((name) => {
    const own = process[name].write
    process[name].write = ((text: string, done?: () => void) => {
      written[name] += text
      done?.()
      return true
    }) as typeof own
    return () => process[name].write = own
  })
  Object.assign(process.env, env)
  try {
    const exit = await Effect.runPromiseExit(program(args))
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    return { code: error === undefined ? 0 : error instanceof Ended ? error.code : -1, ...written }
  } finally {
    for (const name of Object.keys(env)) delete process.env[name]
    for (const each of restore) each()
  }
}

let url = ""
let node: ChildProcess
let nodeId = ""
const address = { alice: "", bob: "" }
const userEnv = (user: "alice" | "bob"): Env => ({ P2PMES_NODE: url, P2PMES_KEY: `${user}.key` })

/** A call as one of the users; fails the test unless it succeeds. */
const as = async (user: "alice" | "bob", args: ReadonlyArray<string>): Promise<string> =>
  succeeded(await run(args, userEnv(user)))
const succeeded = ({ code, stderr, stdout }: Ran): string => {
  assert.strictEqual(code, 0, stderr)
  return stdout
}
const lines = (text: string): Array<Record<string, unknown>> =>
  text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as Record<string, unknown>)

const firstLine = (child: ChildProcess, seconds: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const [stdout, stderr] = [textOf(child, "stdout"), textOf(child, "stderr")]
    const timer = setTimeout(() => reject(new Error(`no line in ${seconds} s: ${stderr()}`)), seconds * 1000)
    child.stdout!.on("data", () => {
      if (!stdout().includes("\n")) return
      clearTimeout(timer)
      resolve(stdout().split("\n")[0]!)
    })
    child.on("exit", (code) => reject(new Error(`ended with ${code}: ${stderr()}`)))
  })

/** An address where nothing listens. */
const nowhere = (): Promise<string> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(`http://127.0.0.1:${port}`))
    })
  })

beforeAll(async () => {
  node = start(["node", "--data", "data", "--http", "127.0.0.1:0", "--offline", "--json"])
  const [ready, alice, bob] = await Promise.all([
    firstLine(node, 60),
    spawned(["keygen", "--out", "alice.key"]),
    spawned(["keygen", "--out", "bob.key", "--json"])
  ])
  process.chdir(directory)
  const announced = JSON.parse(ready) as { readonly api: string; readonly peer_id: string }
  url = announced.api
  nodeId = announced.peer_id
  address.alice = alice.stdout.trim()
  address.bob = String(lines(bob.stdout)[0]!["address"])
}, 90_000)

afterAll(() => {
  node.kill("SIGKILL")
  process.chdir(tmpdir())
  rmSync(directory, { recursive: true, force: true })
})

describe("keys", () => {
  it("are files for their owner, and print their address", () => {
    assert.match(address.alice, /^0x[0-9a-f]{40}$/)
    assert.match(address.bob, /^0x[0-9a-f]{40}$/)
    assert.strictEqual(statSync(file("alice.key")).mode & 0o777, 0o600)
    assert.match(readFileSync(file("alice.key"), "utf8"), /^0x[0-9a-f]{64}\n$/)
  })
})

describe("two users", () => {
  it("write to each other", async () => {
    const sent = succeeded(await spawned(["send", address.bob, "hello", "bob"], userEnv("alice")))
    assert.match(sent, /^sent 0x[0-9a-f]{64}\n$/)
    const [conversation] = lines(await as("bob", ["inbox", "--json"]))
    assert.deepInclude(conversation, { kind: "dm", peer: address.alice, unread: 1 })

    const [shown, back] = await Promise.all([
      spawned(["read", address.alice], userEnv("bob")),
      // an escape sequence could steer the reader's terminal
      spawned(["send", address.alice, "-", "--json"], userEnv("bob"), "two\nlines \u001b[31mred\n")
    ])
    assert.match(succeeded(shown), /hello bob/)
    assert.deepInclude(lines(succeeded(back))[0], { committed: true })
    assert.strictEqual(lines(await as("bob", ["inbox", "--json"]))[0]!["unread"], 0)
    const messages = lines(await as("alice", ["read", "--json", "--peek", address.bob]))
    assert.deepStrictEqual(messages.map((m) => m["content"]), ["hello bob", "two\nlines \u001b[31mred"])
    assert.deepStrictEqual(messages.map((m) => m["sender"]), [address.alice, address.bob])
    assert.strictEqual(lines(await as("alice", ["inbox", "--json"]))[0]!["unread"], 1)
    const text = await as("alice", ["read", address.bob])
    assert.notInclude(text, "\u001b")
    assert.match(text, /\n {36}lines \ufffd\[31mred\n/)
    assert.strictEqual(lines(await as("alice", ["inbox", "--json"]))[0]!["unread"], 0)
  })

  it("share groups and identities", async () => {
    const group = (await as("alice", ["group", "create", "--title", "plan", address.bob])).trim()
    assert.match(group, /^0x[0-9a-f]{64}$/)
    await as("bob", ["identity", "set", "Bob"])
    await as("bob", ["send", group, "--", "--for-the-group"])
    const members = lines(await as("bob", ["group", "members", "--json", group]))
    assert.deepStrictEqual(
      members.map((m) => [m["address"], m["role"]]).sort(),
      [[address.alice, "admin"], [address.bob, "member"]].sort()
    )
    const messages = lines(await as("alice", ["read", "--all", "--json", group]))
    assert.deepStrictEqual(messages.map((m) => m["content"]), ["--for-the-group"])
    assert.strictEqual(await as("alice", ["identity", "get", address.bob]), "Bob\n")
    const inbox = await as("alice", ["inbox"])
    assert.include(inbox, group)
    assert.include(inbox, "plan")

    const refused = await run(["group", "title", group, "mine"], userEnv("bob"))
    assert.deepStrictEqual([refused.code, refused.stdout], [1, ""])
    assert.match(refused.stderr, /^p2p-mes: [^\n]*admin[^\n]*\n$/)
    await as("alice", ["group", "add", "--admin", group, address.bob])
    await as("bob", ["group", "title", group, "our", "plan"])
    assert.include(await as("alice", ["group", "members", group]), "our plan\n")
    await as("bob", ["group", "leave", group])
    assert.strictEqual((await run(["read", group], userEnv("bob"))).code, 1)
    await as("alice", ["group", "add", group, address.bob])
    await as("alice", ["group", "remove", group, address.bob])
    assert.strictEqual(lines(await as("alice", ["group", "members", "--json", group])).length, 1)
  })

  it("lose an answer of a real node and write only once", async () => {
    const drops: Array<string> = []
    const http = Effect.map(
      HttpClient.HttpClient,
      (inner) =>
        HttpClient.make((request) =>
          Effect.flatMap(inner.execute(request), (response) => {
            if (request.method !== "POST" || drops.length >= 2) return Effect.succeed(response)
            drops.push(String(request.headers["x-sig"]))
            const reason = new HttpClientError.TransportError({ request, description: "cut" })
            return Effect.fail(new HttpClientError.HttpClientError({ reason }))
          })
        )
    )
    const lossy = Layer.effect(HttpClient.HttpClient, http).pipe(Layer.provide(FetchHttpClient.layer))
    const history = await Effect.gen(function*() {
      const signer = Result.getOrThrow(Signer.fromPrivateKey(readFileSync(file("alice.key"), "utf8")))
      const client = yield* NodeClient.make({ url, signer, pin: nodeId as never })
      const chat = Result.getOrThrow(Chat.parse(address.alice))
      const sent = yield* client.send(chat, "a note to myself", { wait: 5 })
      assert.isTrue(sent.committed)
      assert.strictEqual((yield* client.message(chat, sent.msg_id)).content, "a note to myself")
      return yield* client.history(chat)
    }).pipe(Effect.provide(Layer.merge(lossy, Entropy.layer)), Effect.runPromise)
    assert.strictEqual(history.messages.length, 1)
    assert.strictEqual(drops.length, 2)
    assert.strictEqual(drops[0], drops[1])
  })
})

describe("the client guide", () => {
  it("has an example that runs as it stands", async () => {
    const guide = readFileSync(new URL("../../docs/client-guide.md", import.meta.url), "utf8")
    const example = /```ts\n(import [^]*?)```/.exec(guide)![1]!
      .replace("http://127.0.0.1:4280", url)
      .replace(/from "([^"]+)"/g, (_, name: string) => {
        const path = name === "p2p-mes/client"
          ? new URL("../../src/client/index.ts", import.meta.url).href
          : import.meta.resolve(name)
        return `from ${JSON.stringify(path)}`
      })
    writeFileSync(file("example.ts"), example)
    const child = spawn(process.execPath, [file("example.ts")], { stdio: "pipe" })
    const [stdout, stderr] = [textOf(child, "stdout"), textOf(child, "stderr")]
    const code = await new Promise((resolve) => child.on("close", resolve))
    assert.deepStrictEqual([code, stderr()], [0, ""])
    assert.match(stdout(), /^0x[0-9a-f]{64} true$/m)
    assert.match(stdout(), /^group 0 only me here so far$/m)
  })
})

describe("options", () => {
  it("come from flags, then the environment, then the file", async () => {
    writeFileSync(file("both.toml"), `node = "${url}"\nkey = "alice.key"\njson = true\n`)
    const away = await nowhere()
    assert.deepStrictEqual(lines((await run(["whoami", "--config", "both.toml"])).stdout), [{ address: address.alice }])
    const env = { P2PMES_KEY: "bob.key", P2PMES_JSON: "false", P2PMES_NODE: away }
    assert.strictEqual((await run(["whoami", "--config=both.toml"], env)).stdout, `${address.bob}\n`)
    const flag = await run(["status", "--json", "--config", "both.toml", "--node", url], env)
    assert.deepInclude(lines(flag.stdout)[0], { peer_id: nodeId, ready: true, url })
    assert.strictEqual((await run(["status"], { P2PMES_CONFIG: "both.toml", P2PMES_NODE: away })).code, 1)
    assert.strictEqual((await run(["status"], { P2PMES_CONFIG: "both.toml" })).code, 0)
    assert.strictEqual((await run(["whoami", "--no-json", "--config", "both.toml"])).stdout, `${address.alice}\n`)
  })
})

describe("failures", () => {
  it("are one line that says what is wrong, with an exit code", async () => {
    writeFileSync(file("unknown.toml"), `nod = "x"\n`)
    writeFileSync(file("broken.toml"), `node = \n`)
    writeFileSync(file("bad.key"), "not a key\n", { mode: 0o600 })
    writeFileSync(file("open.key"), readFileSync(file("alice.key")))
    chmodSync(file("open.key"), 0o644)
    const other = "12D3KooWGzh8mCmvhYkjQg5gqLhQSnRy4bRkFkLhrTfAwB3VwF4c"
    const away = await nowhere()
    const cases: ReadonlyArray<readonly [Array<string>, code: number, RegExp, Record<string, string>?]> = [
      [["nope"], 2, /nope/],
      [["send", address.bob], 2, /text/],
      [["send", "0x12", "hi"], 2, /"0x12" names no conversation/],
      [["inbox", "--limit", "0"], 2, /--limit: expected a whole number from 1 to 500/],
      [["inbox"], 2, /P2PMES_LIMIT: expected/, { P2PMES_LIMIT: "many" }],
      [["inbox", "--config", "unknown.toml"], 2, /unknown\.toml: there is no option nod; known are .*node/],
      [["inbox", "--config", "broken.toml"], 2, /broken\.toml is no TOML/],
      [["whoami", "--key", "nothing.key"], 1, /no key file nothing\.key; make one with/],
      [["whoami", "--key", "bad.key"], 1, /not a private key/],
      [["keygen", "--out", "alice.key"], 1, /alice\.key exists and is not overwritten/],
      [["status", "--node", away], 1, new RegExp(`no answer from ${away}: .*ECONNREFUSED`)],
      [["status", "--node", url, "--pin", other], 1, /expected 12D3KooWGzh8/],
      [["verify", "--data", "nothing"], 1, /nothing is no data directory/],
      [["node", "--offline", "--data", "data", "--http", "127.0.0.1:0"], 1, /in use by process \d+/],
      [["node", "--offline", "--data", "bad.key/x", "--http", "127.0.0.1:0"], 1, /bad\.key/],
      [
        ["node", "--offline", "--data", "second", "--http", url.slice("http://".length)],
        1,
        /is in use: stop the program/
      ]
    ]
    const before = readFileSync(file("alice.key"), "utf8")
    const check = ({ code, stderr, stdout }: Ran, [args, expected, message]: typeof cases[number]) => {
      const complaint = stderr.split("\n").filter((line) => !/level=(INFO|WARN)/.test(line)).join("\n")
      assert.match(complaint, message, args.join(" "))
      assert.match(complaint, /^p2p-mes: [^\n]+\n$/, args.join(" "))
      assert.deepStrictEqual([code, stdout], [expected, ""], args.join(" "))
    }
    for (const each of cases) check(await run(each[0], { P2PMES_KEY: "alice.key", ...each[3] }), each)
    // as processes, the exit code is the same
    const samples = [cases[2]!, cases.at(-1)!]
    const codes = await Promise.all(samples.map(([args]) => spawned(args, { P2PMES_KEY: "alice.key" })))
    codes.forEach((ran, i) => check(ran, samples[i]!))
    assert.strictEqual(readFileSync(file("alice.key"), "utf8"), before)
    const open = await run(["whoami", "--key", "open.key"])
    assert.deepStrictEqual([open.code, open.stdout], [0, `${address.alice}\n`])
    assert.match(open.stderr, /warning: other users can read the key file/)
  })
})

describe("data", () => {
  it("is dumped the same twice, beside the node and after it, and verified", async () => {
    const first = await run(["dump", "--data", "data"])
    const verified = await run(["verify", "--data", "data", "--json"])
    assert.strictEqual(verified.code, 0, verified.stderr)
    const dumped = lines(first.stdout)
    const records = dumped.filter((line) => line["wire"] !== undefined)
    assert.deepStrictEqual(lines(verified.stdout), [{ records: records.length, problems: 0 }])
    assert.deepStrictEqual([...new Set(records.map((line) => line["domain"]))], ["identity", "members", "messages"])
    assert.isTrue(dumped.some((line) => line["view"] === "inbox" && line["user"] === address.bob.slice(2)))

    const ended = new Promise<number | null>((resolve) => node.on("exit", resolve))
    node.kill("SIGTERM")
    assert.strictEqual(await ended, 0)
    const second = await run(["dump", "--data", "data"])
    assert.strictEqual(second.stdout, first.stdout)
    assert.isAbove(records.length, 5)
  })

  it("that was altered is found, signatures too", async () => {
    const db = new DatabaseSync(file("data/messages.sqlite"))
    const row = db.prepare("SELECT rowid, sig FROM messages LIMIT 1").get()!
    const sig = row["sig"] as Uint8Array
    sig[40]! ^= 1
    db.prepare("UPDATE messages SET sig = ? WHERE rowid = ?").run(sig, row["rowid"]!)
    db.close()
    const { code, stderr, stdout } = await run(["verify", "--data", "data"])
    assert.strictEqual(code, 1)
    assert.match(stdout, /^message [0-9a-f]{64}: its author 0x[0-9a-f]{40} did not sign it$/m)
    assert.match(stderr, /^p2p-mes: data: \d+ problems in \d+ records; stop the node and run this with --repair\n$/)
  })
})
