/**
 * Names to small integers and back: users, nodes and chats appear in every message, and a number is 1 to 3 bytes.
 *
 * Rules:
 * 1. Entries are never changed, and a number is never given again, so what a number stands for can be remembered. Chats
 *    that nothing is left of are removed, and may come again under another number: only the writer, who knows, remembers
 *    the numbers of chats.
 * 2. After a rollback `forget` must be called, since numbers that the cache holds may not be stored.
 */
import type { DatabaseSync, SQLInputValue } from "node:sqlite"
import * as Bytes from "../../domain/bytes.ts"
import type { Address, ChatId, NodeId } from "../../domain/ids.ts"
import { DamagedRow } from "./errors.ts"

/** Names remembered a generation. */
const generationMax = 32_768

/**
 * What was looked up of late. What has not been asked for since the last generation began goes when the next one does: in a
 * cache that starts from nothing when it is full, all who are active are looked up anew at once.
 */
class Lately<K, A> {
  #young = new Map<K, A>()
  #old = new Map<K, A>()

  get(name: K): A | undefined {
    const young = this.#young.get(name)
    if (young !== undefined) return young
    const old = this.#old.get(name)
    return old === undefined ? undefined : this.set(name, old)
  }

  set(name: K, value: A): A {
    if (this.#young.size >= generationMax) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(name, value)
    return value
  }

  delete(name: K): void {
    this.#young.delete(name)
    this.#old.delete(name)
  }

  clear(): void {
    this.#young.clear()
    this.#old.clear()
  }
}

/** A chat: the numbers of its parties when it is a direct conversation. */
export interface Chat {
  readonly num: number
  readonly a: number | undefined
  readonly b: number | undefined
}

/** A chat by its names. */
export interface ChatNames {
  readonly id: ChatId
  readonly a: Address | undefined
  readonly b: Address | undefined
}

/** Dictionaries of one connection. `find*` gives `undefined` for a name not stored. */
export class Dictionary {
  readonly #users = new Lately<string, number>()
  readonly #nodes = new Lately<string, number>()
  readonly #chats = new Lately<string, Chat>()
  readonly #userNames = new Lately<number, Address>()
  readonly #nodeNames = new Lately<number, NodeId>()
  readonly #chatNames = new Lately<number, ChatNames>()
  readonly #db: DatabaseSync
  readonly #statements = new Map<string, ReturnType<DatabaseSync["prepare"]>>()

  readonly #role: "reader" | "writer"
  /** The highest number given to a chat; the writer sets it before a transaction and keeps it after. */
  chatTop = 0

  constructor(db: DatabaseSync, role: "reader" | "writer" = "reader") {
    this.#db = db
    this.#role = role
  }

  forget(): void {
    this.#users.clear()
    this.#nodes.clear()
    this.#chats.clear()
    this.#userNames.clear()
    this.#nodeNames.clear()
    this.#chatNames.clear()
  }

  #prepare(sql: string) {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const statement = this.#db.prepare(sql)
    // else a damaged number above 2^53 would end the reading of everything, repair too, by an error of its own
    statement.setReadBigInts(true)
    this.#statements.set(sql, statement)
    return statement
  }

  #insert(sql: string, ...values: ReadonlyArray<SQLInputValue>): number {
    return Number(this.#prepare(sql).run(...values).lastInsertRowid)
  }

  findUser(address: Address): number | undefined {
    const known = this.#users.get(address)
    if (known !== undefined) return known
    const row = this.#prepare("SELECT num FROM users WHERE address = ?").get(Bytes.fromHex(address))
    return row === undefined ? undefined : this.#users.set(address, Number(row["num"]))
  }

  user(address: Address): number {
    return this.findUser(address) ??
      this.#users.set(address, this.#insert("INSERT INTO users (address) VALUES (?)", Bytes.fromHex(address)))
  }

