/**
 * An inbox as a handler written by hand would answer it: the SQL that a node runs, on one connection to the node's own file,
 * objects made of its rows, `JSON.stringify`. It waits for no writer, folds no group and sends nothing between threads.
 */
import { DatabaseSync } from "node:sqlite"
import * as Bytes from "../../src/domain/bytes.ts"
import type { Hashes } from "../../src/domain/hashing.ts"
import * as Hlc from "../../src/domain/hlc.ts"
import type { Address, MessageId } from "../../src/domain/ids.ts"
import * as Limits from "../../src/domain/limits.ts"
import * as Retention from "../../src/domain/retention.ts"
import { unreadScanMax } from "../../src/domain/unread.ts"
import { settings } from "../../src/layers/store/database.ts"
import { makeReads } from "../../src/layers/store/reads.ts"

export const bareInbox = (path: string, hashes: Hashes): (user: Address) => Buffer => {
  const db = new DatabaseSync(path, { readOnly: true })
  for (const setting of settings({ path, write: false })) db.exec(`PRAGMA ${setting}`)
  const reads = makeReads(db, hashes, path)
  return (user) => {
    const floor = Retention.firstKept(Retention.cutoffMs(Date.now()))
    const heads = reads.heads({ user, floor, after: undefined, limit: Limits.pageDefault + 1 })
    const page = heads.slice(0, Limits.pageDefault)
    const newest = reads.messages(page.map((head) => head.newest!.position.id))
    const unread = reads.unread(page.map(({ chatId, upTo }) => ({
      chatId,
      above: upTo ?? Hlc.zero,
      floor,
      reader: user,
      limit: unreadScanMax
    })))
    const byId = new Map<MessageId, (typeof newest)[number]>(newest.map((message) => [message.id, message]))
    const last = page.at(-1)!
    return Buffer.from(JSON.stringify({
      conversations: page.map((head, i) => {
        const message = byId.get(head.newest!.position.id)!
        return {
          kind: head.kind,
          chat_id: `0x${head.chatId}`,
          peer: `0x${head.peer}`,
          newest: {
            msg_id: `0x${message.id}`,
            chat_id: `0x${message.chatId}`,
            sender: `0x${message.sender}`,
            ts: message.ts,
            hlc: Hlc.toText(message.hlc),
            msg_type: message.msgType,
            content: message.content,
            control: message.control === undefined ? undefined : Bytes.toBase64(message.control)
          },
          unread: unread[i]!.reduce((sum, { count }) => sum + count, 0)
        }
      }),
      next: heads.length > page.length ? `${Hlc.toText(last.latest)}${last.chatId}` : null
    }))
  }
}
