/**
 * Oracle `promise`: what users were told stays true (SPEC §1.2, §3, §8). The levels:
 *
 * - 201: the record was committed to the node's disk before the answer. From then on it is there, or what wins over it, or
 *   it has aged, for as long as that disk lives, kills included (with `lost`, which keeps account of each disk).
 * - 202: the record is queued. When the queue is empty it has been committed; in a run whose disk is good it is so within
 *   {@link owedMsMax}; a clean end of a run leaves nothing queued. A kill of the node may lose it, but not once it was
 *   committed anywhere: at the end every node holds what any disk has kept (`lost`).
 * - A repeated write gets its first answer: for as long as a run of the node lasts, and after it if the record was on the
 *   disk. Another variant of it that is met anywhere may have taken its place; an answer that names a stamp which nobody
 *   ever meets is wrong. A mark or an identity that lost its slot is forgotten by a restart and may be stamped again.
 */
import * as Context from "effect/Context"
import { Writer } from "../../services/Writer.ts"
import type { Disk } from "../disk.ts"
import { nameOf } from "./records.ts"
import { type Oracle, type Scene, stampText, type Tried, type Watched } from "./scene.ts"

/** Virtual time in which a good disk has taken what is queued. */
const owedMsMax = 120_000

interface Owed {
  readonly tried: Tried
  /** Since when the disk has been good, ms. */
  sinceMs: number
}

interface First {
  readonly hlc: bigint
  readonly tried: Tried
  readonly life: number
}

/** A node that ends tries several times to write what it holds, however slowly that goes. */
const failRateMax = 0.1
const takesAll = ({ conditions }: Disk): boolean => !conditions.full && conditions.failRate <= failRateMax

export const promiseOracle = ({ attempts, cluster, find, isGood }: Scene): Oracle => {
  const owed = new Map<Watched, Map<string, Owed>>()
  const firsts = new Map<Watched, Map<string, First>>()
  const unmet: Array<{ readonly watched: Watched; readonly id: string; readonly hlc: bigint; readonly text: string }> =
    []

  const owedBy = (watched: Watched): Map<string, Owed> => {
    const known = owed.get(watched) ?? new Map<string, Owed>()
    owed.set(watched, known)
    return known
  }
  const name = ({ attempt }: Tried): string => nameOf({ kind: attempt.draft.kind, id: attempt.id })

  /** Holds a repeated answer against the first one. */
  const compare = (watched: Watched, tried: Tried, hlc: bigint): void => {
    const { attempt: { draft, id, life } } = tried
    const known = firsts.get(watched) ?? new Map<string, First>()
    firsts.set(watched, known)
    const first = known.get(id)
    known.set(id, { hlc, tried, life })
    if (first === undefined || first.hlc === hlc) return
    const stays = draft.kind === "message" || draft.kind === "op"
    const stood = first.tried.answer?._tag === "Accepted" && first.tried.answer.committed
    if (first.life !== life && !(stays && stood)) return
    const text = `${name(tried)} was answered ${stampText(first.hlc)}, and then ${stampText(hlc)}`
    const isOnlyHere = attempts.of(id).every(({ attempt }) => attempt.node === watched.node && attempt.life === life)
    // of messages and ops the lower stamp wins, so a higher one was given anew
    if (stays ? hlc > first.hlc : isOnlyHere) find("promise", text, watched)
    else if (stays && !attempts.isMet(id, hlc, tried)) unmet.push({ watched, id, hlc, text })
  }

  return {
    committed: (watched, records) => {
      const waiting = owed.get(watched)
      if (waiting === undefined || waiting.size === 0) return
      for (const { id } of records) waiting.delete(id)
    },
    answered: (watched, answer, tried) => {
      if (answer._tag === "Refused") return
      const { attempt, committed, hlc } = answer
      if (watched.node.disk.generation !== attempt.generation) return
      compare(watched, tried, hlc)
      if (watched.ledger.ids.has(attempt.id)) return
      if (committed) find("promise", `${name(tried)} was answered 201 and is not on the disk`, watched)
      else owedBy(watched).set(attempt.id, { tried, sinceMs: cluster.time.now })
    },
    sample: (watched, services) => {
      const waiting = owed.get(watched)
      if (waiting === undefined || waiting.size === 0) return
      const { queued } = Context.get(services, Writer).stats()
      const isSlow = !isGood(watched.node.disk)
      for (const [id, each] of waiting) {
        if (isSlow) each.sinceMs = cluster.time.now
        const waitedMs = cluster.time.now - each.sinceMs
        if (queued > 0 && waitedMs <= owedMsMax) continue
        waiting.delete(id)
        const why = queued === 0 ? "though nothing is queued" : `after ${Math.round(waitedMs)} ms`
        find("promise", `${name(each.tried)} was answered 202 and is not on the disk ${why}`, watched)
      }
    },
    down: (watched, clean) => {
      if (clean && takesAll(watched.node.disk)) {
        for (const { tried } of owed.get(watched)?.values() ?? []) {
          find("promise", `${name(tried)} was answered 202 and is not on the disk after a clean end`, watched)
        }
      }
      owed.delete(watched)
    },
    diskChanged: (watched) => {
      owed.delete(watched)
      firsts.delete(watched)
    },
    end: () => {
      for (const [watched, waiting] of owed) {
        for (const { tried } of waiting.values()) {
          find("promise", `${name(tried)} was answered 202 and is not on the disk at the end`, watched)
        }
      }
      for (const { hlc, id, text, watched } of unmet) {
        const byOther = attempts.of(id).some(({ answer, attempt }) =>
          attempt.node !== watched.node && answer?._tag === "Accepted" && answer.hlc === hlc
        )
        if (!byOther && !attempts.isCommitted(id, hlc)) find("promise", text, watched)
      }
    }
  }
}