  node(node: string): number {
    const known = this.#nodes.get(node)
    if (known !== undefined) return known
    const row = this.#prepare("SELECT num FROM nodes WHERE node = ?").get(node)
    const num = row === undefined ? this.#insert("INSERT INTO nodes (node) VALUES (?)", node) : Number(row["num"])
    return this.#nodes.set(node, num)
  }

  findChat(chatId: ChatId): Chat | undefined {
    const known = this.#chats.get(chatId)
    if (known !== undefined) return known
    const row = this.#prepare("SELECT num, a, b FROM chats WHERE id = ?").get(Bytes.fromHex(chatId))
    if (row === undefined) return undefined
    const party = (value: unknown) => value === null ? undefined : Number(value)
    const chat = { num: Number(row["num"]), a: party(row["a"]), b: party(row["b"]) }
    return this.#role === "writer" ? this.#chats.set(chatId, chat) : chat
  }

  /** Throws {@link DamagedRow} when there is no such user; so do the next two. */
  userName(num: number): Address {
    const known = this.#userNames.get(num)
    if (known !== undefined) return known
    const address = this.#prepare("SELECT address FROM users WHERE num = ?").get(num)?.["address"]
    if (!(address instanceof Uint8Array))
      throw new DamagedRow(`a row names user number ${num}, who is not there: run verify`)
    return this.#userNames.set(num, Bytes.toHex(address) as Address)
  }

  nodeName(num: number): NodeId {
    const known = this.#nodeNames.get(num)
    if (known !== undefined) return known
    const node = this.#prepare("SELECT node FROM nodes WHERE num = ?").get(num)?.["node"]
    if (typeof node !== "string") throw new DamagedRow(`a row names node number ${num}, which is not there: run verify`)
    return this.#nodeNames.set(num, node as NodeId)
  }

  chatName(num: number): ChatNames {
    const known = this.#chatNames.get(num)
    if (known !== undefined) return known
    const row = this.#prepare("SELECT id, a, b FROM chats WHERE num = ?").get(num)
    const id = row?.["id"]
    if (!(id instanceof Uint8Array))
      throw new DamagedRow(`a row names chat number ${num}, which is not there: run verify`)
    const party = (value: unknown) => value === null ? undefined : this.userName(Number(value))
    return this.#chatNames.set(num, {
      id: Bytes.toHex(id) as ChatId,
      a: party(row?.["a"]),
      b: party(row?.["b"])
    })
  }

  /**
   * The chat of a record by `author`, to `peer` when it is a direct conversation. A new direct conversation becomes one
   * of both parties' chats. Throws when the parties are not those of the chat: such a record has no valid id.
   */
  chat(chatId: ChatId, author: Address, peer: Address | undefined): Chat {
    const found = this.findChat(chatId)
    const [first, second] = peer === undefined ? [] : author < peer ? [author, peer] : [peer, author]
    const a = first === undefined ? undefined : this.user(first)
    const b = second === undefined ? undefined : this.user(second)
    if (found !== undefined) {
      if (found.a !== a || found.b !== b)
        throw new Error(`chat ${chatId}: a record names other parties than its chat has`)
      return found
    }
    const num = this.#insert(
      "INSERT INTO chats (num, id, a, b) VALUES (?, ?, ?, ?)",
      ++this.chatTop,
      Bytes.fromHex(chatId),
      a ?? null,
      b ?? null
    )
    if (a !== undefined && b !== undefined) {
      this.link(a, num)
      this.link(b, num)
    }
    return this.#chats.set(chatId, { num, a, b })
  }

  /** Nothing of this chat is stored any more. */
  dropChat(chatId: ChatId, num: number): void {
    this.#chats.delete(chatId)
    this.#chatNames.delete(num)
  }

  /** Makes `chat` one of the chats of `user`. */
  link(user: number, chat: number): void {
    this.#prepare("INSERT INTO user_chats (user, chat) VALUES (?, ?) ON CONFLICT DO NOTHING").run(user, chat)
  }
}
