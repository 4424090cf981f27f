/**
 * The command line: arguments, environment and configuration file. It runs in a process of its own under the permissions
 * of Node, so that no argument, however it is changed, writes a file elsewhere, opens a socket or starts anything.
 */
import { type ChildProcess, fork } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Bytes from "../../../src/domain/bytes.ts"
import { must, shapeOf, type Target } from "../target.ts"
import { textMutators, textOf } from "../text.ts"
import type { Invocation, Said } from "./cli-child.ts"

const address = "0x1563915e194d8cfba1943570603f7606a3115508"
const group = `0x${"1f".repeat(32)}`
const peer = "/ip4/127.0.0.1/tcp/4281/p2p/12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo"

/** Lines: arguments, variables after a `$`, and after a line `---` the configuration. */
const samples: ReadonlyArray<string> = [
  "keygen\n--out\nmy.key",
  "keygen\n--out=my.key\n--json",
  "whoami\n--key\nmy.key",
  `send\n${address}\nhello\nworld\n--wait\n3\n--node\nhttp://127.0.0.1:4280`,
  `send\n--type=7\n--control\nAQID\n${group}\n--\n-x`,
  "inbox\n--limit\n5\n--json",
  `read\n${group}\n--limit=500\n--mark`,
  `group\ncreate\n--title\nplan\n${address}`,
  `group\nadd\n--admin\n${group}\n${address}`,
  `group\nremove\n${group}\n${address}`,
  `group\ntitle\n${group}\na\nb`,
  `group\nmembers\n${group}`,
  `group\nleave\n${group}`,
  "identity\nset\nAQID",
  `identity\nget\n${address}`,
  "status\n--node\n127.0.0.1:4280\n--pin\n12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo",
  "verify\n--data\nnowhere\n--repair",
  "dump\n--data\nnowhere",
  "network-key\n--out\nnetwork.key",
  `node\n--data\nd\n--http\n127.0.0.1:0\n--listen\n/ip4/127.0.0.1/tcp/0\n--bootstrap\n${peer}\n--mdns\n--network\nn`,
  `node\n--user-rate\n5\n--user-burst\n5\n--max-body\n1000\n--max-in-flight\n3\n--announce\n${peer}`,
  "--help",
  "group\n--help",
  "--version",
  "--completions\nbash",
  `$P2PMES_NODE=http://127.0.0.1:4280\n$P2PMES_JSON=true\n$P2PMES_LIMIT=7\ninbox`,
  `$P2PMES_LISTEN=/ip4/127.0.0.1/tcp/0,/ip6/::1/tcp/0\n$P2PMES_MDNS=1\n$P2PMES_MAX_MEMBERS=5\nnode`,
  `status\n---\nnode = "http://127.0.0.1:4280"\njson = true\n`,
  `node\n---\nlisten = ["/ip4/127.0.0.1/tcp/0"]\nbootstrap = "${peer}"\nuser-rate = 7\nmdns = false\noffline = true\n`,
  `inbox\n---\n# a comment\nlimit = 5\nkey = 'my.key'\n`
]

/** At most this many of each: the platform bounds what a command line may hold, too. */
const linesMax = 64

/** What an input stands for. Arguments hold no zero byte: no process can be given one. */
const invocationOf = (input: Uint8Array): Invocation => {
  const [head, ...rest] = textOf(input).split("\n---\n")
  const lines = head!.split("\n").slice(0, linesMax).map((line) => line.replaceAll("\0", "").toWellFormed())
  const env: { [name: string]: string } = {}
  const args: Array<string> = []
  for (const line of lines) {
    const found = /^\$(P2PMES_[A-Z0-9_]+)=(.*)$/s.exec(line)
    if (found === null) args.push(line)
    else env[found[1]!] = found[2]!
  }
  if (rest.length === 0) return { args, env }
  return { args: [...args, "--config", "config.toml"], env, config: rest.join("\n---\n") }
}

