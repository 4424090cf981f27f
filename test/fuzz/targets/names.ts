/** The small texts: node ids, ids and bytes in JSON, stamps, cursors, signatures, addresses of nodes. */
import { peerIdFromString } from "@libp2p/peer-id"
import { multiaddr } from "@multiformats/multiaddr"
import { Effect, Exit, Result, Schema } from "effect"
import * as Fields from "../../../src/api/fields.ts"
import { cursorOf } from "../../../src/api/message-json.ts"
import * as Multiaddrs from "../../../src/cli/multiaddrs.ts"
import { parseUrl } from "../../../src/client/url.ts"
import * as Bytes from "../../../src/domain/bytes.ts"
import * as Hlc from "../../../src/domain/hlc.ts"
import * as NodeId from "../../../src/domain/node-id.ts"
import * as Signature from "../../../src/domain/signature.ts"
import * as Answers from "../../../src/layers/http/answers.ts"
import { Dice, nodes, users } from "../../domain/records.ts"
import { must, shapeOf, type Target } from "../target.ts"
import { surrogate, textMutators, textOf } from "../text.ts"

const utf8 = new TextEncoder()
const mutators = [...textMutators, surrogate]

const libp2pId = (text: string): { readonly type: string; readonly key: Uint8Array } | undefined => {
  try {
    const id = peerIdFromString(text)
    return id.toString() === text && id.publicKey !== undefined && (id.type === "Ed25519" || id.type === "secp256k1")
      ? { type: id.type.toLowerCase(), key: id.publicKey.raw }
      : undefined
  } catch {
    return undefined
  }
}

export const nodeIds: Target = {
  name: "node-id",
  bytesMax: 512,
  mutators,
  seeds: [
    ...nodes,
    "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
    "bafzaajaiaejcbzdibmxyzdjbbehgvizh6g5tikvy47mshdy6gwbruvgwvd24seje"
  ].map((text) => utf8.encode(text)),
  shortCases: 800,
  run: (input) => {
    const text = textOf(input)
    const own = NodeId.parseNodeId(text)
    const theirs = libp2pId(text)
    must(Result.isSuccess(own) === (theirs !== undefined), "libp2p says otherwise")
    if (Result.isFailure(own)) return shapeOf(own.failure)
    must(NodeId.nodeIdOf(own.success) === text, "the id is printed otherwise than it was read")
    must(
      own.success.type === theirs!.type && Bytes.equal(own.success.publicKey, theirs!.key),
      "libp2p finds another key"
    )
    return own.success.type
  }
}

const tcpMultiaddrs = [
  "/ip4/127.0.0.1/tcp/4281",
  "/ip6/::1/tcp/0",
  `/dns4/node.example.org/tcp/4281/p2p/${nodes[0]}`,
  `/dnsaddr/example.org/p2p/${nodes[2]}`,
  `/ip6zone/eth0/ip6/fe80::1/tcp/1/p2p/${nodes[1]}`,
  "/ip4/1.2.3.4/udp/1/quic-v1",
  "/unix/%2Ftmp%2Fa.sock",
  "/ip4/10.0.0.0/ipcidr/8"
]

const places = [
  { parse: Multiaddrs.parseListen, form: /^\/ip[46]\/tcp$/, requiresId: false },
  { parse: Multiaddrs.parseAnnounce, form: /^\/(?:(?:ip4|ip6|dns|dns4|dns6)\/tcp|dnsaddr)(?:\/|$)/, requiresId: false },
  {
    parse: Multiaddrs.parseBootstrap,
    form: /^\/(?:(?:ip4|ip6|dns|dns4|dns6)\/tcp|dnsaddr)\/(?:.*\/)?p2p$/,
    requiresId: true
  }
] as const

export const multiaddrs: Target = {
  name: "multiaddr",
  bytesMax: 2_048,
  mutators,
  seeds: tcpMultiaddrs.map((text) => utf8.encode(text)),
  shortCases: 300,
  run: async (input) => {
    const text = textOf(input)
    const shapes: Array<string> = []
    for (const { form, parse, requiresId } of places) {
      const exit = await Effect.runPromiseExit(Effect.result(parse(text)))
      must(Exit.isSuccess(exit), `a defect: ${String(exit)}`)
      const { value } = exit
      if (Result.isFailure(value)) {
        must(typeof value.failure === "string", "what is wrong is not told in words")
        shapes.push(shapeOf(value.failure))
        continue
      }
      must(value.success === text, "another address came out")
      const components = multiaddr(text).getComponents()
      const names = components.map(({ name }) => name)
      must(form.test(`/${names.join("/")}`), `of another form: ${text}`)
      const id = components.at(-1)!
      must(!requiresId || libp2pId(id.value ?? "") !== undefined, "without the id of a node")
      shapes.push(names.slice(0, 2).join("/"))
    }
    return shapes.join(" | ")
  }
}

