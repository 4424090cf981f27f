/**
 * A peer that means no good: a machine of its own on the simulated network, with a node key, users and clock, and nothing of
 * a node behind it. It listens to gossip and reads by sync, so that it knows what there is, and attacks when it is told to.
 *
 * It can do what anybody with a key and a connection can. It cannot sign for others, and what it does is bounded, so that
 * a run with it takes little more time than one without. Between attacks it answers rounds of sync as a node would, for who
 * is shunned attacks nobody.
 */
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Bytes from "../../domain/bytes.ts"
import * as Payload from "../../domain/gossip-payload.ts"
import { Hashing } from "../../domain/hashing.ts"
import type { NodeId } from "../../domain/ids.ts"
import { gossipBytesMax } from "../../domain/limits.ts"
import { fromPrivateKey } from "../../layers/node/node-key.ts"
import { Network } from "../../services/Network.ts"
import type { NodeKey } from "../../services/NodeKey.ts"
import type { Cluster } from "../cluster.ts"
import { Random } from "../random.ts"
import type { User } from "../users.ts"
import { type ClockFault, Life, MachineClock } from "../virtual-time.ts"
import { answerRound } from "./answers.ts"
import { type AnswerLie, type AttackKind, attackKinds, isAnswerLie, isForgery, isLawful } from "./attacks.ts"
import { Forge } from "./forge.ts"
import { forgeries } from "./forgeries.ts"
import { lawful } from "./lawful.ts"
import { Lore } from "./lore.ts"
import { roundLies } from "./rounds.ts"
import { type Attack, helloOf, type Stage } from "./stage.ts"
import { readAll, type Talk, talkOn } from "./talk.ts"

/** How long rounds are answered with one lie, ms. */
const lieMs = 60_000
/** A talk that it leads ends after this long, ms. */
const talkMsMax = 120_000
/** Between two readings of all that some node has, ms. */
const readMs = 60_000
const firstReadMs = 2_000
/** Names that it goes by, one after another: who is shunned comes back as somebody else. */
const keysMax = 4

export interface HostileOptions {
  /** Decides its keys: honest nodes never have one of them. */
  readonly seed: number | string
  /** Users who are with it: it has their keys. At least one. */
  readonly users: ReadonlyArray<User>
  readonly clock?: ClockFault | undefined
}

interface Running {
  readonly life: Life
  readonly scope: Scope.Closeable
  readonly forge: Forge
  port: Network["Service"] | undefined
}

export class HostilePeer {
  readonly cluster: Cluster
  readonly users: ReadonlyArray<User>
  readonly lore = new Lore()
  /** What it can do. */
  readonly attacks: ReadonlyArray<AttackKind> = attackKinds
  /** How often each was done. */
  readonly done = new Map<AttackKind, number>()
  readonly #keys: ReadonlyArray<NodeKey["Service"]>
  readonly #clock: MachineClock
  #running: Running | undefined
  #lives = 0
  #lie: { readonly kind: AnswerLie; readonly random: Random; readonly untilMs: number } | undefined
  #rounds = 0

  private constructor(cluster: Cluster, keys: ReadonlyArray<NodeKey["Service"]>, options: HostileOptions) {
    if (options.users.length === 0) throw new Error("a hostile peer needs a user")
    this.cluster = cluster
    this.users = options.users
    this.#keys = keys
    this.#clock = new MachineClock(cluster.time, options.clock)
  }

  /** It is not started yet. Makes its keys, which takes real time. */
  static make(cluster: Cluster, options: HostileOptions): Effect.Effect<HostilePeer> {
    return Effect.gen(function*() {
      const hashes = Context.get(cluster.shared, Hashing)
      const keys = yield* Effect.forEach(Array.from({ length: keysMax }, (_, i) => i), (i) => {
        const seed = hashes.blake3(Bytes.fromText(`p2p-mes testing hostile peer ${options.seed} ${i}`))
        return Effect.map(Effect.promise(() => generateKeyPairFromSeed("Ed25519", seed)), fromPrivateKey)
      })
      return new HostilePeer(cluster, keys, options)
    })
  }

  get isUp(): boolean {
    return this.#running?.port !== undefined
  }

  /** Its name in this life, or, before it has one, in the next. */
  get id(): NodeId {
    return this.#keys[Math.max(0, this.#lives - 1) % keysMax]!.id
  }

  /** Every name that it goes by. */
  get ids(): ReadonlyArray<NodeId> {
    return this.#keys.map(({ id }) => id)
  }

