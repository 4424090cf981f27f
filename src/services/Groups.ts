/**
 * What this node has accepted about groups, committed or not: who is a member now, and who could ever write. Views and
 * authority checks read it; every accepted op goes through it.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Authority } from "../domain/authority.ts"
import type { ChatId } from "../domain/ids.ts"
import type { Membership } from "../domain/membership.ts"
import type { Op } from "../domain/record.ts"
import type { StoreError } from "./Store.ts"
import type { Ticket } from "./Writer.ts"

export interface Group {
  readonly chatId: ChatId
  readonly authority: Authority
  readonly membership: Membership
}

export class Groups extends Context.Service<Groups, {
  /**
   * Gives `f` the group, loaded if need be, and what `f` returns back. `f` is a plain function, so what it decides and
   * does (`apply`, `Writer.offer`) is one step. A group without any op is not known: its `membership.creator` is
   * undefined.
   */
  use<A>(chatId: ChatId, f: (group: Group) => A): Effect.Effect<A, StoreError>
  /**
   * Takes in accepted ops of one group, the last of which has this place in the writer's queue: one refold at most
   * (SPEC §5.2). For use inside `use`.
   */
  apply(group: Group, ops: ReadonlyArray<Op>, ticket: Ticket): void
}>()("p2p-mes/services/Groups") {}
