/** Peers that are left alone for a while, and the gate that keeps them out. */
import type { ConnectionGater } from "@libp2p/interface"
import { shunnedMax } from "./bounds.ts"
import { steadyMs } from "./steady-clock.ts"

export interface Shunned {
  readonly add: (peer: string, ms: number) => void
  readonly has: (peer: string) => boolean
  readonly gater: (refused: (reason: string) => void) => ConnectionGater
}

export const make = (now: () => number = steadyMs): Shunned => {
  const until = new Map<string, number>()
  const has = (peer: string): boolean => {
    const end = until.get(peer)
    if (end === undefined) return false
    if (end > now()) return true
    until.delete(peer)
    return false
  }
  const add = (peer: string, ms: number): void => {
    const end = Math.max(until.get(peer) ?? 0, now() + ms)
    until.delete(peer)
    until.set(peer, end)
    if (until.size <= shunnedMax) return
    for (const [id, time] of until) if (time <= now()) until.delete(id)
    // the one that was shunned first
    for (const id of until.keys()) {
      if (until.size <= shunnedMax) break
      until.delete(id)
    }
  }
  return {
    add,
    has,
    gater: (refused) => {
      const deny = (peer: { toString(): string; readonly type: string }): boolean => {
        // node ids hold their key (SPEC §2): others cannot be told of in a record
        const unfit = peer.type !== "Ed25519" && peer.type !== "secp256k1"
        const denied = unfit || has(peer.toString())
        if (denied) refused(unfit ? "key" : "shunned")
        return denied
      }
      return {
        denyDialPeer: deny,
        denyInboundEncryptedConnection: deny,
        denyOutboundEncryptedConnection: deny
      }
    }
  }
}
