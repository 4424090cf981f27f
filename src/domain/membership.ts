/**
 * Who is in a group, and as what: an add-wins fold over the set of the group's ops (SPEC §5.2). It is a pure function
 * of the set, so replicas that hold the same ops agree, whatever the order of arrival. The rules, as implemented here:
 *
 * 1. The creator's admin dot (chat id, creator) is born before the first op, so she is a member at every stamp until she
 *    leaves. Its stamp, for `since`, is that of the lowest Create. While it lives the creator is an admin, whatever
 *    other dots say. Only her own leave kills it. A Create folds as an add of its targets as members, with its title.
 * 2. Ops fold in (hlc, op id) order. An op has effect, wholly or not at all, only if its actor is an admin at its place;
 *    a leave (a removal of exactly oneself) only if the actor is a member there.
 * 3. An effective add gives each target the dot (op id, target). A removal kills the dots that it observed, of its own
 *    targets, that live at its place; a leave kills every dot of its actor that lives there, observed or not.
 * 4. A member is who has a live dot. The role is that of the live dot with the highest (hlc, op id), `since` the stamp of
 *    the earliest.
 * 5. An op that would leave members but no admin has no effect.
 * 6. The title is that of the effective op with a title that has the highest (hlc, op id), else "".
 *
 * Ops that arrive in order fold at the end. When an op lands earlier and changes anything at its place, the fold goes
 * back there (`membership-fold.ts` keeps what each op did) and on from it, once a batch. An op that does nothing at its
 * place forces nothing; it stays in the list and may have effect in a later fold.
 */
import * as Hlc from "./hlc.ts"
import type { Address, ChatId, OpId, RoleCode } from "./ids.ts"
import { observedMax } from "./limits.ts"
import {
  changesState,
  comparePlaces,
  type Counts,
  firstIndex,
  Fold,
  isBefore,
  type Place,
  type Plan,
  type Proposal
} from "./membership-fold.ts"
import { type Dot, dotOf, isLeave, type Op, opTypes, roles } from "./record.ts"
import { wins } from "./variants.ts"

export interface Member {
  readonly address: Address
  readonly role: RoleCode
  /** Of the earliest live dot. */
  readonly since: Hlc.Hlc
}

/** Stamps from `from` to `to`, both inclusive, at which a message of the member is shown; without `to`, for ever. */
export interface Interval {
  readonly from: Hlc.Hlc
  readonly to: Hlc.Hlc | undefined
}

/** Why ingest refuses an op (SPEC §5.2, §8). Replicas never ask this. */
export interface IngestProblem {
  readonly reason: "forbidden" | "last-admin" | "creator" | "no-change" | "too-many-members"
  readonly message: string
}

const problem = (reason: IngestProblem["reason"], message: string): IngestProblem => ({ reason, message })

/** An op in its place: what it did there (nothing: `undefined`), and the counts after it. */
interface Entry {
  readonly op: Op
  plan: Plan | undefined
  counts: Counts
}

const lower = (a: Place, b: Place | undefined): Place => b !== undefined && isBefore(b, a) ? b : a

/** The membership of one group. Mutable; give it every accepted op of the group, in batches, in any order. */
export class Membership {
  readonly chatId: ChatId
  /** How often ops landed among those already folded and changed something there. */
  refolds = 0
  /** Ops that were folded again because of that. */
  refolded = 0
  private readonly fold = new Fold()
  private readonly entries: Array<Entry> = []
  private readonly byId = new Map<OpId, Entry>()
  private lowestCreate: Hlc.Hlc | undefined
  private sortedMembers: ReadonlyArray<Member> | undefined

  constructor(chatId: ChatId) {
    this.chatId = chatId
  }

  /** Ops held, one a slot. */
  get size(): number {
    return this.entries.length
  }

  /** Dots and role changes remembered: what memory grows with, apart from the ops. */
  get retained(): number {
    return this.fold.retained
  }

  /**
   * Takes in accepted ops. Those already held, and variants that lose against the one held, do nothing; a variant that
   * wins takes its place. An op of another group is a defect.
   */
  insert(ops: ReadonlyArray<Op>): void {
    const arrivals = this.news(ops)
    if (arrivals.length === 0) return
    this.sortedMembers = undefined
    const leaving = new Set(arrivals.flatMap((op) => this.byId.get(op.id) ?? []))
    const from = this.meetCreator(arrivals)
      ? lower(arrivals[0]!, this.entries[0]?.op)
      : this.firstChange(arrivals, leaving)
    const isRefolded = (place: Place): boolean => from !== undefined && !isBefore(place, from)
    const again = (from === undefined ? [] : this.takeFrom(from)).filter((entry) => !leaving.has(entry))
    for (const { op } of leaving) if (!isRefolded(op)) this.entries.splice(this.indexOf(op), 1)
    for (const op of arrivals) {
      const index = this.indexOf(op)
      const entry: Entry = { op, plan: undefined, counts: this.countsBefore(index) }
      this.byId.set(op.id, entry)
      if (isRefolded(op)) again.push(entry)
      else this.entries.splice(index, 0, entry)
    }
    for (const entry of again.sort((a, b) => comparePlaces(a.op, b.op))) this.foldAtEnd(entry)
  }