  /** The honest nodes that it is connected to now, in the order of their ids. */
  get peers(): ReadonlyArray<NodeId> {
    return (this.#running?.port?.peers() ?? []).map(({ id }) => id).sort()
  }

  /** Comes up, by another name each time. Connections take a while. */
  start(): void {
    if (this.#running !== undefined) return
    const key = this.#keys[this.#lives++ % keysMax]!
    const { cluster } = this
    const life = new Life(cluster.time, this.#clock)
    const running: Running = {
      life,
      scope: Scope.makeUnsafe(),
      forge: new Forge(Context.get(cluster.shared, Hashing), key),
      port: undefined
    }
    this.#running = running
    cluster.trace.note("fault", `hostile peer comes as ${key.id.slice(-8)}`)
    const layer = Layer.buildWithScope(cluster.network.layer(key.id, life), running.scope)
    this.#fork(Effect.flatMap(layer, (context) => this.#listen(running, Context.get(context, Network))))
  }

  /** Goes at once, and nothing of it runs on. */
  stop(): void {
    const running = this.#running
    if (running === undefined) return
    this.cluster.trace.note("fault", "hostile peer goes")
    const { id } = this
    running.life.end()
    this.#running = undefined
    this.#lie = undefined
    this.cluster.network.detach(id)
  }

  /** Does it now; false when it is not up. Draws from `random` only. */
  attack(kind: AttackKind, random: Random): boolean {
    const running = this.#running
    if (running?.port === undefined) return false
    this.cluster.trace.note("fault", `hostile ${kind}`)
    this.done.set(kind, (this.done.get(kind) ?? 0) + 1)
    if (isAnswerLie(kind)) {
      const own = new Random(`${kind} ${random.word()}`)
      this.#lie = { kind, random: own, untilMs: this.cluster.time.now + lieMs }
      return true
    }
    const attack: Attack = isForgery(kind) ? forgeries[kind] : isLawful(kind) ? lawful[kind] : roundLies[kind]
    attack(this.#stage(running), random)
    return true
  }

  #stage(running: Running): Stage {
    const { lore, users } = this
    const clock = this.#clock
    return {
      forge: running.forge,
      lore,
      users,
      get nowMs() {
        return clock.wallMs
      },
      peers: this.peers,
      gossip: (payload) => {
        if (this.#running !== running || running.port === undefined) return
        const cut = payload.subarray(0, gossipBytesMax)
        this.#fork(running.port.publish(cut))
      },
      lead: (peer, script) => this.#lead(running, peer, script)
    }
  }

  #listen(running: Running, port: Network["Service"]) {
    return Effect.gen({ self: this }, function*() {
      const hashes = running.forge.hashes
      yield* port.judge((payload) =>
        Effect.sync(() => {
          this.lore.heard(payload)
          const decoded = Payload.decode(hashes, payload)
          if (Result.isSuccess(decoded)) { for (const record of decoded.success) this.lore.learn(record) }
          return "ignore"
        })
      )
      yield* port.serve((channel) => {
        const lie = this.#lie !== undefined && this.cluster.time.now < this.#lie.untilMs ? this.#lie : undefined
        const random = (lie?.random ?? new Random("truth")).part(String(this.#rounds++))
        return answerRound(this.#stage(running), talkOn(channel), lie?.kind, random).pipe(
          Effect.catch(() => Effect.void),
          this.#survived
        )
      })
      running.port = port
      yield* Effect.sleep(firstReadMs)
      for (let turn = 0;; turn++) {
        const { peers } = this
        const peer = peers[turn % Math.max(1, peers.length)]
        if (peer !== undefined) {
          const stage = this.#stage(running)
          this.#lead(
            running,
            peer,
            (talk) => readAll(talk, hashes, helloOf(stage), (record) => this.lore.learn(record))
          )
        }
        yield* Effect.sleep(readMs)
      }
    }).pipe(Effect.scoped)
  }

  #lead(running: Running, peer: NodeId, script: (talk: Talk) => Effect.Effect<void, unknown>): void {
    const { port } = running
    if (this.#running !== running || port === undefined) return
    this.#fork(
      Effect.flatMap(port.open(peer), (channel) => script(talkOn(channel))).pipe(
        Effect.scoped,
        Effect.timeoutOption(talkMsMax),
        // refused, closed, shunned: what it must expect
        Effect.catch(() => Effect.void)
      )
    )
  }

  #fork<A, E>(effect: Effect.Effect<A, E>): void {
    this.#running?.life.fork(effect, Context.empty(), (exit: Exit.Exit<A, E>) => {
      if (exit._tag === "Failure") this.#broke(exit.cause)
    })
  }

  /** A fault of the hostile peer itself must not look like good conduct of the others. */
  #broke(cause: unknown): void {
    this.cluster.find("hostile-peer", `it broke: ${String(cause)}`)
  }

  readonly #survived = <A>(effect: Effect.Effect<A>): Effect.Effect<void> =>
    Effect.catchCause(
      Effect.asVoid(effect),
      (cause) => Cause.hasInterrupts(cause) ? Effect.interrupt : Effect.sync(() => this.#broke(cause))
    )
}
