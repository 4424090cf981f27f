/**
 * The client of a node: typed calls that are signed, retried and settled (`calls.ts`), in Node and in browsers.
 *
 * Values are those of the API (`src/api`): snake_case, ids as hex without `0x`, stamps as bigints, opaque bytes as
 * `Uint8Array`. Times are ms.
 */
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import * as Bytes from "../domain/bytes.ts"
import type * as Hlc from "../domain/hlc.ts"
import * as Ids from "../domain/ids.ts"
import { waitSecondsMax } from "../domain/limits.ts"
import { opTypes, roles } from "../domain/record.ts"
import { call, type CallOptions, read, type Settled } from "./calls.ts"
import * as Chat from "./Chat.ts"
import * as Connection from "./Connection.ts"
import { Entropy } from "./Entropy.ts"
import type { ReadError, WriteError } from "./errors.ts"
import type { EventNode } from "./event-source.ts"
import * as Events from "./Events.ts"
import { hashes } from "./hashing.ts"
import * as Reads from "./reads.ts"
import type { Signer } from "./Signer.ts"
import * as Signing from "./signing.ts"
import * as Timestamps from "./Timestamps.ts"
import type { Identity, IdentityTaken, Members, NewMessage, NewOp, OpTaken, ReadTaken, Sent } from "./values.ts"

export type { InboxOptions, PageOptions } from "./reads.ts"

export interface NodeClientOptions extends Connection.ConnectionOptions {
  readonly signer: Signer
  /**
   * Other nodes: they are asked for a message whose write had no answer, and `events` goes on at them when this one is
   * gone. Each proves its id before it is believed.
   */
  readonly alternates?: ReadonlyArray<string> | undefined
  /** How often a busy node (429, 503) is waited for. Default 3. */
  readonly busyRetriesMax?: number | undefined
  /**
   * The longest single wait, ms: for a busy node, or until a lost message that its node does not have is surely nowhere
   * (65 s after it was signed), to send it anew. What would take longer is failed with at once. Default 10 000.
   */
  readonly busyWaitMsMax?: number | undefined
}

export interface WriteOptions {
  /** Seconds to wait for the commit, at most 10: `committed` tells whether it came. Default: do not wait. */
  readonly wait?: number | undefined
}

export interface NodeClient extends Reads.Reads {
  /** The caller. */
  readonly address: Ids.Address
  /** Who the node is, proven by its key. */
  readonly node: Effect.Effect<Connection.Info, Connection.ConnectionError>
  /** By how much the node corrected this machine's clock, ms: 0 while its own times were taken. */
  readonly clockOffsetMs: Effect.Effect<number>
  send(chat: Chat.Chat, message: string | NewMessage, options?: WriteOptions): Effect.Effect<Sent, WriteError>
  /** Everything in the chat up to this stamp is read. */
  markRead(chat: Chat.Chat, upTo: Hlc.Hlc, options?: WriteOptions): Effect.Effect<ReadTaken, WriteError>
  /**
   * What happens to the caller, as it happens, from now on. It goes on by itself through lost connections and lost nodes:
   * see {@link Events}.
   */
  events(options?: Events.EventsOptions): Stream.Stream<Events.ClientEvent, ReadError>
  readonly groups: {
    /** The caller is its first admin. Order and repetition of `targets` do not matter. */
    create(
      targets: ReadonlyArray<Ids.Address>,
      options?: WriteOptions & { readonly title?: string | undefined; readonly nonce?: Ids.Nonce | undefined }
    ): Effect.Effect<OpTaken, WriteError>
    /** Adding a member again with another role changes the role. */
    add(
      chatId: Ids.ChatId,
      targets: ReadonlyArray<Ids.Address>,
      options?: WriteOptions & { readonly role?: "member" | "admin" | undefined }
    ): Effect.Effect<OpTaken, WriteError>
    remove(
      chatId: Ids.ChatId,
      targets: ReadonlyArray<Ids.Address>,
      options?: WriteOptions
    ): Effect.Effect<OpTaken, WriteError>
    /** An empty title clears it. */
    setTitle(chatId: Ids.ChatId, title: string, options?: WriteOptions): Effect.Effect<OpTaken, WriteError>
    leave(chatId: Ids.ChatId, options?: WriteOptions): Effect.Effect<OpTaken, WriteError>
    members(chatId: Ids.ChatId): Effect.Effect<Members, ReadError>
  }
  readonly identity: {
    /** `NotFound` when it was never set. */
    get(address: Ids.Address): Effect.Effect<Identity, ReadError>
    /** 0 to 128 bytes. */
    set(identity: Uint8Array, options?: WriteOptions): Effect.Effect<IdentityTaken, WriteError>
  }
}

