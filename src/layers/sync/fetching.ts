/**
 * The one catch-up of this node at a time (SPEC §6): whose it is, how far it is, and where it may go on.
 *
 * Rule: a peer has the place only while it brings something. Who claims a lot and brings nothing gives it up to others
 * (FAILURES 3).
 */
import type { NodeId } from "../../domain/ids.ts"
import type { CatchUp } from "../../services/Sync.ts"
import type { Progress } from "./catch-up.ts"

/** The rate is measured over this long, ms. */
const rateMs = 10_000
/** Who brought fewer new records than this in that time has to let others try. */
const idleMs = 30_000
const idleRecordsMin = 100
/** A peer whose stream brought nothing new is not streamed from for this long. */
const barrenMs = 10 * 60_000
/** Peers remembered as such. */
const barrenMax = 1_000

interface Sample {
  readonly ms: number
  readonly fetched: number
}

interface Current {
  readonly peer: NodeId
  domain: CatchUp["domain"]
  fetched: number
  missing: number
  /** New records since `checkedMs`. */
  accepted: number
  checkedMs: number
  samples: Array<Sample>
}

export class Fetching {
  #current: Current | undefined
  /** Where a stream of ops was cut: a place in the peer's set. */
  #ops: { readonly peer: NodeId; readonly cursor: Uint8Array } | undefined
  readonly #barren = new Map<NodeId, number>()

  /** What a round with `peer` tells and asks. `nowMs`: the steady clock. */
  progress(peer: NodeId, nowMs: () => number): Progress {
    const own = () => this.#current?.peer === peer ? this.#current : undefined
    return {
      begin: ({ domain, missing }) => {
        if ((this.#barren.get(peer) ?? -Infinity) > nowMs()) return "compare"
        const current = this.#current
        if (current !== undefined && current.peer !== peer && !this.#isIdle(current, nowMs())) return "leave"
        if (current?.peer !== peer) {
          this.#current = { peer, domain, fetched: 0, missing, accepted: 0, checkedMs: nowMs(), samples: [] }
        } else {
          current.domain = domain
          current.missing = current.fetched + missing
        }
        return "fetch"
      },
      fetched: (records, accepted) => {
        const current = own()
        if (current === undefined) return
        const ms = nowMs()
        current.fetched += records
        current.accepted += accepted
        current.samples.push({ ms, fetched: current.fetched })
        while (current.samples.length > 2 && current.samples[0]!.ms < ms - rateMs) current.samples.shift()
        if (ms - current.checkedMs >= idleMs && current.accepted >= idleRecordsMin) {
          current.checkedMs = ms
          current.accepted = 0
        }
      },
      opsFrom: () => this.#ops?.peer === peer ? this.#ops.cursor : undefined,
      opsReached: (cursor) => {
        if (cursor !== undefined) this.#ops = { peer, cursor }
        else if (this.#ops?.peer === peer) this.#ops = undefined
      }
    }
  }

  #isIdle({ accepted, checkedMs }: Current, nowMs: number): boolean {
    return nowMs - checkedMs >= idleMs && accepted < idleRecordsMin
  }

  /**
   * A round that this node led has ended: whether something was left to the next one, and how many records came. Gives how
   * many the catch-up fetched in all when it has ended.
   */
  ended(peer: NodeId, behind: boolean, pulled: number, nowMs: number): number | undefined {
    const current = this.#current
    if (current?.peer !== peer) return undefined
    if (behind && pulled > 0) return undefined
    if (behind) {
      if (this.#barren.size >= barrenMax) this.#barren.delete(this.#barren.keys().next().value!)
      this.#barren.set(peer, nowMs + barrenMs)
    }
    this.#current = undefined
    return current.fetched
  }

  /** The peer is gone, or its round has failed. Where its stream of ops was is kept. */
  left(peer: NodeId): void {
    if (this.#current?.peer === peer) this.#current = undefined
  }

  summary(): CatchUp | undefined {
    const current = this.#current
    if (current === undefined) return undefined
    const { domain, fetched, missing, peer, samples } = current
    const [first, last] = [samples[0], samples.at(-1)]
    const ms = first === undefined || last === undefined ? 0 : last.ms - first.ms
    return {
      peer,
      domain,
      fetched,
      missing: Math.max(missing, fetched),
      rate: ms === 0 ? 0 : Math.round((last!.fetched - first!.fetched) * 1_000 / ms)
    }
  }
}
