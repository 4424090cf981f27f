/**
 * What does a signature cost, and a hash? Each of our functions beside the bare library it uses, in turns.
 *
 *     node bench/verify.ts [--quick]      a markdown table, and bench/results/verify.json
 */
import { instantiateSecp256k1 } from "@bitauth/libauth/build/lib/crypto/secp256k1.js"
import { ed25519 } from "@noble/curves/ed25519.js"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { createKeyed, hash as jit } from "blake3-jit"
import { Context, Effect, Exit, Layer, Logger, Scope } from "effect"
import { createBLAKE3, createKeccak } from "hash-wasm"
import { createHash, createPublicKey, verify as opensslVerify } from "node:crypto"
import { createRequire } from "node:module"
import { availableParallelism } from "node:os"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { loadProven, preference } from "../src/layers/crypto/backend.ts"
import * as Ed25519 from "../src/layers/crypto/ed25519.ts"
import { loadWasmPromise, noble } from "../src/layers/crypto/hashes.ts"
import { layer, type VerifierOptions } from "../src/layers/crypto/verifier.ts"
import { type Recovery, Verifier } from "../src/services/Verifier.ts"
import { alternate, cpuOf, isQuick, loop, type Measured, type Row, table, writeResults } from "./report/measure.ts"

const runs = isQuick ? 5 : 7
const ms = isQuick ? 40 : 200

const pseudo = (label: string): Uint8Array => createHash("sha256").update(label).digest()
const recoveries: ReadonlyArray<Recovery> = Array.from({ length: 64 }, (_, i) => {
  const digest = pseudo(`digest ${i}`)
  const sig = secp256k1.sign(digest, pseudo(`secret ${i}`), { prehash: false, format: "recovered" })
  return { digest, rs: sig.slice(1), v: sig[0] as 0 | 1 }
})
const at = (i: number): Recovery => recoveries[i % recoveries.length]!

/** One recovery on the calling thread: the bare library gives the key, our backend the address. */
const recoveryRows = async (): Promise<ReadonlyArray<Row>> => {
  const addon = createRequire(import.meta.url)("secp256k1/bindings") as {
    ecdsaRecover(rs: Uint8Array, id: number, digest: Uint8Array, compressed: boolean): Uint8Array
  }
  const wasm = await instantiateSecp256k1()
  const bare: Record<string, (item: Recovery) => unknown> = {
    native: ({ digest, rs, v }) => addon.ecdsaRecover(rs, v, digest, false),
    wasm: ({ digest, rs, v }) => wasm.recoverPublicKeyUncompressed(rs, v, digest),
    noble: ({ digest, rs, v }) =>
      secp256k1.Signature.fromBytes(rs).addRecoveryBit(v).recoverPublicKey(digest).toBytes(false)
  }
  const backends = await Promise.all(preference.map(loadProven))
  return backends.flatMap((backend) => [
    loop(`recovery, ${backend.name}: bare library`, ms, (i) => bare[backend.name]!(at(i)), true),
    loop(`recovery, ${backend.name}: our backend`, ms, (i) => backend.recover(at(i).digest, at(i).rs, at(i).v), true)
  ])
}

const open = async (scope: Scope.Scope, options: VerifierOptions): Promise<Verifier["Service"]> =>
  Context.get(
    await Effect.runPromise(Layer.buildWithScope(layer(options).pipe(Layer.provide(Logger.layer([]))), scope)),
    Verifier
  )

/** Calls `step` until the time is over; each call does `units`. Also says how long the event loop was held up. */
const service = (name: string, units: number, step: (note: (taken: number) => void) => Promise<unknown>): Row => ({
  name,
  run: async () => {
    const latenciesMs: Array<number> = []
    const delay = monitorEventLoopDelay({ resolution: 1 })
    let done = 0
    delay.enable()
    const { cpuMs, wallMs } = await cpuOf(async () => {
      const end = performance.now() + ms
      while (performance.now() < end) {
        await step((taken) => void latenciesMs.push(taken))
        done += units
      }
    })
    delay.disable()
    const sample = { units: done, wallMs, cpuMs, latenciesMs }
    // without a single turn of the loop there is nothing to tell
    return delay.count === 0 ? sample : { ...sample, extra: { loopDelayMsMax: delay.max / 1e6 } }
  }
})

