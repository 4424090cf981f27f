/** Requests of a run that have no answer yet: a node that is up answers each (FAILURES 15). */
import type { Cluster, SimulatedNode } from "./cluster.ts"

/** Virtual time that an answer may take, however slow the disk. */
const answerMsMax = 60_000

interface Asked {
  readonly node: SimulatedNode
  readonly life: number
  readonly atMs: number
  readonly what: string
}

export class OpenRequests {
  readonly #cluster: Cluster
  readonly #open = new Set<Asked>()

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  /** Notes that a node was asked; to be called when it has answered. */
  ask(node: SimulatedNode, what: string): () => void {
    const asked = { node, life: node.lives, atMs: this.#cluster.trace.nowMs, what }
    this.#open.add(asked)
    return () => this.#open.delete(asked)
  }

  /** Tells of those that a node which is up has left unanswered for too long. */
  sample(): void {
    const { nowMs } = this.#cluster.trace
    for (const asked of this.#open) {
      const { atMs, life, node, what } = asked
      const isGone = node.lives !== life || !node.isUp
      if (!isGone && nowMs - atMs < answerMsMax) continue
      this.#open.delete(asked)
      if (!isGone) this.#cluster.find("answer", `${what} got no answer within ${answerMsMax} ms`, node)
    }
  }
}
