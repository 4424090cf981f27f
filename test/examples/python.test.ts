/**
 * The Python example against a real node: it signs what the vectors say, and its commands do what they promise, also when an
 * answer is lost, when the node restarts, and when it cannot go on where it was.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import { createServer, request } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { call, dm, type Running, start, temporaryDirectory, type User, user } from "../http/fixture.ts"
import {
  ask,
  eventually,
  type Program,
  python,
  pythonLacks,
  root,
  runProgram,
  say,
  startProgram,
  stoppable
} from "./programs.ts"

const script = join(root, "examples", "python", "chat.py")
const users = { alice: user(0xa1), bob: user(0xb2), carol: user(0xc3) }
const { alice, bob, carol } = users
const hex = (who: User): string => `0x${who.address}`

const test = (title: string, body: Effect.Effect<void, unknown, never>) =>
  it.live.skipIf(pythonLacks !== undefined)(
    pythonLacks === undefined ? title : `${title}: skipped, ${pythonLacks}`,
    () => body,
    240_000
  )

/** A directory with a key for each user, and the example run there as one of them. */
const desk = Effect.gen(function*() {
  const directory = yield* temporaryDirectory
  for (const [name, { key }] of Object.entries(users)) {
    writeFileSync(join(directory, name), `0x${Buffer.from(key).toString("hex")}\n`, { mode: 0o600 })
  }
  type Words = ReadonlyArray<string>
  const started =
    <A>(run: (command: Words, cwd: string, env: Readonly<Record<string, string>>) => A) =>
    (url: string, name: string, ...args: Words) =>
      run([python!, "-B", script, ...args], directory, { P2PMES_NODE: url, P2PMES_KEY: name })
  const end = started(runProgram)
  return {
    directory,
    end,
    /** What it printed, when it succeeds. */
    run: (...args: Parameters<typeof end>) =>
      Effect.map(end(...args), ({ code, stderr, stdout }) => {
        assert.deepStrictEqual([code, stderr], [0, ""], args.join(" "))
        return stdout.trimEnd()
      }),
    follow: started(startProgram)
  }
})

const aNode = Effect.flatMap(temporaryDirectory, (dataDir) => start({ dataDir }))

/** Passes calls on to a node, but keeps the answers of the first `losses` writes to itself. */
const lossy = (node: Running, losses: number) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(async () => {
        let writes = 0
        const server = createServer((incoming, answer) => {
          const { headers, method, url } = incoming
          const outgoing = request(node.url + url, { headers, method: method! }, (response) => {
            if (method !== "GET" && ++writes <= losses) {
              incoming.socket.destroy()
              response.resume()
            } else {
              answer.writeHead(response.statusCode!, response.headers)
              response.pipe(answer)
            }
          })
          incoming.pipe(outgoing)
        })
        await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
        return { server, writes: () => writes }
      }),
      ({ server }) =>
        Effect.promise(() => {
          server.closeAllConnections()
          return new Promise((resolve) => server.close(resolve))
        })
    ),
    ({ server, writes }) => ({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, writes })
  )

interface SignatureVectors {
  readonly strings: ReadonlyArray<
    {
      readonly sig_version: number
      readonly string_to_sign: string
      readonly private_key: string
      readonly sig: string
    }
  >
}

