/**
 * What a hostile peer can do, by name. A name is stable: seeds and plans go by it. SPEC §5 to §7 say what honest nodes make
 * of each; withholding is no attack here, for nothing defends against it.
 */

/** Records that are invalid for ever, or that prove less than they say. */
const forgeries = [
  "forge-signature",
  "forge-author",
  "forge-stamp",
  "alter-record",
  "restamp-far",
  "wrong-peer",
  "mark-above-stamp",
  "oversize-record",
  "foreign-create",
  "junk-gossip",
  "truncated-gossip",
  "nested-batch",
  "mixed-batch"
] as const

/** Records that the protocol takes, and that replicas must agree on all the same. */
const lawful = [
  "restamp-near",
  "op-variants",
  "equivocate",
  "back-date-ops",
  "back-date-records",
  "future-records",
  "clock-edge",
  "inert-ops",
  "phantom-removal",
  "heavy-removal",
  "largest-records",
  "own-group",
  "replay",
  "waiting-flood",
  "grind"
] as const

/** Rounds of sync that it leads. */
const rounds = [
  "sync-hello-lies",
  "sync-junk-frame",
  "sync-huge-frame",
  "sync-wrong-order",
  "sync-ask-again",
  "sync-push-junk",
  "sync-many-streams"
] as const

/** Rounds that honest nodes lead, and how it answers them until it is told otherwise. */
const answers = [
  "answer-wrong-roots",
  "answer-endless-counts",
  "answer-endless-lists",
  "answer-false-claims",
  "answer-other-records",
  "answer-forged-records",
  "answer-wrong-audit",
  "answer-page-lies",
  "answer-stall",
  "answer-slowly",
  "answer-junk",
  "answer-hello-lies",
  "answer-refuse"
] as const

export type Forgery = typeof forgeries[number]
export type Lawful = typeof lawful[number]
export type RoundLie = typeof rounds[number]
export type AnswerLie = typeof answers[number]
export type AttackKind = Forgery | Lawful | RoundLie | AnswerLie

export const attackKinds: ReadonlyArray<AttackKind> = [...forgeries, ...lawful, ...rounds, ...answers]

const has = <A extends string>(names: ReadonlyArray<A>, name: string): name is A => names.includes(name as A)
export const isForgery = (name: AttackKind): name is Forgery => has(forgeries, name)
export const isLawful = (name: AttackKind): name is Lawful => has(lawful, name)
export const isAnswerLie = (name: AttackKind): name is AnswerLie => has(answers, name)

/** Those that cost a run most, or soon get the peer shunned by everybody: they come more seldom. */
const seldom: ReadonlySet<string> = new Set<AttackKind>([
  "heavy-removal",
  "largest-records",
  "oversize-record",
  "waiting-flood",
  "grind",
  "sync-huge-frame",
  "answer-endless-lists",
  "answer-endless-counts",
  "answer-wrong-roots"
])

/** How often a plan should take an attack, against others. */
export const weightOf = (name: AttackKind): number => seldom.has(name) ? 1 : 4
