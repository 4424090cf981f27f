/**
 * Oracle `authority`: nobody wrote at a node what she could not write there then (SPEC §5.2, §8). A node decides by what it
 * had accepted before, and commits in that order; so each record that a node took from a user is held against the plain
 * fold of the ops that were committed to its disk before it:
 *
 * - a message or a read mark in a group: its author is a member;
 * - an op: it has effect at its place and changes a member, a role or the title; it founds a group only once, leaves the
 *   creator in peace, adds to nobody who has {@link dotsMax} dots, and a removal observed just the live dots of its targets,
 *   the lowest {@link observedMax}.
 *
 * A record counts as taken from a user when an attempt of the present run was answered with its stamp, and the stamp is new
 * since that attempt: what came back from others after a loss was judged in another time.
 *
 * Nor was anybody refused what she may, by the same rules: looked at when nothing was queued, and nothing committed,
 * between her attempt and the answer.
 *
 * And a write that was refused is on no disk, unless another attempt at the same was accepted, or never answered.
 */
import * as Context from "effect/Context"
import type { Hlc } from "../../domain/hlc.ts"
import type { ChatId, OpId } from "../../domain/ids.ts"
import { dotOf, isLeave, type Op, opTypes, type Record, roles } from "../../domain/record.ts"
import { Writer } from "../../services/Writer.ts"
import { ModelFolds, type ModelGroup, type ModelState, stateBefore, stepOf } from "../model/fold.ts"
import { groupOf, nameOf } from "./records.ts"
import type { Oracle, Scene, Tried, Watched } from "./scene.ts"

/** SPEC §5.2: dots that a removal names. */
const observedMax = 4_096
/** Live dots of one target that are added to: so a removal of 256 targets can name all. */
const dotsMax = 16

const sameState = (a: ModelState, b: ModelState): boolean =>
  a.title === b.title && a.roles.size === b.roles.size &&
  [...a.roles].every(([user, role]) => b.roles.get(user) === role)

const dotsIn = (state: ModelState, targets: ReadonlyArray<string>): ReadonlyArray<string> =>
  state.dots.filter(({ target }) => targets.includes(target)).map(({ by, target }) => dotOf(by, target)).sort()

const opTrouble = (op: Op, held: ReadonlyArray<Op>, before: ModelGroup, after: ModelGroup): string | undefined => {
  if (op.op === opTypes.create) {
    return before.creator === undefined ? undefined : "founds a group that exists"
  }
  if (before.creator === undefined) return "is of a group that is not known"
  const state = stateBefore(after, op)
  const inert = stepOf(after, op.id)?.inert
  if (inert !== undefined) return `has no effect: ${inert}`
  if (held.some(({ hlc }) => hlc >= op.hlc)) return "is stamped below an op that was there"
  const creatorLives = state.dots.some(({ by }) => by === op.chatId)
  const lowers = (op.op === opTypes.remove || (op.op === opTypes.add && op.role === roles.member)) && !isLeave(op)
  if (lowers && creatorLives && op.targets.includes(before.creator)) return "removes or demotes the creator"
  if (sameState(state, stepOf(after, op.id)!.after)) return "changes nothing"
  if (op.op === opTypes.add && op.targets.some((target) => dotsIn(state, [target]).length >= dotsMax)) {
    return `adds to who has ${dotsMax} dots`
  }
  const observed = op.op === opTypes.remove ? dotsIn(state, op.targets).slice(0, observedMax) : []
  return observed.join() === (op.observed ?? []).join() ? undefined : "did not observe what was live"
}

/** Refusals that say that she may not, or that it would change nothing. */
const isOfAuthority = (why: string): boolean => /^(Forbidden|Conflict|NotFound)/.test(why)
/** Above every stamp that a run comes to. */
const lastHlc = (1n << 62n) as Hlc

const isClear = (why: string): boolean => !/^(broken|defect)/.test(why)

/** Attempts at what is on no disk by right: all were refused. */
const allRefused = (tries: ReadonlyArray<Tried>): boolean =>
  tries.length > 0 && tries.every(({ answer }) => answer?._tag === "Refused" && isClear(answer.why))

