/**
 * A token bucket a user. Only HTTP requests spend tokens: records from peers never do, because a limit that differs from
 * node to node would make replicas diverge for ever (SPEC §6, FAILURES 27).
 */
import type { Address } from "../../domain/ids.ts"
import type { IngestLimits } from "../../domain/limits.ts"

/** Users remembered. Full buckets are forgotten first: forgetting them changes nothing. */
const usersMax = 100_000

interface Bucket {
  tokens: number
  atMs: number
}

export class RateLimit {
  private readonly perMs: number
  private readonly burst: number
  private readonly buckets = new Map<Address, Bucket>()

  constructor(limits: IngestLimits) {
    this.perMs = limits.userRequestsPerSecond / 1_000
    this.burst = limits.userRequestsBurst
  }

  /** Spends a token: 0 when there was one, else the seconds until there will be. */
  spend(user: Address, nowMs: number): number {
    const bucket = this.buckets.get(user) ?? this.open(user, nowMs)
    bucket.tokens = this.refilled(bucket, nowMs)
    bucket.atMs = nowMs
    if (bucket.tokens < 1) return Math.max(1, Math.ceil((1 - bucket.tokens) / this.perMs / 1_000))
    bucket.tokens--
    return 0
  }

  private refilled(bucket: Bucket, nowMs: number): number {
    // a wall clock that went back gives nothing
    return Math.min(this.burst, bucket.tokens + Math.max(0, nowMs - bucket.atMs) * this.perMs)
  }

  private open(user: Address, nowMs: number): Bucket {
    if (this.buckets.size >= usersMax) this.sweep(nowMs)
    const bucket = { tokens: this.burst, atMs: nowMs }
    this.buckets.set(user, bucket)
    return bucket
  }

  private sweep(nowMs: number): void {
    for (const [user, bucket] of this.buckets) {
      if (this.refilled(bucket, nowMs) >= this.burst) this.buckets.delete(user)
    }
    // all of them busy: the one seen first goes
    if (this.buckets.size >= usersMax) this.buckets.delete(this.buckets.keys().next().value!)
  }
}
