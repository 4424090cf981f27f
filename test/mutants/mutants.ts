/**
 * Defects to put into a copy of the sources, one at a time: what a simulation that is worth its time must notice. Each is a
 * mistake that somebody could make, in one or two places.
 */

/** Text that occurs just once in a file, and what stands there instead. */
export interface Edit {
  /** Of the project. */
  readonly file: string
  readonly find: string
  readonly replace: string
}

export interface Mutant {
  readonly name: string
  /** What is wrong with it, in words. */
  readonly what: string
  readonly edits: readonly [Edit, ...ReadonlyArray<Edit>]
}

const edit = (file: string, find: string, replace: string): Edit => ({ file: `src/${file}`, find, replace })

const mutant = (name: string, what: string, ...edits: readonly [Edit, ...ReadonlyArray<Edit>]): Mutant => ({
  name,
  what,
  edits
})

const fold = "domain/membership-fold.ts"
const membership = "domain/membership.ts"
const intake = "layers/node/intake.ts"
const writer = "layers/node/writer.ts"
const views = "layers/node/views.ts"
const memory = "layers/store/memory-records.ts"

export const mutants: ReadonlyArray<Mutant> = [
  mutant(
    "xor-leaves",
    "leaves of the trees are XORs of digests, not sums",
    edit("domain/merkle-sums.ts", "const value = (a + b + carry) | 0", "const value = a ^ b"),
    edit("domain/merkle-sums.ts", "const value = (a - b - borrow) | 0", "const value = a ^ b"),
    edit("domain/merkle-sums.ts", "carry = ((a & b) | ((a | b) & ~value)) >>> 31", "carry = 0"),
    edit("domain/merkle-sums.ts", "borrow = ((~a & b) | ((~a | b) & value)) >>> 31", "borrow = 0")
  ),
  mutant(
    "removal-wins",
    "a removal kills every dot of its targets, also those it did not observe",
    edit(
      fold,
      "const grants = leave ? live : live.filter((grant) => observed.has(dotOf(grant.by.id, target)))",
      "const grants = live"
    ),
    edit(
      fold,
      "role = leave ? undefined : live.findLast((grant) => !observed.has(dotOf(grant.by.id, target)))?.role",
      "role = undefined"
    )
  ),
  mutant(
    "leave-like-removal",
    "a leave kills only the dots that it observed",
    edit(fold, "const grants = leave ? live : live.filter(", "const grants = live.filter("),
    edit(fold, "role = leave ? undefined : live.findLast(", "role = live.findLast("),
    edit(fold, "removes && !leave ? new Set(op.observed)", "removes ? new Set(op.observed)")
  ),
  mutant(
    "no-admin-left",
    "an op that leaves members and no admin takes effect",
    edit(fold, "if (members > 0 && admins === 0) return undefined", "")
  ),
  mutant(
    "not-refolded",
    "an op that comes late is put at the end of the fold, not at its place",
    edit(membership, "if (this.hasEffect(op)) return op", "if (this.indexOf(op) === this.entries.length) return op")
  ),
  mutant(
    "unobserved-removals",
    "a node stamps removals that observed nothing",
    edit(
      "layers/node/ingest.ts",
      "{ observed: group.membership.liveDots(fields.targets) }",
      "{ observed: [] }"
    )
  ),
  mutant(
    "members-only",
    "a replica takes group messages of present members only, not of all who ever were",
    edit(
      "domain/acceptance.ts",
      "return record.peer !== undefined || (authority?.isParticipant(record.sender) ?? false)",
      "return record.peer !== undefined || (isMember?.(record.sender) ?? false)"
    ),
    edit(
      "domain/acceptance.ts",
      "const hasPrerequisites = (record: Record, authority: Authority | undefined): boolean => {",
      "const hasPrerequisites = (record: Record, authority: Authority | undefined, isMember?: (a: string) => boolean): boolean => {"
    ),
    edit(
      "domain/acceptance.ts",
      "export const standing = (record: Record, authority: Authority | undefined, wallMs: number): Standing => {",
      "export const standing = (record: Record, authority: Authority | undefined, wallMs: number, isMember?: (a: string) => boolean): Standing => {"
    ),
    edit(
      "domain/acceptance.ts",
      "return hasPrerequisites(record, authority) ?",
      "return hasPrerequisites(record, authority, isMember) ?"
    ),
    edit(
      intake,
      "Acceptance.standing(record, group?.authority, clock.wall())",
      "Acceptance.standing(record, group?.authority, clock.wall(), (a) => group?.membership.isMember(a as never) ?? false)"
    )
  ),
  mutant(
    "open-groups",
    "anyone may write to a group",
    edit("layers/node/ingest.ts", "return Result.isSuccess(member) ? write() :", "return true ? write() :"),
    edit(
      "domain/acceptance.ts",
      "return record.peer !== undefined || (authority?.isParticipant(record.sender) ?? false)",
      "return true"
    )
  ),
  mutant(
    "drift-unchecked",
    "a record from the far future is taken, and moves the clock",
    edit("domain/hlc.ts", "physicalMs(hlc) - wallMs > driftMsMax", "physicalMs(hlc) - wallMs > driftMsMax * 1_000")
  ),
  mutant(
    "window-unchecked",
    "a stamp may be any time from the time that its author signed",
    edit("domain/acceptance.ts", "> Limits.stampMsMax) {", "> Limits.stampMsMax * 1_000) {")
  ),
  mutant(
    "clock-forgotten",
    "after a restart the clock begins anew, not above what is stored",
    edit("layers/node/hybrid-clock.ts", "let last = yield* (yield* Store).clock", "let last = Hlc.zero")
  ),
  mutant(
    "clock-not-merged",
    "stamps of accepted records do not move the clock",
    edit(
      "layers/node/hybrid-clock.ts",
      "last = Result.getOrElse(Hlc.receive(last, remote, wall()), () => last)",
      "void remote"
    )
  ),
  mutant(
    "early-answer",
    "201 is answered before the commit",
    edit(writer, "if (ticket <= done) return resume(Effect.void)", "if (ticket > 0) return resume(Effect.void)")
  ),
  mutant(
    "dropped-record",
    "the store forgets some messages and calls them known",
    edit(
      memory,
      "    const held = this.slots.get(slot)\n    if (held !== undefined) {",
      "    const held = this.slots.get(slot)\n    if (record.kind === \"message\" && record.id < \"2\") return \"known\"\n    if (held !== undefined) {"
    )
  ),
  mutant(
    "no-answer",
    "who waits for a commit is never answered",
    edit(
      "layers/http/answers.ts",
      "Effect.timeoutOrElse({ duration: seconds * 1_000, orElse: () => Effect.succeed(202) })",
      "Effect.andThen(Effect.never)"
    )
  ),
  mutant(
    "refused-adds",
    "admins may not add anybody",
    edit(
      "layers/node/ingest.ts",
      "  if (membership.creator === undefined) return unknownGroup()\n",
      "  if (membership.creator === undefined || fields.op === opTypes.add) return unknownGroup()\n"
    )
  ),
  mutant(
    "dropped-batch",
    "a batch whose commit failed is not tried again",
    edit(
      writer,
      "            metrics.failed()\n",
      "            metrics.failed()\n            finish(batch)\n            batch = []\n"
    )
  ),
  mutant(
    "no-drain",
    "a node that is asked to end forgets what is queued",
    edit(writer, "yield* Effect.addFinalizer(() => drain)", "void drain")
  ),
  mutant(
    "push-omitted",
    "the side that leads a round pulls, and pushes nothing",
    edit("layers/sync/comparison.ts", "yield* line.ask({ _tag: \"Push\", records }, \"Taken\")", "void line")
  ),
  mutant(
    "pull-omitted",
    "the side that leads a round pushes, and pulls nothing",
    edit(
      "layers/sync/comparison.ts",
      "const pull = Effect.fnUntraced(function*(comparing: Comparing, wanted: ReadonlyArray<Pick>) {",
      "const pull = Effect.fnUntraced(function*(comparing: Comparing, wanted: ReadonlyArray<Pick>) {\n  if (wanted.length > 0) return"
    )
  ),
  mutant(
    "identities-not-synced",
    "rounds leave out identities",
    edit(
      "layers/sync/initiator.ts",
      "for (const [i, domain] of domains.entries()) {",
      "for (const [i, domain] of domains.entries()) {\n    if (domain === \"identity\") continue"
    )
  ),
  mutant(
    "one-sided-retention",
    "a tree keeps what has aged when the hour turns",
    edit("layers/node/tree-line.ts", "this.base.tree.removeTree(this.next!.tree)", "")
  ),
  mutant(
    "late-collector",
    "views show messages for an hour longer than they live",
    edit(
      views,
      "Retention.firstKept(Retention.cutoffMs(clock.wall()))",
      "Retention.firstKept(Retention.cutoffMs(clock.wall()) - 3_600_000)"
    )
  ),
  mutant(
    "no-collector",
    "what has aged is never deleted",
    edit("layers/node/collector.ts", "yield* Effect.forkScoped(Effect.orDie(loop))", "void loop")
  ),
  mutant(
    "eager-collector",
    "messages are deleted a day too early",
    edit(
      "layers/store/memory-records.ts",
      "collect(aged: Hlc.Hlc, limit: number)",
      "collect(aged_: Hlc.Hlc, limit: number, aged = (aged_ + (86_400_000n << 16n)) as Hlc.Hlc)"
    )
  ),
  mutant(
    "first-variant-stays",
    "of two variants of a message or an op the one that came first stays",
    edit("domain/variants.ts", "return compareStamped(a, b as Message | Op) < 0", "return false")
  ),
  mutant(
    "marks-go-back",
    "of two read marks the later one stays, however far it reaches",
    edit("domain/variants.ts", "  compareBig(a.upTo, b.upTo) ||\n", "")
  ),
  mutant(
    "replay",
    "a signed request may be sent again",
    edit(
      "layers/node/authenticator.ts",
      "const refusal = replay.get(key, claim.ts) === undefined ? admit(key, claim, \"request\") : used",
      "const refusal = replay.get(key, claim.ts) === undefined ? admit(key, claim, \"request\") : undefined; void used"
    )
  ),
  mutant(
    "superseded-stays",
    "a record that was replaced stays in the tree",
    edit(memory, "leaves.push(Leaf.removed(held.record, held.digest, record))", "")
  ),
  mutant(
    "signatures-unchecked",
    "what peers bring is not checked for its author's signature",
    edit(intake, "return authors[i] !== author\n", "return false\n")
  ),
  mutant(
    "stamps-unchecked",
    "what peers bring is not checked for its node's stamp",
    edit(
      intake,
      "const isStamped = stamp === undefined || stamped[next++] === true",
      "const isStamped = stamped[next++] !== undefined || true"
    )
  ),
  mutant(
    "waiting-lost",
    "what waits for a prerequisite is not tried again when that has come, and gossip alone brings it",
    edit(
      intake,
      "      yield* acceptor.watch((chatId) => {\n",
      "      yield* acceptor.watch((chatId) => {\n        if (chatId.length > 0) return\n"
    ),
    edit("layers/sync/comparison.ts", "yield* line.ask({ _tag: \"Push\", records }, \"Taken\")", "void line")
  ),
  mutant(
    "all-shown",
    "messages are shown whoever wrote them",
    edit(
      views,
      "membership === undefined || membership.wasMemberAt(message.sender, message.hlc)",
      "membership === undefined || message.hlc > 0n"
    )
  ),
  mutant(
    "own-unread",
    "a user's own messages count as unread",
    edit(
      "layers/store/memory.ts",
      "message.hlc > query.above && message.sender !== query.reader",
      "message.hlc > query.above"
    )
  ),
  mutant(
    "inbox-by-id",
    "the inbox is ordered by chat, not by activity",
    edit(views, "Hlc.compare(b.activity, a.activity) || (a.chatId", "(a.chatId")
  )
]