/** A reader that is right when what it read prints as the same text, up to what it promises to overlook. */
const prints = <A>(
  read: (text: string) => Result.Result<A, unknown>,
  print: (value: A) => string,
  overlooked: (text: string) => string = (text) => text
) =>
(text: string): string => {
  const found = read(text)
  // a schema shows the value too: the first words tell what is wrong with it
  if (Result.isFailure(found)) return shapeOf(String(found.failure)).split(/[,…]/)[0]!
  must(print(found.success) === overlooked(text), `read ${JSON.stringify(text)}, printed ${print(found.success)}`)
  return "ok"
}

const bare = (text: string): string => text.replace(/^0x/i, "").toLowerCase()
const resultOf = <A, E>(effect: Effect.Effect<A, E>): Result.Result<A, E> => Effect.runSync(Effect.result(effect))
const schema = <A>(of: Schema.Codec<A, string>) => (text: string): Result.Result<A, unknown> =>
  resultOf(Schema.decodeEffect(of)(text))

const readers: { readonly [name: string]: (text: string) => string } = {
  address: prints((text) => Bytes.parseHex(text, 20), (hex) => hex, bare),
  hlc: prints(Hlc.parse, Hlc.toText, (text) => text.toLowerCase()),
  base64: prints(Bytes.parseBase64, Bytes.toBase64),
  chatId: prints(schema(Fields.ChatId), (hex) => hex, bare),
  stamp: prints(schema(Fields.Stamp), Hlc.toText, (text) => text.toLowerCase()),
  limit: prints(schema(Fields.intFromText(1, 500)), String),
  text: prints(schema(Fields.text("text", 64)), (text) => text),
  position: prints(
    (text) => resultOf(Answers.readPosition("before", text)),
    (position) => position === undefined ? "" : cursorOf(position.hlc, position.id),
    (text) => text.slice(0, 16).toLowerCase() + bare(text.slice(16))
  ),
  inboxPosition: prints(
    (text) => resultOf(Answers.readInboxPosition(text)),
    (position) => position === undefined ? "" : Answers.inboxCursor(position),
    (text) => text.slice(0, 16).toLowerCase() + bare(text.slice(16))
  ),
  signature: (text) => {
    const sig = Signature.parseSignature(text)
    if (Result.isFailure(sig)) return shapeOf(sig.failure)
    must(Signature.signatureProblem(sig.success) === undefined, "a signature that is none")
    const [rs, v] = [bare(text).slice(0, 128), Number.parseInt(bare(text).slice(128), 16)]
    must(Bytes.toHex(sig.success.subarray(0, 64)) === rs && sig.success[64] === v % 27, "another signature")
    return `ok ${v}`
  },
  url: (text) => {
    const url = parseUrl(text)
    if (Result.isFailure(url)) return shapeOf(url.failure.replace(/, got .*/s, ""))
    const again = parseUrl(url.success)
    must(Result.isSuccess(again) && again.success === url.success, `read again it is ${JSON.stringify(again)}`)
    must(/^https?:\/\/[^/?#@]+(\/[^?#]*)?$/.test(url.success) && URL.canParse(`${url.success}/node`), "no base address")
    return "ok"
  }
}

const fieldSeeds = (dice: Dice): ReadonlyArray<readonly [name: string, text: string]> => [
  ["address", `0x${users[0]}`],
  ["hlc", "018bcfe568000001"],
  ["base64", "AQID"],
  ["base64", "AQIDBA=="],
  ["chatId", dice.hex(32)],
  ["stamp", "ffffffffffffffff"],
  ["limit", "500"],
  ["text", "hé😀"],
  ["position", `018bcfe568000001${dice.hex(32)}`],
  ["inboxPosition", `018bcfe568000001${dice.hex(32)}`],
  ["signature", `0x${"11".repeat(64)}1b`],
  ["url", "http://127.0.0.1:4280"],
  ["url", "https://node.example.org/a/b/"]
]

/** The reader by name, a line break, the text. */
export const fields: Target = {
  name: "fields",
  bytesMax: 4_096,
  mutators,
  seeds: fieldSeeds(new Dice(5)).map(([name, text]) => utf8.encode(`${name}\n${text}`)),
  shortCases: 2_000,
  run: (input) => {
    const whole = textOf(input)
    const end = whole.indexOf("\n")
    const name = end < 0 ? "" : whole.slice(0, end)
    return Object.hasOwn(readers, name) ? `${name} ${readers[name]!(whole.slice(end + 1))}` : "no reader"
  }
}
