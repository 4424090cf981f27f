/**
 * A live conversation on a page of your own: `index.html?node=http://127.0.0.1:4280&with=ADDRESS`.
 *
 *     npx esbuild page.ts --bundle --minify --format=esm --outfile=page.js
 *
 * The browser makes a key on the first visit and keeps it as it is: whoever can run a script on this origin, or use this
 * browser, has it. That will do for a demonstration; p2p-mes has a page of its own that encrypts its keys.
 */
import { Effect, Layer, Schedule, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { Chat, Entropy, type Message, NodeClient, Signer } from "p2p-mes/client"

const find = <E extends HTMLElement>(selector: string): E => document.querySelector<E>(selector)!
const query = new URLSearchParams(location.search)
const key = localStorage.getItem("key") ?? crypto.getRandomValues(new Uint8Array(32)).toHex()
localStorage.setItem("key", key)

/** The order of a conversation is that of stamps, not of arrival: what comes late is put in its place. */
const inOrder = (a: Message, b: Message): number => a.hlc < b.hlc || (a.hlc === b.hlc && a.msg_id < b.msg_id) ? -1 : 1
const shown = new Map<string, Message>()
const show = (messages: ReadonlyArray<Message>): void => {
  for (const message of messages) shown.set(message.msg_id, message)
  find("#messages").replaceChildren(
    ...[...shown.values()].sort(inOrder).map(({ content, hlc, sender }) => {
      const item = document.createElement("li")
      const time = new Date(Chat.timeOf(hlc)).toLocaleTimeString()
      item.textContent = `${time} ${Chat.show(sender).slice(0, 8)}: ${content}` // never as HTML: it is from others
      return item
    })
  )
}
const tell = (selector: "#state" | "#problem", text: string) => Effect.sync(() => find(selector).textContent = text)

/** A node that just opened its stream may be gone again: what was to be read is read when it is back. */
const untilReached = {
  schedule: Schedule.spaced("1 second"),
  while: ({ _tag }: { readonly _tag: string }) => _tag === "NodeUnreachable"
}

const program = Effect.gen(function*() {
  const chat = yield* Effect.fromResult(Chat.parse(query.get("with") ?? ""))
  const signer = yield* Effect.fromResult(Signer.fromPrivateKey(key))
  const client = yield* NodeClient.make({ url: query.get("node") ?? location.origin, signer })
  find("#self").textContent = Chat.show(client.address)

  find("#write").addEventListener("submit", (event) => {
    event.preventDefault()
    const input = find<HTMLInputElement>("#write input")
    const text = input.value
    input.value = ""
    Effect.runFork(
      client.send(chat, text).pipe(
        Effect.andThen(tell("#problem", "")),
        // it may have been taken: who sends it again may send it twice
        Effect.catchTag("OutcomeUnknown", () => tell("#problem", `Not known whether it was sent: ${text}`)),
        // a text that no node took goes back to where it was
        Effect.catch((error) => {
          input.value = text
          return tell("#problem", error.message)
        })
      )
    )
  })

  yield* client.events().pipe(
    Stream.runForEach(Effect.fnUntraced(function*(event) {
      if (event.type === "message" && Chat.idOf(event.chat, client.address) === Chat.idOf(chat, client.address)) {
        show([event.message])
      } else if (event.type === "connection") {
        yield* tell(
          "#state",
          event.state === "open" ? `connected to ${event.url}` : `no connection: ${event.error ?? ""}`
        )
      }
      // what there was before events began, and what may have been missed
      if (event.type === "reset" || (event.type === "connection" && event.state === "open" && shown.size === 0)) {
        show((yield* Effect.retry(client.history(chat), untilReached)).messages)
      }
    }))
  )
}).pipe(
  Effect.catch((error) => tell("#problem", typeof error === "string" ? error : error.message)),
  Effect.provide(Layer.mergeAll(FetchHttpClient.layer, Entropy.layer))
)

await Effect.runPromise(program)