/** What the sandbox forbids, which is no mistake of the command line. */
const isForbidden = /restricted|Permission Model/

/** What an error of an invocation names: an option, a variable, a file, an argument, or a command. */
const namesIt = /--[\w-]|-\w|P2PMES_|config\.toml|argument|subcommand|command|flag|option| in | is no |names no /

const judge = ({ args, env }: Invocation, { code, err, out }: Said): void => {
  const shown = `${JSON.stringify(args)} ${JSON.stringify(env)}: ${err.slice(0, 500)}`
  must(code === 0 || code === 1 || code === 2, `ended by ${String(code)}: ${shown}`)
  must(!/^\s+at \S+ \(|\n\s+at /.test(err), `a stack trace: ${shown}`)
  must(isForbidden.test(err) || !err.includes("internal error"), `an internal error: ${shown}`)
  must(!err.includes("[object Object]"), `an object for an answer: ${shown}`)
  if (code === 0) return
  must(`${err}${out}`.trim() !== "", `not a word: ${shown}`)
  if (code !== 2 || out !== "") return
  must(err.startsWith("p2p-mes: "), `not in the form of all errors: ${shown}`)
  must(err.trimEnd().split("\n").length === 1, `more than one line: ${shown}`)
  must(namesIt.test(err), `the error does not say of what: ${shown}`)
}

const childFile = fileURLToPath(new URL("cli-child.ts", import.meta.url))

/** Longer than one invocation may take in there. */
const answerMsMax = 60_000

export const cli = async (): Promise<Target> => {
  const directory = mkdtempSync(join(tmpdir(), "p2p-mes-fuzz-cli-"))
  const begin = async (): Promise<ChildProcess> => {
    const begun = fork(childFile, {
      cwd: directory,
      execArgv: [
        "--permission",
        "--allow-fs-read=*",
        `--allow-fs-write=${directory}`,
        "--allow-addons",
        "--no-warnings"
      ],
      env: Object.fromEntries(
        Object.entries(process.env).filter(([name]) => !/^P2PMES_|^VITEST|^NODE_OPTIONS/.test(name))
      ),
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      serialization: "advanced"
    })
    await new Promise<void>((resolve, reject) => {
      begun.once("message", () => resolve())
      begun.once("exit", (code) => reject(new Error(`the process for the command line ended by ${code}`)))
    })
    return begun
  }
  let child: ChildProcess | undefined
  /** What the invocation said; a process that ends, or says nothing, broke a promise. */
  const ask = (asked: ChildProcess, invocation: Invocation): Promise<Said> =>
    new Promise((resolve) => {
      const end = (said: Said): void => {
        clearTimeout(timer)
        asked.off("exit", onExit).off("message", onMessage)
        resolve(said)
      }
      const onMessage = (said: unknown): void => end(said as Said)
      const onExit = (code: number | null): void => end({ out: "", err: `the process ended by ${code}` })
      const timer = setTimeout(() => {
        asked.kill("SIGKILL")
        end({ out: "", err: "the process hangs" })
      }, answerMsMax)
      asked.on("message", onMessage).on("exit", onExit)
      asked.send(invocation)
    })
  return {
    name: "cli",
    bytesMax: 16 * 1024,
    mutators: textMutators,
    seeds: samples.map((text) => Bytes.fromText(text)),
    shortCases: 80,
    run: async (input) => {
      if (child === undefined || child.exitCode !== null || child.killed) child = await begin()
      const invocation = invocationOf(input)
      const said = await ask(child, invocation)
      judge(invocation, said)
      const line = said.err.split("; see `")[0]!
      return `${said.code} ${shapeOf(line).replace(/--?\S+/g, "-").split(/[,…]/)[0]!.slice(0, 40)} ${
        said.out === "" ? "" : "prints"
      }`
    },
    close: () => {
      child?.kill()
      rmSync(directory, { recursive: true, force: true })
      return Promise.resolve()
    }
  }
}
