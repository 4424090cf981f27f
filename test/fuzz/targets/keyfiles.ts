/** Files that hold a key: a user's, a node's, a private network's. Whatever is in one, it is a key or told to be none. */
import { generateKeyPairFromSeed, privateKeyFromRaw, privateKeyToProtobuf } from "@libp2p/crypto/keys"
import { ed25519 as curve25519 } from "@noble/curves/ed25519.js"
import { secp256k1 as curveK1 } from "@noble/curves/secp256k1.js"
import { Cause, Context, Effect, Exit, Layer, Result } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as KeyFile from "../../../src/cli/keyfile.ts"
import * as Bytes from "../../../src/domain/bytes.ts"
import { parseNodeId } from "../../../src/domain/node-id.ts"
import { readNetworkKey, textOf as networkText } from "../../../src/layers/network/network-key.ts"
import * as NodeKeys from "../../../src/layers/node/node-key.ts"
import { NodeKey } from "../../../src/services/NodeKey.ts"
import { Dice } from "../../domain/records.ts"
import { byteMutators, mutate } from "../mutators.ts"
import { must, shapeOf, type Target } from "../target.ts"
import { textMutators, textOf } from "../text.ts"

const said = Uint8Array.of(1, 2, 3)
const utf8 = new TextEncoder()
const ed25519 = privateKeyToProtobuf(await generateKeyPairFromSeed("Ed25519", new Dice(3).bytes(32)))
const secp256k1 = privateKeyToProtobuf(privateKeyFromRaw(new Dice(4).bytes(32)))

/** A failure that is told in one line; never a defect. */
const failureOf = <A, E>(exit: Exit.Exit<A, E>): string => {
  must(Exit.isFailure(exit), "no failure")
  must(!Cause.hasDies(exit.cause), `a defect: ${Cause.pretty(exit.cause)}`)
  const { message } = Cause.squash(exit.cause) as Error
  must(typeof message === "string" && message !== "", "a failure without a word")
  return shapeOf(message.replace(/^.*?: /, ""))
}

type Reader = (file: string, content: string) => Effect.Effect<string>

const readers: { readonly [name: string]: Reader } = {
  user: (file, content) =>
    Effect.map(Effect.exit(KeyFile.read(file)), (exit) => {
      if (Exit.isFailure(exit)) return failureOf(exit)
      must(/^(0x)?[0-9a-f]{64}$/i.test(content.trim()), "a key that is none")
      return "ok"
    }),
  network: (file, content) =>
    Effect.map(Effect.exit(readNetworkKey(file)), (exit) => {
      if (Exit.isFailure(exit)) return failureOf(exit)
      must(exit.value.length === 32, "a key of another length")
      const again = networkText(exit.value).trim().split("\n")
      const given = content.trim().split(/\r?\n/).map((line) => line.trim())
      must(again.join() === [...given.slice(0, 2), given[2]!.toLowerCase()].join(), "another key")
      return "ok"
    }),
  node: (file) =>
    Effect.scoped(Effect.gen(function*() {
      const exit = yield* Effect.exit(Layer.build(NodeKeys.layer(file)))
      if (Exit.isFailure(exit)) return failureOf(exit)
      const { id, sign } = Context.get(exit.value, NodeKey)
      const key = parseNodeId(id)
      must(Result.isSuccess(key), `the node has no id: ${id}`)
      const { publicKey, type } = key.success
      const signature = sign(said)
      must(
        type === "ed25519" ? curve25519.verify(signature, said, publicKey) : curveK1.verify(signature, said, publicKey),
        "the node signs with another key than its id holds"
      )
      return "ok"
    }))
}

const seeds = [
  `user\n0x${"11".repeat(32)}\n`,
  `user\n${"fe".repeat(32)}`,
  `network\n${networkText(new Dice(9).bytes(32))}`,
  `node\n${Bytes.toBase64(ed25519)}\n`,
  `node\n${Bytes.toBase64(secp256k1)}\n`
]

/** The reader by name, a line break, what the file holds. */
export const keyfiles: Target = {
  name: "keyfile",
  bytesMax: 6_000,
  mutators: [
    ...textMutators,
    // within the base64 of a node's key
    ...Array.from({ length: 12 }, () => (dice: Dice, input: Uint8Array, other: () => Uint8Array) => {
      const text = textOf(input)
      const key = Bytes.parseBase64(text.slice(5).trim())
      if (!text.startsWith("node\n") || Result.isFailure(key)) return dice.pick(textMutators)(dice, input, other)
      return utf8.encode(`node\n${Bytes.toBase64(mutate(dice, byteMutators, key.success, () => ed25519))}\n`)
    })
  ],
  seeds: seeds.map((text) => utf8.encode(text)),
  shortCases: 150,
  run: async (input) => {
    const end = input.indexOf(10)
    const name = textOf(input.subarray(0, Math.max(0, end)))
    if (!Object.hasOwn(readers, name)) return "no reader"
    const content = input.subarray(end + 1)
    const directory = mkdtempSync(join(tmpdir(), "p2p-mes-fuzz-"))
    try {
      const file = join(directory, "key")
      writeFileSync(file, content, { mode: 0o600 })
      return `${name} ${await Effect.runPromise(readers[name]!(file, textOf(content)))}`
    } finally {
      rmSync(directory, { recursive: true })
    }
  }
}
