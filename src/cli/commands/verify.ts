/**
 * What `verify` does: every row against itself and against the indexes (`Store.inspect`), then every record as a
 * replica would judge it on arrival: its form, its author's signature, and an op's stamp.
 */
import { Effect, Stream } from "effect"
import { formProblem, type Signatures, signaturesOf } from "../../domain/acceptance.ts"
import { Hashing } from "../../domain/hashing.ts"
import type { Kind, Record } from "../../domain/record.ts"
import * as VerifierLayer from "../../layers/crypto/verifier.ts"
import { Store } from "../../services/Store.ts"
import { Verifier } from "../../services/Verifier.ts"
import { failure } from "../failure.ts"
import { harmless, print, printJson } from "../output.ts"
import { layerReplica, recordPages } from "./replica.ts"

const kinds: ReadonlyArray<Kind> = ["identity", "op", "read", "message"]

interface Finding {
  readonly kind: string
  /** Id of the record, or the name of what is damaged. */
  readonly what: string
  readonly problem: string
}

/** Problems of one page of records. */
const judge = Effect.fnUntraced(function*(page: ReadonlyArray<Record>) {
  const hashes = yield* Hashing
  const verifier = yield* Verifier
  const findings: Array<Finding> = []
  const sound: Array<readonly [Record, Signatures]> = []
  for (const record of page) {
    const problem = formProblem(hashes, record)
    if (problem === undefined) sound.push([record, signaturesOf(hashes, record)])
    else findings.push({ kind: record.kind, what: record.id, problem: `${problem.field} ${problem.message}` })
  }
  const authors = yield* verifier.recoverAll(sound.map(([, { recovery }]) => recovery))
  const stamped = sound.flatMap(([record, { stamp }]) => stamp === undefined ? [] : [{ record, stamp }])
  const stamps = yield* verifier.verifyNodeAll(stamped.map(({ stamp }) => stamp))
  sound.forEach(([record, { author }], i) => {
    if (authors[i] !== author) {
      findings.push({ kind: record.kind, what: record.id, problem: `its author 0x${author} did not sign it` })
    }
  })
  stamped.forEach(({ record }, i) => {
    if (stamps[i] !== true) {
      findings.push({ kind: record.kind, what: record.id, problem: `node ${record.node} did not stamp it` })
    }
  })
  return findings
})

const progress = (text: string): Effect.Effect<void> =>
  Effect.sync(() => {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
  })

export const run = (options: { readonly data: string; readonly json: boolean }) =>
  Effect.gen(function*() {
    const store = yield* Store
    let records = 0
    let problems = 0
    const report = Effect.fnUntraced(function*(findings: ReadonlyArray<Finding>) {
      problems += findings.length
      if (findings.length > 0) yield* progress("")
      for (const { kind, problem, what } of findings) {
        yield* options.json ? printJson({ kind, what, problem }) : print(harmless(`${kind} ${what}: ${problem}`))
      }
    })
    const stats = yield* store.stats
    const total = stats.messages + stats.ops + stats.reads + stats.identities
    for (const kind of kinds) {
      yield* progress(`looking at the rows of kind ${kind} …`)
      const damage = yield* store.inspect(kind)
      yield* report(damage.map(({ kind, message, what }) => ({ kind, what, problem: message })))
    }
    for (const kind of kinds) {
      yield* Stream.runForEach(
        recordPages(kind),
        Effect.fnUntraced(function*(page) {
          records += page.length
          yield* report(yield* judge(page))
          yield* progress(`signatures: ${records} of ${total} records`)
        })
      ).pipe(
        // a row that cannot be read hides those behind it, but not the other kinds
        Effect.catchTag(
          "StoreError",
          ({ message }) => report([{ kind, what: "the rest of the rows", problem: message }])
        )
      )
    }
    yield* progress("")
    if (problems > 0) return yield* failure(`${options.data}: ${problems} problems in ${records} records`)
    yield* options.json ? printJson({ records, problems }) : print(`${records} records, no problem`)
  }).pipe(Effect.provide([layerReplica(options.data), VerifierLayer.layer()]))