  /** The address that every Create names as its actor; `undefined` while no Create is known. */
  get creator(): Address | undefined {
    return this.fold.creator
  }

  /** Whether the creator has never left (rule 1). */
  get creatorAlive(): boolean {
    return this.fold.creatorLives()
  }

  /** Whether an op that is held has effect at its place (rules 2 and 5). */
  hadEffect(id: OpId): boolean {
    return this.byId.get(id)?.plan !== undefined
  }

  get title(): string {
    return this.fold.titles.at(-1) ?? ""
  }

  get memberCount(): number {
    return this.fold.counts.members
  }

  /** Members now, by address. */
  members(): ReadonlyArray<Member> {
    if (this.sortedMembers === undefined) {
      const members: Array<Member> = []
      const creator = this.creator
      if (creator !== undefined && this.isMember(creator)) members.push(this.memberOf(creator))
      for (const address of this.fold.addresses()) {
        if (address !== creator && this.isMember(address)) members.push(this.memberOf(address))
      }
      this.sortedMembers = members.sort((a, b) => a.address < b.address ? -1 : 1)
    }
    return this.sortedMembers
  }

  roleOf(address: Address): RoleCode | undefined {
    return this.fold.roleOf(address)
  }

  isMember(address: Address): boolean {
    return this.roleOf(address) !== undefined
  }

  isAdmin(address: Address): boolean {
    return this.roleOf(address) === roles.admin
  }

  /** `since` of a member now. */
  joinedAt(address: Address): Hlc.Hlc | undefined {
    return this.isMember(address) ? this.memberOf(address).since : undefined
  }

  /** What a removal of `targets` observes now: their live dots, strictly ascending, at most `observedMax`, the lowest. */
  liveDots(targets: ReadonlyArray<Address>): ReadonlyArray<Dot> {
    const dots = new Set<Dot>()
    for (const target of targets) {
      if (target === this.creator && this.creatorAlive) dots.add(dotOf(this.chatId, target))
      for (const grant of this.fold.liveOf(target)) dots.add(dotOf(grant.by.id, target))
    }
    return [...dots].sort().slice(0, observedMax)
  }

  /** Whether a message stamped `hlc` is shown: its sender is a member after the ops below `hlc` (SPEC §5.1). */
  wasMemberAt(address: Address, hlc: Hlc.Hlc): boolean {
    return this.fold.roleBelow(address, hlc) !== undefined
  }

  /** Whether {@link wasMemberAt} holds for every stamp from `from` to `to`, both inclusive; `from` is not above `to`. */
  memberThroughout(address: Address, from: Hlc.Hlc, to: Hlc.Hlc): boolean {
    return this.intervals(address).some((interval) =>
      interval.from <= from && (interval.to === undefined || to <= interval.to)
    )
  }

  /** The stamps at which {@link wasMemberAt} holds: ascending, not touching. */
  intervals(address: Address): ReadonlyArray<Interval> {
    const intervals: Array<Interval> = []
    const changes = this.fold.changesOf(address)
    let from = address === this.creator ? Hlc.zero : undefined
    for (let i = 0; i < changes.length; i++) {
      const { at: { hlc }, role } = changes[i]!
      // What lies between ops of one stamp is seen by no message.
      if (changes[i + 1]?.at.hlc === hlc) continue
      if (role !== undefined) from ??= (hlc + 1n) as Hlc.Hlc
      else if (from !== undefined) {
        intervals.push({ from, to: hlc })
        from = undefined
      }
    }
    return from === undefined ? intervals : [...intervals, { from, to: undefined }]
  }

  /** Whether an op of an entitled actor, no Create, would change what is seen of the group: a member, a role, the title. */
  private wouldChange(op: Omit<Proposal, "observed">): boolean {
    if (op.op === opTypes.add) return op.targets.some((target) => this.roleOf(target) !== op.role)
    if (op.op === opTypes.remove) return op.targets.some((target) => this.isMember(target))
    return op.title !== this.title
  }