describe("examples/python/chat.py", () => {
  test(
    "signs as the vectors say",
    Effect.gen(function*() {
      const { strings } = JSON.parse(
        readFileSync(join(root, "test", "vectors", "signatures.json"), "utf8")
      ) as SignatureVectors
      const cases = strings.filter(({ sig_version }) => sig_version === 1)
      assert.isAtLeast(cases.length, 5)
      const program = [
        "import json, sys",
        "sys.path.insert(0, sys.argv[1])",
        "from chat import User, unhex",
        "for each in json.load(sys.stdin):",
        "    print(User(unhex(each['private_key'])).sign(each['string_to_sign']))"
      ].join("\n")
      const command = [python!, "-B", "-c", program, join(root, "examples", "python")]
      const { stderr, stdout } = yield* runProgram(command, root, {}, JSON.stringify(cases))
      const v = (sig: string) => sig.slice(0, -2).replace(/^0x/, "") + (27 + Number(sig.slice(-2))).toString(16)
      assert.deepStrictEqual([stderr, stdout.trim().split("\n")], ["", cases.map(({ sig }) => v(sig))])
    })
  )

  test(
    "makes a key that is its owner's alone, and overwrites none",
    Effect.gen(function*() {
      const { end, run } = yield* desk
      assert.match(yield* run("http://127.0.0.1:1", "new.key", "keygen"), /^0x[0-9a-f]{40}$/)
      const again = yield* end("http://127.0.0.1:1", "new.key", "keygen")
      assert.strictEqual(again.code, 1)
      assert.match(again.stderr, /FileExistsError/)
    }).pipe(Effect.scoped)
  )

  test(
    "sends, pages through all of a conversation, and marks it as read",
    Effect.gen(function*() {
      const [node, { run }] = [yield* aNode, yield* desk]
      // more than a page of 100
      for (let number = 1; number <= 204; number++) {
        yield* Effect.promise(() => call(node, alice, dm(alice, bob, { content: `number ${number}` })))
      }
      const id = yield* run(node.url, "alice", "send", hex(bob), "höchste \"Zeit\"")
      const sent = yield* ask(node, bob, `/dialogs/${hex(alice)}/messages/${id}`)
      assert.strictEqual(sent.content, "höchste \"Zeit\"")
      const lines = (yield* run(node.url, "bob", "history", hex(alice))).split("\n")
      const numbers = Array.from({ length: 204 }, (_, index) => `${hex(alice)} "number ${204 - index}"`)
      assert.deepStrictEqual(lines.slice(1), numbers)
      assert.strictEqual((yield* ask(node, bob, "/conversations")).conversations[0].unread, 205)
      yield* run(node.url, "bob", "read", hex(alice))
      assert.strictEqual((yield* ask(node, bob, "/conversations")).conversations[0].unread, 0)
    }).pipe(Effect.scoped)
  )

  test(
    "makes a group and writes to it",
    Effect.gen(function*() {
      const [node, { run }] = [yield* aNode, yield* desk]
      const group = yield* run(node.url, "alice", "group", "Plan für morgen", hex(carol), hex(bob), hex(carol))
      const members = yield* ask(node, bob, `/groups/${group}/members`)
      assert.strictEqual(members.title, "Plan für morgen")
      const roles = members.members.map(({ address, role }: { address: string; role: string }) => [address, role])
      assert.sameDeepMembers(roles, [[hex(alice), "admin"], [hex(bob), "member"], [hex(carol), "member"]])
      yield* run(node.url, "carol", "send", group, "hello")
      assert.strictEqual(yield* run(node.url, "bob", "history", group), `${hex(carol)} "hello"`)
    }).pipe(Effect.scoped)
  )

  test(
    "writes once when the answer is lost",
    Effect.gen(function*() {
      const [node, { run }] = [yield* aNode, yield* desk]
      const way = yield* lossy(node, 2)
      const id = yield* run(way.url, "alice", "send", hex(bob), "only once")
      assert.strictEqual(way.writes(), 3)
      const { messages } = yield* ask(node, bob, `/dialogs/${hex(alice)}/messages`)
      assert.deepStrictEqual(messages.map(({ msg_id }: { msg_id: string }) => msg_id), [id])
    }).pipe(Effect.scoped)
  )

  test(
    "says why a node refuses, and does not trust one that cannot prove its id",
    Effect.gen(function*() {
      const [node, { end }] = [yield* aNode, yield* desk]
      const refused = yield* end(node.url, "alice", "history", `0x${"00".repeat(32)}`)
      assert.strictEqual(refused.code, 1)
      assert.strictEqual(JSON.parse(refused.stderr)._tag, "NotFound")
      const liar = yield* Effect.acquireRelease(
        Effect.promise(async () => {
          const server = createServer((_, answer) =>
            answer.end(JSON.stringify({ peer_id: node.id, signature: "11".repeat(64) }))
          )
          await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
          return server
        }),
        (server) => Effect.promise(() => new Promise((resolve) => server.close(resolve)))
      )
      const url = `http://127.0.0.1:${(liar.address() as AddressInfo).port}`
      const deceived = yield* end(url, "alice", "send", hex(bob), "hello")
      assert.strictEqual(deceived.code, 1)
      assert.match(deceived.stderr, /BadSignatureError/)
    }).pipe(Effect.scoped)
  )
})

describe("examples/python/chat.py follow", () => {
  test(
    "prints each message once, across its own restart, that of the node, and a place that is not known",
    Effect.gen(function*() {
      const { directory, follow } = yield* desk
      const dataDir = yield* temporaryDirectory
      const first = yield* stoppable(dataDir)
      const line = (content: string) => `${hex(alice)} ${hex(alice)} "${content}"`
      const shows = ({ errors, lines }: Program, ...contents: ReadonlyArray<string>) =>
        Effect.map(
          eventually("lines", () => lines.length >= contents.length, () => [lines, errors()]),
          () => assert.deepStrictEqual(lines, contents.map(line))
        )

      /** Ends it once it has written down how far it is: what it was just doing is done again. */
      const end = Effect.fnUntraced(function*({ child, ended }: Program) {
        const place = () => readFileSync(join(directory, "place"), "utf8")
        for (let before = ""; before !== place();) {
          before = place()
          yield* Effect.sleep(1_000)
        }
        child.kill("SIGKILL")
        yield* Effect.promise(() => ended)
      })

      // what was unread before, and what comes
      yield* say(first, alice, bob, "before")
      const one = yield* follow(first.url, "bob", "follow", "place")
      yield* shows(one, "before")
      yield* say(first, alice, bob, "live")
      yield* shows(one, "before", "live")

      // the node restarts: the same program goes on
      yield* first.stop
      const second = yield* stoppable(dataDir, first.port)
      yield* say(second, alice, bob, "after the node's restart")
      yield* shows(one, "before", "live", "after the node's restart")

      // the program restarts: it goes on behind its place
      yield* end(one)
      yield* say(second, alice, bob, "meanwhile")
      const two = yield* follow(second.url, "bob", "follow", "place")
      yield* shows(two, "meanwhile")
      yield* say(second, alice, bob, "live again")
      yield* shows(two, "meanwhile", "live again")

      // a place of another node: what is unread, and nothing else
      yield* end(two)
      yield* say(second, alice, bob, "missed")
      writeFileSync(join(directory, "place"), `${"0".repeat(16)}-1`)
      const three = yield* follow(second.url, "bob", "follow", "place")
      yield* shows(three, "missed")
      yield* say(second, alice, bob, "at last")
      yield* shows(three, "missed", "at last")
    }).pipe(Effect.scoped)
  )
})
