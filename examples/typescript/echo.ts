/**
 * A program that answers: who writes `/echo TEXT` to it, or to a group that it is in, gets TEXT back.
 *
 *     node echo.ts KEYFILE URL [URL…]
 *
 * It answers at the first node. While that is gone it listens at another one, and keeps its answers. What it has answered it
 * marks as read: so a start begins with what is unread, wherever the program ended, and answers twice what it did not get
 * to mark.
 */
import { Console, Effect, Layer, Schedule, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { readFileSync } from "node:fs"
import { Chat, Entropy, type Message, NodeClient, Signer, type WriteError } from "p2p-mes/client"

const [keyFile = "p2p-mes.key", url = "http://127.0.0.1:4280", ...alternates] = process.argv.slice(2)
/** An answer is shorter than its question, so two such programs come to an end. */
const command = "/echo "

/** Tried until the node is back, for nothing was written. What else fails, `OutcomeUnknown` above all, ends the program. */
const whenBack = <A>(write: Effect.Effect<A, WriteError>) =>
  Effect.retry(write, { while: ({ _tag }) => _tag === "NodeUnreachable", schedule: Schedule.spaced("2 seconds") })

const program = Effect.gen(function*() {
  const signer = yield* Effect.fromResult(Signer.fromPrivateKey(readFileSync(keyFile, "utf8")))
  const client = yield* NodeClient.make({ url, alternates, signer })

  const answer = Effect.fnUntraced(function*(chat: Chat.Chat, { content, hlc, msg_type, sender }: Message) {
    if (sender === client.address) return
    // clients may agree on other types; 0 is text
    if (msg_type === 0 && content.startsWith(command)) {
      yield* whenBack(client.send(chat, content.slice(command.length), { wait: 5 }))
    }
    yield* whenBack(client.markRead(chat, hlc))
  }, Effect.catchTags({ Forbidden: Console.error, NotFound: Console.error })) // removed from the group meanwhile

  const unread = client.conversationsAll().pipe(
    Stream.filter((each) => each.unread > 0),
    Stream.flatMap(({ chat_id, peer, unread }) => {
      const chat = peer === undefined ? Chat.group(chat_id) : Chat.dm(peer)
      return client.historyAll(chat).pipe(
        Stream.filter((message) => message.sender !== client.address),
        Stream.take(unread),
        Stream.map((message) => ({ chat, message }))
      )
    }),
    Stream.runCollect
  )

  let before: ReadonlySet<string> | undefined
  yield* client.events().pipe(
    Stream.runForEach(Effect.fnUntraced(function*(event) {
      if (event.type === "connection") {
        yield* Console.error(event.state, event.url, event.error ?? "")
        if (event.state === "lost" || before !== undefined) return
        // events come from here on: what is older and unread has to be fetched, once
        const found = yield* unread
        before = new Set(found.map(({ message }) => message.msg_id))
        for (const { chat, message } of found.toReversed()) yield* answer(chat, message)
      } else if (event.type === "message" && before?.has(event.message.msg_id) !== true) {
        yield* answer(event.chat, event.message)
      }
    }))
  )
})

await Effect.runPromise(Effect.provide(program, Layer.mergeAll(FetchHttpClient.layer, Entropy.layer)))
