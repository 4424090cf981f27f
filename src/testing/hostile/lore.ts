/**
 * What a hostile peer has learnt from gossip and sync: true records of others, which it may alter, replay or withhold, and
 * the groups that its own users have a say in. Bounded: it forgets the oldest.
 */
import { Authority } from "../../domain/authority.ts"
import type * as Hlc from "../../domain/hlc.ts"
import type * as Ids from "../../domain/ids.ts"
import { type Dot, dotOf, type Kind, type Op, opTypes, type Record } from "../../domain/record.ts"
import { slotOf, wins } from "../../domain/variants.ts"
import type { Random } from "../random.ts"
import type { User } from "../users.ts"

const recordsMax = 4_000
const payloadsMax = 200
const groupsMax = 200
/** Of one group. */
const opsMax = 2_000

export interface GroupLore {
  readonly chatId: Ids.ChatId
  readonly authority: Authority
  readonly ops: Array<Op>
}

/** One of its own users who has, or had, a say in a group. */
export interface Insider {
  readonly user: User
  readonly group: GroupLore
  /** The stamp that made her one, as far as is known. */
  readonly since: Hlc.Hlc
}

export class Lore {
  readonly #records = new Map<string, Record>()
  readonly #payloads: Array<Uint8Array> = []
  readonly #groups = new Map<Ids.ChatId, GroupLore>()

  get records(): ReadonlyArray<Record> {
    return [...this.#records.values()]
  }

  get payloads(): ReadonlyArray<Uint8Array> {
    return this.#payloads
  }

  get groups(): ReadonlyArray<GroupLore> {
    return [...this.#groups.values()]
  }

  heard(payload: Uint8Array): void {
    this.#payloads.push(payload)
    if (this.#payloads.length > payloadsMax) this.#payloads.shift()
  }

  learn(record: Record): void {
    const slot = slotOf(record)
    const held = this.#records.get(slot)
    if (held !== undefined && !wins(record, held)) return
    this.#records.set(slot, record)
    if (this.#records.size > recordsMax) this.#records.delete(this.#records.keys().next().value!)
    if (record.kind === "op") this.#learnOp(record, held !== undefined)
  }

  #learnOp(op: Op, again: boolean): void {
    let group = this.#groups.get(op.chatId)
    if (group === undefined) {
      if (this.#groups.size >= groupsMax) return
      this.#groups.set(op.chatId, group = { chatId: op.chatId, authority: new Authority(), ops: [] })
    }
    group.authority.add(op)
    if (!again && group.ops.length < opsMax) group.ops.push(op)
  }

  ofKind<K extends Kind>(kind: K): ReadonlyArray<Extract<Record, { readonly kind: K }>> {
    return this.records.filter((record): record is Extract<Record, { readonly kind: K }> => record.kind === kind)
  }

  /** Some record of any kind, of each kind as often. */
  pick(random: Random): Record | undefined {
    const byKind = [...Map.groupBy(this.records, ({ kind }) => kind).values()]
    return byKind.length === 0 ? undefined : random.pick(random.pick(byKind))
  }

  /** Own users who are or were admins of something. */
  insiders(users: ReadonlyArray<User>): ReadonlyArray<Insider> {
    return this.groups.flatMap((group) =>
      users.filter(({ address }) => group.authority.isWriter(address)).map((user) => ({
        user,
        group,
        since: group.ops.reduce<Hlc.Hlc>((least, { actor, hlc, op, role, targets }) => {
          const makes = op === opTypes.create ? actor === user.address : role === 1 && targets.includes(user.address)
          return makes && (least === 0n || hlc < least) ? hlc : least
        }, 0n as Hlc.Hlc)
      }))
    )
  }
}

/** Every dot that ops of a group ever gave, dead or alive. */
export const dotsOf = ({ chatId, ops }: GroupLore): ReadonlyArray<Dot> => {
  const creator = ops.find(({ op }) => op === opTypes.create)?.actor
  const born = creator === undefined ? [] : [dotOf(chatId, creator)]
  return [
    ...born,
    ...ops.flatMap(({ id, op, targets }) =>
      op === opTypes.create || op === opTypes.add ? targets.map((target) => dotOf(id, target)) : []
    )
  ]
}