const serviceRows = async (scope: Scope.Scope): Promise<ReadonlyArray<Row>> => {
  const timed = async (note: (taken: number) => void, work: Effect.Effect<unknown>): Promise<void> => {
    const begun = performance.now()
    await Effect.runPromise(work)
    note(performance.now() - begun)
  }
  const bulk = Array.from({ length: 512 }, (_, i) => at(i))
  const counts = [...new Set([0, 1, Math.max(1, availableParallelism() - 1), availableParallelism()])]
  const rows: Array<Row> = []
  for (const workers of counts) {
    const verifier = await open(scope, { workers })
    const where = `${workers} thread${workers === 1 ? "" : "s"}`
    rows.push(
      service(`Verifier, ${where}: one at a time`, 1, (note) => timed(note, verifier.recover(at(1)))),
      service(
        `Verifier, ${where}: 64 callers at once`,
        64,
        (note) => Promise.all(bulk.slice(0, 64).map((item) => timed(note, verifier.recover(item))))
      ),
      service(`Verifier, ${where}: 512 in one call`, 512, () => Effect.runPromise(verifier.recoverAll(bulk)))
    )
  }
  return rows
}

const nodeKeyRows = async (): Promise<ReadonlyArray<Row>> => {
  const [secret, digest] = [pseudo("node"), pseudo("stamp")]
  const publicKey = ed25519.getPublicKey(secret)
  const signature = ed25519.sign(digest, secret)
  const key = createPublicKey({
    key: { kty: "OKP", crv: "Ed25519", x: Buffer.from(publicKey).toString("base64url") },
    format: "jwk"
  })
  const native = await loadProven("native")
  const secpKey = secp256k1.getPublicKey(secret, true)
  const hashed = createHash("sha256").update(digest).digest()
  const rs = secp256k1.sign(hashed, secret, { prehash: false })
  return [
    loop("Ed25519: bare node:crypto, key kept", ms, () => opensslVerify(null, digest, key, signature), true),
    loop("Ed25519: ours", ms, () => Ed25519.verify(digest, signature, publicKey), true),
    loop("Ed25519: noble, with cofactor", ms, () => ed25519.verify(signature, digest, publicKey), true),
    loop("Ed25519: our reference", ms, () => Ed25519.verifyReference(digest, signature, publicKey), true),
    loop("secp256k1 node key: ours, native", ms, () => native.verify(hashed, rs, secpKey), true)
  ]
}

const hashRows = async (): Promise<ReadonlyArray<Row>> => {
  const wasm = await createBLAKE3()
  const keyedWasm = await createBLAKE3(256, new Uint8Array(32))
  const keccak = await createKeccak(256)
  const ours = await loadWasmPromise()
  const keyedOurs = ours.blake3Keyed(new Uint8Array(32))
  const keyedJit = createKeyed(new Uint8Array(32))
  const short = ms / 2
  return [100, 200, 400, 8192, 33 * 1024].flatMap((length) => {
    const input = Uint8Array.from({ length }, (_, i) => i)
    const row = (name: string, f: () => unknown): Row => loop(`${name}, ${length} B`, short, f)
    return [
      row("BLAKE3: hash-wasm", () => wasm.init().update(input).digest("binary")),
      row("BLAKE3: blake3-jit", () => jit(input)),
      row("BLAKE3: ours", () => ours.blake3(input)),
      row("BLAKE3: noble", () => noble.blake3(input)),
      row("BLAKE3 keyed: hash-wasm", () => keyedWasm.init().update(input).digest("binary")),
      row("BLAKE3 keyed: blake3-jit", () => keyedJit.reset().update(input).finalize()),
      row("BLAKE3 keyed: ours", () => keyedOurs(input)),
      ...(length === 200
        ? [
          row("keccak256: hash-wasm", () => keccak.init().update(input).digest("binary")),
          row("keccak256: ours", () => ours.keccak256(input)),
          row("keccak256: noble", () => noble.keccak256(input))
        ]
        : [])
    ]
  })
}

const begun = performance.now()
const scope = Scope.makeUnsafe()
const measured: Array<Measured> = []
for (const rows of [await recoveryRows(), await nodeKeyRows(), await serviceRows(scope), await hashRows()]) {
  measured.push(...await alternate(rows, runs))
}
await Effect.runPromise(Scope.close(scope, Exit.void))

console.log(table(
  ["what", "per second", "CPU µs each", "p50 µs", "p99 µs", "event loop held up, max ms"],
  measured.map((row) => [
    row.name,
    row.perSecond,
    row.cpuMicros,
    row.p50Micros,
    row.p99Micros,
    row.extra?.["loopDelayMsMax"]
  ])
))
const libraries = [
  "secp256k1",
  "@bitauth/libauth",
  "@noble/curves",
  "@noble/hashes",
  "blake3-jit",
  "hash-wasm",
  "effect"
]
console.log(`\n${writeResults("verify", libraries, measured)}, ${((performance.now() - begun) / 1000).toFixed(0)} s`)