  /**
   * Why ingest refuses an op that would come at the end now. `observed` need not be known: it is what {@link liveDots}
   * gives. Whether a Create may still come is for the caller to say (409 `group-exists`).
   */
  ingestProblem(
    op: Omit<Proposal, "observed">,
    limits: { readonly groupMembersMax: number }
  ): IngestProblem | undefined {
    const tooMany = problem("too-many-members", `a group has at most ${limits.groupMembersMax} members`)
    if (op.op === opTypes.create) return op.targets.length + 1 > limits.groupMembersMax ? tooMany : undefined
    const leave = isLeave(op)
    if (leave && !this.isMember(op.actor)) return problem("forbidden", "you are not a member of this group")
    if (!leave && !this.isAdmin(op.actor)) return problem("forbidden", "only an admin of the group may do this")
    const lowers = op.op === opTypes.remove || (op.op === opTypes.add && op.role === roles.member)
    if (lowers && !leave && this.creatorAlive && op.targets.includes(this.creator!)) {
      return problem("creator", "the creator of a group cannot be removed or demoted; she may leave")
    }
    if (!this.wouldChange(op)) return problem("no-change", "this would change nothing")
    const observed = op.op === opTypes.remove ? this.liveDots(op.targets) : undefined
    const plan = this.fold.plan({ ...op, observed }, this.fold.counts)
    if (plan === undefined) return problem("last-admin", "this would leave the group without an admin")
    return plan.members > Math.max(limits.groupMembersMax, this.memberCount) ? tooMany : undefined
  }

  private memberOf(address: Address): Member {
    const stamps = this.fold.liveOf(address).slice(0, 1).map((grant) => grant.by.hlc)
    if (address === this.creator && this.creatorAlive) stamps.push(this.lowestCreate!)
    return { address, role: this.roleOf(address)!, since: stamps.reduce((a, b) => a < b ? a : b) }
  }

  /** Those of `ops` that take a slot, one a slot, in order. */
  private news(ops: ReadonlyArray<Op>): ReadonlyArray<Op> {
    const news = new Map<OpId, Op>()
    for (const op of ops) {
      if (op.chatId !== this.chatId) throw new Error(`op ${op.id} is of group ${op.chatId}, not of ${this.chatId}`)
      const rival = news.get(op.id) ?? this.byId.get(op.id)?.op
      if (rival === undefined || (rival !== op && wins(op, rival))) news.set(op.id, op)
    }
    return [...news.values()].sort(comparePlaces)
  }

  /** Looks at Creates. True when the first one ever came: all that was folded had no creator. */
  private meetCreator(arrivals: ReadonlyArray<Op>): boolean {
    const creates = arrivals.filter((op) => op.op === opTypes.create)
    const known = this.creator !== undefined
    for (const create of creates) {
      this.fold.creator = create.actor
      if (this.lowestCreate === undefined || create.hlc < this.lowestCreate) this.lowestCreate = create.hlc
    }
    return !known && creates.length > 0
  }

  /** The lowest place at which the fold changes. All below it stays as it is, so the past can be asked there. */
  private firstChange(arrivals: ReadonlyArray<Op>, leaving: ReadonlySet<Entry>): Place | undefined {
    let first: Place | undefined
    for (const { op, plan } of leaving) {
      if (plan !== undefined && (first === undefined || isBefore(op, first))) first = op
    }
    for (const op of arrivals) {
      if (first !== undefined && isBefore(first, op)) return first
      if (this.hasEffect(op)) return op
    }
    return first
  }

  /** Whether an op that comes now changes anything at its place. At the end it is folded in any case. */
  private hasEffect(op: Op): boolean {
    const index = this.indexOf(op)
    if (index === this.entries.length) return true
    const plan = this.fold.plan(op, this.countsBefore(index), op)
    return plan !== undefined && changesState(plan)
  }

  /** Undoes the ops from a place on, and gives their entries, which are no longer in the list. */
  private takeFrom(place: Place): Array<Entry> {
    const index = this.indexOf(place)
    const taken = this.entries.splice(index)
    for (const { plan } of taken.toReversed()) if (plan !== undefined) this.fold.undo(plan)
    this.fold.counts = this.countsBefore(index)
    if (taken.length > 0) this.refolds++
    this.refolded += taken.length
    return taken
  }

  /** Folds what comes after all that is in the list. */
  private foldAtEnd(entry: Entry): void {
    const plan = this.fold.plan(entry.op, this.fold.counts)
    entry.plan = plan !== undefined && changesState(plan) ? plan : undefined
    if (entry.plan !== undefined) this.fold.apply(entry.op, entry.plan)
    entry.counts = this.fold.counts
    this.entries.push(entry)
  }

  private indexOf(place: Place): number {
    return firstIndex(this.entries.length, (i) => !isBefore(this.entries[i]!.op, place))
  }

  private countsBefore(index: number): Counts {
    return this.entries[index - 1]?.counts ?? this.fold.start()
  }
}
