/**
 * Records as a hostile peer makes them: signed with keys that it has, under any time, place and node that it likes. What it
 * cannot do is sign for others, so what is made here is valid unless an attack then changes it.
 */
import * as Bytes from "../../domain/bytes.ts"
import type { Hashes } from "../../domain/hashing.ts"
import * as Hlc from "../../domain/hlc.ts"
import * as Ids from "../../domain/ids.ts"
import type { Dot, Identity, Kind, Message, Op, Read, Record } from "../../domain/record.ts"
import { opTypes } from "../../domain/record.ts"
import { stampDigest } from "../../domain/signature.ts"
import * as Wire from "../../domain/wire.ts"
import type { NodeKey } from "../../services/NodeKey.ts"
import { signClaim, type User } from "../users.ts"

/** When and where: the author's time, the stamp, and the node that the text names. */
export interface When {
  readonly ts: number
  readonly hlc: Hlc.Hlc
  readonly node: Ids.NodeId
}

/** What an op says beside its actor, time and node. */
export interface OpSaying {
  readonly chatId: Ids.ChatId
  readonly op: Ids.OpType
  readonly role?: Ids.RoleCode | undefined
  readonly targets?: ReadonlyArray<Ids.Address> | undefined
  readonly title?: string | undefined
  readonly nonce?: Ids.Nonce | undefined
  /** Of a removal; absent: none. */
  readonly observed?: ReadonlyArray<Dot> | undefined
}

export class Forge {
  readonly hashes: Hashes
  readonly key: NodeKey["Service"]

  constructor(hashes: Hashes, key: NodeKey["Service"]) {
    this.hashes = hashes
    this.key = key
  }

  /** A time by author and stamp alike, at this peer. */
  at(ms: number, logical = 0): When {
    return { ts: ms, hlc: Hlc.make(ms, logical), node: this.key.id }
  }

  #sign(user: User, kind: Kind, { node, ts }: When, id: string): Uint8Array {
    return signClaim(this.hashes, user, { kind, ts, node, id }).sig
  }

  /** The envelope of version 1. */
  #sealed(user: User, kind: Kind, when: When, id: string) {
    return { ...when, sig: this.#sign(user, kind, when, id), sigVersion: 1 as const }
  }

  message(
    user: User,
    place: { readonly chatId: Ids.ChatId; readonly peer?: Ids.Address | undefined },
    content: string,
    when: When,
    control?: Uint8Array
  ): Message {
    const fields = {
      ...place,
      sender: user.address,
      ts: when.ts,
      msgType: 0,
      content,
      ...(control === undefined ? {} : { control })
    }
    const id = Ids.messageId(this.hashes, fields)
    return { kind: "message", id, ...fields, ...this.#sealed(user, "message", when, id) }
  }

  direct(user: User, peer: Ids.Address, content: string, when: When, control?: Uint8Array): Message {
    return this.message(user, { chatId: Ids.dmChatId(this.hashes, user.address, peer), peer }, content, when, control)
  }

  read(
    user: User,
    place: { readonly chatId: Ids.ChatId; readonly peer?: Ids.Address | undefined },
    upTo: Hlc.Hlc,
    when: When
  ): Read {
    const fields = { ...place, reader: user.address, ts: when.ts, upTo }
    const id = Ids.readId(this.hashes, fields)
    return { kind: "read", id, ...fields, ...this.#sealed(user, "read", when, id) }
  }

  identity(user: User, blob: Uint8Array, when: When): Identity {
    const fields = { address: user.address, ts: when.ts, blob }
    const id = Ids.identityId(this.hashes, fields)
    return { kind: "identity", id, ...fields, ...this.#sealed(user, "identity", when, id) }
  }

  /** Stamped with this peer's key, so that only one that names this peer is valid. */
  op(user: User, { chatId, nonce, observed, op, role = 0, targets = [], title }: OpSaying, when: When): Op {
    const fields = {
      chatId,
      actor: user.address,
      ts: when.ts,
      node: when.node,
      op,
      role,
      targets: [...targets].sort(),
      ...(title === undefined ? {} : { title }),
      ...(nonce === undefined ? {} : { nonce })
    }
    const id = Ids.opId(this.hashes, fields)
    const unstamped = {
      kind: "op" as const,
      id,
      ...fields,
      ...this.#sealed(user, "op", when, id),
      ...(op === opTypes.remove ? { observed: [...observed ?? []].sort() } : {})
    }
    return { ...unstamped, stamp: this.#stamp(unstamped) }
  }

  #stamp(op: Pick<Op, "id" | "hlc" | "observed">): Uint8Array {
    return this.key.sign(stampDigest(this.hashes, op))
  }

  /** The same text at another place, with other dots: another variant of one op. */
  restamp(op: Op, hlc: Hlc.Hlc, observed: ReadonlyArray<Dot> | undefined = op.observed): Op {
    const changed = { ...op, hlc, ...(observed === undefined ? {} : { observed: [...observed].sort() }) }
    return { ...changed, stamp: this.#stamp(changed) }
  }

  create(user: User, nonce: Uint8Array, targets: ReadonlyArray<Ids.Address>, when: When, title?: string): Op {
    const hex = Bytes.toHex(nonce) as Ids.Nonce
    const chatId = Ids.groupChatId(this.hashes, user.address, hex)
    const others = targets.filter((each) => each !== user.address)
    return this.op(user, { chatId, op: opTypes.create, nonce: hex, targets: others, title }, when)
  }

  digest(record: Record): Uint8Array {
    return Wire.leafDigest(this.hashes.blake3, record)
  }
}

/** As a frame or a payload holds it. */
export const wired = (record: Record): { readonly kind: Kind; readonly bytes: Uint8Array } => ({
  kind: record.kind,
  bytes: Wire.encode(record)
})
