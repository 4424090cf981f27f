/** `keygen`, `whoami` and `network-key`: what needs a key and no node. */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { randomBytes } from "node:crypto"
import { fromPrivateKey } from "../../client/Signer.ts"
import { jsonFlag, keyFlag } from "../account.ts"
import { keyFile, networkKeyFile } from "../defaults.ts"
import * as KeyFile from "../keyfile.ts"
import * as NetworkKey from "../network-key.ts"
import { note, print, printJson } from "../output.ts"
import * as Settings from "../settings.ts"

const out = (standard: string) =>
  Settings.optionOr({
    name: "out",
    metavar: "FILE",
    description: `Where to write the key (default: ${standard})`,
    parse: Settings.text
  }, standard)

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
  { out: out(keyFile), json: jsonFlag },
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

export const networkKey = Command.make(
  "network-key",
  { out: out(networkKeyFile), json: jsonFlag },
  Effect.fnUntraced(function*({ json, out }) {
    yield* NetworkKey.make(out)
    if (json) return yield* printJson({ file: out })
    yield* print(out)
    yield* note(`copy ${out} to every node of the network, and start each with --network-key ${out}`)
  })
).pipe(
  Command.withDescription(
    "Make the key of a private network: nodes that do not have it cannot connect to those that do. A file is never "
      + "overwritten."
  ),
  Command.withShortDescription("Make the key of a private network"),
  Command.withExamples([{ command: "p2p-mes network-key --out network.key" }])
)
