/** `keygen` and `whoami`: what needs a key and no node. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { randomBytes } from "node:crypto"
import { fromPrivateKey } from "../../client/Signer.ts"
import { jsonFlag, keyFlag } from "../account.ts"
import { keyFile } from "../defaults.ts"
import * as KeyFile from "../keyfile.ts"
import { note, print, printJson } from "../output.ts"
import * as Settings from "../settings.ts"

const out = Settings.optionOr({
  name: "out",
  metavar: "FILE",
  description: `Where to write the key (default: ${keyFile})`,
  parse: Settings.text
}, keyFile)

/** All but some 2^-128 of 32 random bytes are a key. */
const newKey = Effect.sync(() => {
  while (true) {
    const key = randomBytes(32)
    const signer = fromPrivateKey(key)
    if (signer._tag === "Success") return { hex: key.toString("hex"), address: `0x${signer.success.address}` }
  }
})

export const keygen = Command.make(
  "keygen",
  { out, json: jsonFlag },
  Effect.fnUntraced(function*({ json, out }) {
    const { address, hex } = yield* newKey
    yield* KeyFile.write(out, hex)
    if (json) return yield* printJson({ address, file: out })
    yield* print(address)
    yield* note(`the key is in ${out}: keep a copy, it cannot be made again`)
  })
).pipe(
  Command.withDescription("Make a key, and print the address that belongs to it. A file is never overwritten."),
  Command.withShortDescription("Make a key"),
  Command.withExamples([{ command: "p2p-mes keygen --out alice.key" }])
)

export const whoami = Command.make(
  "whoami",
  { key: keyFlag, json: jsonFlag },
  Effect.fnUntraced(function*({ json, key }) {
    const { address } = yield* KeyFile.read(key)
    yield* json ? printJson({ address: `0x${address}` }) : print(`0x${address}`)
  })
).pipe(Command.withDescription("Print the address of your key"), Command.withShortDescription("Print your address"))
