/**
 * What `verify` does: every row against itself and against the indexes (`Store.inspect`), then every record as a
 * replica would judge it on arrival: its form, its author's signature, and an op's stamp.
 *
 * With `--repair`: records that no replica would take are dropped, the store computes everything else anew
 * (`Store.repair`), and all of it is looked at again. A row that could not be read hid those behind it, so this may take
 * more than one turn.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { formProblem, type Signatures, signaturesOf } from "../../domain/acceptance.ts"
import { Hashing } from "../../domain/hashing.ts"
import type { Kind, Record } from "../../domain/record.ts"
import * as VerifierLayer from "../../layers/crypto/verifier.ts"
import { Store } from "../../services/Store.ts"
import { Verifier } from "../../services/Verifier.ts"
import { failure } from "../failure.ts"
import { print, printJson } from "../output.ts"
import { restText, type Screen, screenOf } from "../progress.ts"
import { countOf } from "../record-text.ts"
import { harmlessLine } from "../terminal/harmless.ts"
import { layerReplica, recordPages, type ReplicaOptions } from "./replica.ts"

const kinds: ReadonlyArray<Kind> = ["identity", "op", "read", "message"]

interface Finding {
  readonly kind: string
  /** Id of the record, or the name of what is damaged. */
  readonly what: string
  readonly problem: string
  /** Of a record that no replica would take; other damage is what a store can mend by itself. */
  readonly drop?: { readonly kind: Kind; readonly id: string } | undefined
}

const ofRecord = (record: Record, problem: string): Finding => ({
  kind: record.kind,
  what: record.id,
  problem,
  drop: { kind: record.kind, id: record.id }
})

/** Kinds that are inspected at once: each on a thread of the store. */
const inspectionsMax = 2
/** Turns of repairing and looking again: damage that is still there after these is not of a kind that this mends. */
const turnsMax = 4

/** Problems of one page of records. */
const judge = Effect.fnUntraced(function*(page: ReadonlyArray<Record>) {
  const hashes = yield* Hashing
  const verifier = yield* Verifier
  const findings: Array<Finding> = []
  const sound: Array<readonly [Record, Signatures]> = []
  for (const record of page) {
    const problem = formProblem(hashes, record)
    if (problem === undefined) sound.push([record, signaturesOf(hashes, record)])
    else findings.push(ofRecord(record, `${problem.field} ${problem.message}`))
  }
  const authors = yield* verifier.recoverAll(sound.map(([, { recovery }]) => recovery))
  const stamped = sound.flatMap(([record, { stamp }]) => stamp === undefined ? [] : [{ record, stamp }])
  const stamps = yield* verifier.verifyNodeAll(stamped.map(({ stamp }) => stamp))
  sound.forEach(([record, { author }], i) => {
    if (authors[i] !== author) {
      findings.push(ofRecord(record, `its author 0x${author} did not sign it`))
    }
  })
  stamped.forEach(({ record }, i) => {
    if (stamps[i] !== true) {
      findings.push(ofRecord(record, `node ${record.node} did not stamp it`))
    }
  })
  return findings
})

type Drops = ReadonlyArray<NonNullable<Finding["drop"]>>

interface Looked {
  readonly records: number
  readonly problems: number
  readonly drops: Drops
}

/** Looks at everything once, and prints what is wrong as it comes. */
const look = Effect.fnUntraced(function*(json: boolean, screen: Screen) {
  const store = yield* Store
  let records = 0
  let problems = 0
  const drops = new Map<string, NonNullable<Finding["drop"]>>()
  const report = Effect.fnUntraced(function*(findings: ReadonlyArray<Finding>) {
    problems += findings.length
    if (findings.length > 0) yield* screen.clear
    for (const { drop, kind, problem, what } of findings) {
      if (drop !== undefined) drops.set(`${drop.kind} ${drop.id}`, drop)
      yield* json ? printJson({ kind, what, problem }) : print(harmlessLine(`${kind} ${what}: ${problem}`))
    }
  })
  const stats = yield* store.stats
  const total = stats.messages + stats.ops + stats.reads + stats.identities
  yield* screen.progress("looking at rows and indexes …")
  for (const damage of yield* Effect.forEach(kinds, store.inspect, { concurrency: inspectionsMax })) {
    yield* report(damage.map(({ kind, message, what }) => ({ kind, what, problem: message })))
  }
  const startedMs = Date.now()
  for (const kind of kinds) {
    yield* Stream.runForEach(
      recordPages(kind),
      Effect.fnUntraced(function*(page) {
        records += page.length
        yield* report(yield* judge(page))
        const share = total === 0 ? 1 : records / total
        yield* screen.progress(
          `signatures: ${records} of ${total} records${restText(share, Date.now() - startedMs)}`,
          share
        )
      })
    ).pipe(
      // a row that cannot be read hides those behind it, but not the other kinds
      Effect.catchTag(
        "StoreError",
        ({ message }) => report([{ kind, what: "the rest of the rows", problem: message }])
      )
    )
  }
  yield* screen.clear
  const looked: Looked = { records, problems, drops: [...drops.values()] }
  return looked
})

const counted = (dropped: { readonly [K in Kind]: number }): string => {
  const some = kinds.filter((kind) => dropped[kind] > 0)
  return some.map((kind) => countOf(kind, dropped[kind])).join(", ")
}

const repair = Effect.fnUntraced(function*(drops: Drops, json: boolean, screen: Screen) {
  const store = yield* Store
  yield* screen.progress("making everything derived anew …")
  const dropped = yield* store.repair(drops)
  yield* screen.clear
  if (json) return yield* printJson({ dropped })
  const what = counted(dropped)
  const isOne = kinds.reduce((sum, kind) => sum + dropped[kind], 0) === 1
  yield* print(
    what === ""
      ? "repaired: no record had to go, what is derived from them was made anew"
      : `repaired: dropped ${what}; start the node, and peers that have ${
        isOne ? "it bring it" : "them bring them"
      } back`
  )
})

export const run = (options: ReplicaOptions & { readonly repair: boolean; readonly json: boolean }) =>
  Effect.gen(function*() {
    const screen = screenOf(process.stderr)
    let looked = yield* look(options.json, screen)
    const nothing = options.repair && looked.problems === 0 ? ": nothing to repair" : ""
    for (let turn = 0; options.repair && looked.problems > 0 && turn < turnsMax; turn++) {
      yield* repair(looked.drops, options.json, screen).pipe(
        Effect.catchTag("StoreError", ({ message }) =>
          failure(
            `${options.data} cannot be repaired: ${message}; restore a backup, or move messages.sqlite away and let peers bring`
              + " everything"
          ))
      )
      looked = yield* look(options.json, screen)
    }
    const { problems, records } = looked
    if (problems > 0) {
      const advice = options.repair
        ? "restore a backup, or move messages.sqlite away and let peers bring everything"
        : "stop the node and run this with --repair"
      return yield* failure(`${options.data}: ${problems} problems in ${records} records; ${advice}`)
    }
    yield* options.json ?
      printJson({ records, problems })
      : print(`${records} ${records === 1 ? "record" : "records"}, no problem${nothing}`)
  }).pipe(Effect.provide([layerReplica(options, options.repair ? "write" : "read"), VerifierLayer.layer()]))