const sorted = (targets: ReadonlyArray<Ids.Address>): ReadonlyArray<Ids.Address> => [...new Set(targets)].sort()

const prefer = (options: WriteOptions | undefined) =>
  options?.wait === undefined ? {} : { prefer: `wait=${options.wait}` }

const waitMs = (options: WriteOptions | undefined): number =>
  1000 * Math.min(waitSecondsMax, Math.max(0, options?.wait ?? 0))

/** The answer of a write with what its status says: 201 is a commit. */
const taken = <A extends object, E>(
  answer: Effect.Effect<readonly [A, HttpClientResponse.HttpClientResponse], E>
): Effect.Effect<A & { readonly committed: boolean }, E> =>
  Effect.map(answer, ([value, { status }]) => ({ ...value, committed: status === 201 }))

const both = { responseMode: "decoded-and-response" } as const

/** Opens a client. Nothing is sent before its first call. */
export const make = Effect.fnUntraced(function*(
  options: NodeClientOptions
): Effect.fn.Return<NodeClient, never, HttpClient.HttpClient | Entropy> {
  const { signer } = options
  const self = signer.address
  const entropy = yield* Entropy
  const signing = Signing.layer(signer)
  const connection = yield* Connection.make(options, entropy, signing)
  const http = yield* HttpClient.HttpClient
  const connect = (url: string) =>
    Connection.make({ url, timeoutMs: options.timeoutMs }, entropy, signing).pipe(
      Effect.provideService(HttpClient.HttpClient, http)
    )
  const others = yield* Effect.forEach(options.alternates ?? [], connect)
  const timestamps = Timestamps.make()
  const callOptions: CallOptions = {
    timestamps,
    timeoutMs: options.timeoutMs ?? Connection.defaultTimeoutMs,
    busyRetriesMax: options.busyRetriesMax ?? 3,
    busyWaitMsMax: options.busyWaitMsMax ?? 10_000
  }
  const { api } = connection
  const reading = <A>(run: Effect.Effect<A, unknown>) => read(connection, callOptions, run)
  const reads = Reads.make(connection, callOptions)
  // their clocks may differ, and the age of a write is told by the first node's
  const alternates = others.map((at) => Reads.make(at, { ...callOptions, timestamps: Timestamps.make() }))

  /** Any node that has the message settles it; only the node that was asked to take it can say that it is not there. */
  const settleMessage = (chat: Chat.Chat) =>
    Effect.fnUntraced(function*(id: string): Effect.fn.Return<Settled<Sent>> {
      let isAbsent = false
      for (const at of [reads, ...alternates]) {
        const found = yield* Effect.result(at.message(chat, id as Ids.MessageId))
        if (found._tag === "Success") {
          const { chat_id, hlc, msg_id } = found.success
          return Option.some({ msg_id, chat_id, hlc, committed: false })
        }
        if (at === reads) isAbsent = found.failure._tag === "NotFound"
      }
      return isAbsent ? "absent" : Option.none()
    })

  const send: NodeClient["send"] = (chat, message, options) => {
    const payload: NewMessage = typeof message === "string" ? { content: message } : message
    const headers = prefer(options)
    const chatId = Chat.idOf(chat, self)
    const id = (ts: number) =>
      Ids.messageId(hashes, {
        chatId,
        sender: self,
        ts,
        msgType: payload.msg_type ?? 0,
        content: payload.content,
        control: payload.control
      })
    return call(
      connection,
      callOptions,
      taken(
        chat.kind === "dm"
          ? api.dialogs.send({ params: { peer: chat.peer }, headers, payload, ...both })
          : api.groups.send({ params: { chat_id: chat.chatId }, headers, payload, ...both })
      ),
      { intent: { kind: "message", id }, settle: settleMessage(chat) },
      waitMs(options)
    )
  }

  const markRead: NodeClient["markRead"] = (chat, upTo, options) => {
    const headers = prefer(options)
    const payload = { up_to: upTo }
    const chatId = Chat.idOf(chat, self)
    const id = (ts: number) => Ids.readId(hashes, { chatId, reader: self, ts, upTo })
    return call(
      connection,
      callOptions,
      taken(
        chat.kind === "dm"
          ? api.dialogs.read({ params: { peer: chat.peer }, headers, payload, ...both })
          : api.groups.read({ params: { chat_id: chat.chatId }, headers, payload, ...both })
      ),
      { intent: { kind: "read", id }, isState: true },
      waitMs(options)
    )
  }

  const opIntent = (chatId: Ids.ChatId, op: NewOp): Signing.Intent => ({
    kind: "op",
    id: (ts, node) =>
      Ids.opId(hashes, {
        chatId,
        actor: self,
        ts,
        node,
        op: op.op === "set-title" ? opTypes.setTitle : opTypes[op.op],
        role: roles[op.role ?? "member"],
        targets: op.targets ?? [],
        title: op.title,
        nonce: op.nonce
      })
  })

  const writeOp = (chatId: Ids.ChatId, payload: NewOp, options: WriteOptions | undefined) =>
    call(
      connection,
      callOptions,
      Effect.map(
        taken(api.groups.op({ params: { chat_id: chatId }, headers: prefer(options), payload, ...both })),
        (answer): OpTaken => ({ ...answer, chat_id: chatId })
      ),
      { intent: opIntent(chatId, payload) },
      waitMs(options)
    )

  const create: NodeClient["groups"]["create"] = Effect.fnUntraced(function*(targets, options) {
    const nonce = options?.nonce ?? Bytes.toHex(yield* entropy.bytes(16)) as Ids.Nonce
    const chatId = Ids.groupChatId(hashes, self, nonce)
    return yield* writeOp(chatId, {
      op: "create",
      targets: sorted(targets).filter((target) => target !== self),
      ...Reads.defined({ title: options?.title }),
      nonce
    }, options)
  })

  const leave: NodeClient["groups"]["leave"] = (chatId, options) =>
    call(
      connection,
      callOptions,
      Effect.map(
        taken(api.groups.leave({ params: { chat_id: chatId }, headers: prefer(options), ...both })),
        (answer): OpTaken => ({ ...answer, chat_id: chatId })
      ),
      { intent: opIntent(chatId, { op: "remove", targets: [self] }) },
      waitMs(options)
    )

  const setIdentity: NodeClient["identity"]["set"] = (identity, options) =>
    call(
      connection,
      callOptions,
      taken(api.setIdentity({ headers: prefer(options), payload: { identity }, ...both })),
      {
        intent: { kind: "identity", id: (ts) => Ids.identityId(hashes, { address: self, ts, blob: identity }) },
        isState: true
      },
      waitMs(options)
    )

  return {
    address: self,
    node: connection.info,
    clockOffsetMs: timestamps.offsetMs,
    ...reads,
    send,
    markRead,
    events: (query = {}) => {
      const elsewhere = Effect.forEach(
        query.nodes ?? options.alternates ?? [],
        (url) =>
          Effect.map(connect(url), (connection): EventNode => ({
            connection,
            // its clock may differ
            options: { ...callOptions, timestamps: Timestamps.make() }
          }))
      )
      return Events.make({ connection, options: callOptions }, elsewhere, query)
    },
    groups: {
      create,
      add: (chatId, targets, options) =>
        writeOp(chatId, { op: "add", targets: sorted(targets), ...Reads.defined({ role: options?.role }) }, options),
      remove: (chatId, targets, options) => writeOp(chatId, { op: "remove", targets: sorted(targets) }, options),
      setTitle: (chatId, title, options) => writeOp(chatId, { op: "set-title", title }, options),
      leave,
      members: (chatId) => reading(api.groups.members({ params: { chat_id: chatId } }))
    },
    identity: {
      get: (address) => reading(api.identity({ params: { address } })),
      set: setIdentity
    }
  }
})
