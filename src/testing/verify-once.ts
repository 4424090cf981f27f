/**
 * Signatures checked once for all nodes of a cluster: what a signature proves does not depend on who asks, and checking is
 * most of the work of a simulated node.
 */
import * as Effect from "effect/Effect"
import * as Bytes from "../domain/bytes.ts"
import type { Address } from "../domain/ids.ts"
import { type NodeSignature, type Recovery, Verifier } from "../services/Verifier.ts"

/** Answers that are kept; then all are forgotten. */
const answersMax = 50_000

const recoveryName = ({ digest, rs, v }: Recovery): string => `${v}${Bytes.toHex(digest)}${Bytes.toHex(rs)}`

const nodeName = ({ digest, key, signature }: NodeSignature): string =>
  `${key.type}${Bytes.toHex(key.publicKey)}${Bytes.toHex(digest)}${Bytes.toHex(signature)}`

/** Answers for those that are known, asks for the others, and keeps what it is told. */
const once = <Item, Answer>(
  nameOf: (item: Item) => string,
  ask: (items: ReadonlyArray<Item>) => Effect.Effect<ReadonlyArray<Answer>>
) => {
  const known = new Map<string, Answer>()
  return (items: ReadonlyArray<Item>): Effect.Effect<ReadonlyArray<Answer>> => {
    const names = items.map(nameOf)
    const missing = items.filter((_, i) => !known.has(names[i]!))
    // taken now: all may be forgotten while the others are checked
    const told = new Map(names.flatMap((name) => known.has(name) ? [[name, known.get(name)!] as const] : []))
    if (missing.length === 0) return Effect.succeed(names.map((name) => told.get(name)!))
    return Effect.map(ask(missing), (answers) => {
      for (const [i, item] of missing.entries()) told.set(nameOf(item), answers[i]!)
      const all = names.map((name) => told.get(name)!)
      if (known.size + told.size > answersMax) known.clear()
      for (const [name, answer] of told) known.set(name, answer)
      return all
    })
  }
}

/** The same answers as `verifier` gives, the work done once. */
export const verifyOnce = (verifier: Verifier["Service"]): Verifier["Service"] => {
  const recoverAll = once<Recovery, Address | undefined>(recoveryName, verifier.recoverAll)
  const verifyNodeAll = once<NodeSignature, boolean>(nodeName, verifier.verifyNodeAll)
  return Verifier.of({
    info: verifier.info,
    recover: (item) => Effect.map(recoverAll([item]), (answers) => answers[0]),
    recoverAll,
    verifyNode: (item) => Effect.map(verifyNodeAll([item]), (answers) => answers[0]!),
    verifyNodeAll
  })
}