export const authorityOracle = ({ attempts, find, nodes }: Scene): Oracle => {
  /** How much was on the disk when an attempt was made at a node with nothing queued. */
  const began = new WeakMap<Tried, number>()
  const folds = new Map<Watched, ModelFolds>()

  const fold = (watched: Watched, chatId: ChatId, ops: ReadonlyArray<Op>): ModelGroup => {
    const known = folds.get(watched) ?? new ModelFolds()
    folds.set(watched, known)
    return known.of(chatId, ops)
  }

  /** Why the user could not write this, going by what the disk holds. */
  const trouble = (watched: Watched, record: Record): string | undefined => {
    const chatId = groupOf(record)
    if (chatId === undefined) return undefined
    const held = watched.ledger.groups.get(chatId)?.ops ?? []
    const before = fold(watched, chatId, held)
    if (record.kind === "op") return opTrouble(record, held, before, fold(watched, chatId, [...held, record]))
    const author = record.kind === "message" ? record.sender : record.kind === "read" ? record.reader : record.address
    return before.end.roles.has(author) ? undefined : "is not of a member"
  }

  /** Whether a write would have been right, going by what the disk holds. */
  const wasRight = (watched: Watched, { attempt: { draft, id, node } }: Tried): boolean => {
    if (draft.kind === "identity") return false
    const { chatId } = draft.fields
    const held = watched.ledger.groups.get(chatId)?.ops ?? []
    const before = fold(watched, chatId, held)
    if (draft.kind !== "op") {
      if (draft.place.kind === "dm") return true
      return before.end.roles.has(draft.kind === "message" ? draft.fields.sender : draft.fields.reader)
    }
    const { op, targets } = draft.fields
    const proof = { sig: new Uint8Array(65), sigVersion: 1 as const, stamp: new Uint8Array(64) }
    const observed = op === opTypes.remove ? { observed: dotsIn(before.end, targets).slice(0, observedMax) } : {}
    const record = {
      kind: "op",
      id: id as OpId,
      ...draft.fields,
      ...proof,
      node: node.id,
      hlc: lastHlc,
      ...observed
    } as unknown as Op
    return opTrouble(record, held, before, fold(watched, chatId, [...held, record])) === undefined
  }

  const isAtRest = ({ services }: Watched): boolean =>
    services !== undefined && Context.get(services, Writer).stats().queued === 0

  const blame = (watched: Watched, tried: Tried, why: string): void =>
    find(
      "authority",
      `${nameOf({ kind: tried.attempt.draft.kind, id: tried.attempt.id })} was accepted, and ${why}`,
      watched
    )

  return {
    committing: (watched, record) => {
      const tries = attempts.of(record.id)
      if (allRefused(tries)) {
        const { attempt } = tries[0]!
        find("authority", `${nameOf(record)} is on a disk, and was refused at ${attempt.node.name}`, watched)
      }
      const tried = attempts.byWhich(watched, record)
      const why = tried && trouble(watched, record)
      if (tried === undefined || why === undefined) return
      if (tried.answer === undefined) tried.suspect = { hlc: record.hlc, why }
      else if (tried.answer._tag === "Accepted" && tried.answer.hlc === record.hlc) blame(watched, tried, why)
    },
    attempted: (watched, tried) => {
      if (isAtRest(watched)) began.set(tried, watched.committed)
    },
    answered: (watched, answer, tried) => {
      const { suspect } = tried
      // nothing came or went between: she could write then what she can now
      const isSame = began.get(tried) === watched.committed && isAtRest(watched)
      if (answer._tag === "Refused" && isOfAuthority(answer.why) && isSame && wasRight(watched, tried)) {
        find(
          "authority",
          `${tried.attempt.draft.kind} ${answer.attempt.id.slice(0, 8)} was right, and refused: ${answer.why}`,
          watched
        )
      }
      if (answer._tag === "Accepted") {
        if (suspect?.hlc === answer.hlc) blame(watched, tried, suspect.why)
        return
      }
      const { id } = answer.attempt
      if (!allRefused(attempts.of(id))) return
      const there = [...nodes.values()].find(({ ledger }) => ledger.ids.has(id))
      if (there === undefined) return
      const name = nameOf({ kind: answer.attempt.draft.kind, id })
      find("authority", `${name} was refused, ${answer.why}, and is on the disk of ${there.node.name}`, watched)
    }
  }
}
