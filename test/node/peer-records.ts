/** Records as another node would have made them, with good signatures, and a network whose other side is the test. */
import { ed25519 } from "@noble/curves/ed25519.js"
import { Effect, Layer, PubSub } from "effect"
import * as Bytes from "../../src/domain/bytes.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import * as Ids from "../../src/domain/ids.ts"
import { nodeIdOf } from "../../src/domain/node-id.ts"
import { type Identity, type Kind, type Message, type Op, opTypes, type Read } from "../../src/domain/record.ts"
import { signedDigest, stampDigest, stringToSign } from "../../src/domain/signature.ts"
import { noble } from "../../src/layers/crypto/hashes.ts"
import { ChannelError, Network, type Peer, type PeerChange, type Verdict } from "../../src/services/Network.ts"
import { NetworkId } from "../../src/services/NetworkId.ts"
import { sign, type User } from "../http/fixture.ts"

const secret = (seed: number) => new Uint8Array(32).fill(seed)

/** The id of a peer made from a seed. */
export const peerId = (seed: number): Ids.NodeId =>
  nodeIdOf({ type: "ed25519", publicKey: ed25519.getPublicKey(secret(seed)) })

const ingestSeed = 99
/** The node that took the records in. */
const ingestNode = peerId(ingestSeed)

export interface Made {
  readonly ts: number
  /** Absent: the time of `ts`. */
  readonly hlc?: Hlc.Hlc
}

const envelope = (who: User, kind: Kind, id: string, { hlc, ts }: Made) => {
  const sig = Bytes.fromHex(sign(who.key, signedDigest(noble, 1, stringToSign(kind, ts, ingestNode, id))))
  sig[64]! -= 27
  return { ts, node: ingestNode, sig, sigVersion: 1 as const, hlc: hlc ?? Hlc.make(ts, 0) }
}

export const dm = (who: User, peer: User, content: string, made: Made): Message => {
  const fields = {
    chatId: Ids.dmChatId(noble, who.address, peer.address),
    sender: who.address,
    ts: made.ts,
    msgType: 0,
    content
  }
  const id = Ids.messageId(noble, fields)
  return { kind: "message", id, ...fields, peer: peer.address, ...envelope(who, "message", id, made) }
}

export const groupMessage = (who: User, chatId: Ids.ChatId, content: string, made: Made): Message => {
  const fields = { chatId, sender: who.address, ts: made.ts, msgType: 0, content }
  const id = Ids.messageId(noble, fields)
  return { kind: "message", id, ...fields, ...envelope(who, "message", id, made) }
}

export const identity = (who: User, blob: Uint8Array, made: Made): Identity => {
  const fields = { address: who.address, ts: made.ts, blob }
  const id = Ids.identityId(noble, fields)
  return { kind: "identity", id, ...fields, ...envelope(who, "identity", id, made) }
}

export const mark = (who: User, peer: User, upTo: Hlc.Hlc, made: Made): Read => {
  const fields = {
    chatId: Ids.dmChatId(noble, who.address, peer.address),
    reader: who.address,
    ts: made.ts,
    upTo
  }
  const id = Ids.readId(noble, fields)
  return { kind: "read", id, ...fields, peer: peer.address, ...envelope(who, "read", id, made) }
}

const nonceOf = (byte: number) => byte.toString(16).padStart(2, "0").repeat(16) as Ids.Nonce

export const groupOf = (creator: User, byte: number): Ids.ChatId =>
  Ids.groupChatId(noble, creator.address, nonceOf(byte))

const op = (
  who: User,
  fields: Omit<Ids.OpFields, "actor" | "ts" | "node" | "role"> & { readonly role?: Ids.RoleCode },
  made: Made
): Op => {
  const signed = { role: 0 as const, ...fields, actor: who.address, ts: made.ts, node: ingestNode }
  const id = Ids.opId(noble, signed)
  const unstamped = {
    kind: "op" as const,
    id,
    ...signed,
    ...envelope(who, "op", id, made),
    ...(fields.op === opTypes.remove ? { observed: [] } : {})
  }
  return { ...unstamped, stamp: ed25519.sign(stampDigest(noble, unstamped), secret(ingestSeed)) }
}

export const create = (creator: User, byte: number, members: ReadonlyArray<User>, made: Made): Op =>
  op(creator, {
    chatId: groupOf(creator, byte),
    op: opTypes.create,
    targets: members.map(({ address }) => address).sort(),
    nonce: nonceOf(byte)
  }, made)

export const add = (who: User, chatId: Ids.ChatId, target: User, role: Ids.RoleCode, made: Made): Op =>
  op(who, { chatId, op: opTypes.add, role, targets: [target.address] }, made)

export interface Scripted {
  readonly layer: Layer.Layer<Network | NetworkId>
  /** What the node published. */
  readonly published: Array<Uint8Array>
  peers: ReadonlyArray<Peer>
  /** Runs for each message before the answer. */
  publishing: Effect.Effect<number>
  /** Gives the node a message. */
  readonly deliver: (payload: Uint8Array, from: Ids.NodeId) => Effect.Effect<Verdict>
}

/** A network that is whatever the test says. Sync streams are not opened. */
export const scripted = (): Scripted => {
  let handler: ((payload: Uint8Array, from: Ids.NodeId) => Effect.Effect<Verdict>) | undefined
  const self: Scripted = {
    published: [],
    peers: [{ id: peerId(50), address: "/memory/50", direction: "inbound", sinceMs: 0, gossips: true }],
    publishing: Effect.succeed(1),
    deliver: (payload, from) => Effect.suspend(() => handler!(payload, from)),
    layer: Layer.merge(
      Layer.effect(
        Network,
        Effect.map(PubSub.sliding<PeerChange>(1), (changes) =>
          Network.of({
            addresses: () => [],
            peers: () => self.peers,
            changes,
            open: () => Effect.fail(new ChannelError({ reason: "unreachable", message: "scripted" })),
            serve: () => Effect.void,
            publish: (payload) =>
              Effect.suspend(() => {
                self.published.push(payload)
                return Effect.map(self.publishing, (recipients) => ({ recipients }))
              }),
            judge: (judge) => Effect.sync(() => void (handler = judge)),
            shun: () => Effect.void
          }))
      ),
      Layer.succeed(NetworkId, { name: "" })
    )
  }
  return self
}
