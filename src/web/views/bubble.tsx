/** One message. Its text is shown as text, whatever it says; only addresses of pages become links. */
import { useSignal } from "@preact/signals"
import type { Address, ChatId } from "../../domain/ids.ts"
import { segments } from "../links.ts"
import { isPlain, timeOf } from "../messages.ts"
import type { Sending } from "../sending.ts"
import type { Message, Outgoing } from "../state.ts"
import { clockTime, exactTime } from "../times.ts"
import { kept } from "./kept.ts"
import { Mark, short } from "./person.tsx"

const Text = ({ text }: { readonly text: string }) => (
  <p class="text" dir="auto">
    {segments(text).map(({ href, text }) =>
      href === undefined ? text : <a href={href} target="_blank" rel="noopener noreferrer">{text}</a>
    )}
  </p>
)

const Sender = ({ address, name }: { readonly address: Address; readonly name: string | undefined }) => (
  <p class="sender small">
    {name !== undefined && <bdi class="sender-name">{name}</bdi>}
    <span class="mono soft" title={`0x${address}`}>{short(address)}</span>
  </p>
)

interface MessageItemProps {
  readonly message: Message
  /** The first of some by one sender. */
  readonly isFirst: boolean
  readonly isGroup: boolean
  readonly isOwn: boolean
  readonly isSeen: boolean
  readonly name: string | undefined
}

export const MessageItem = kept(({ isFirst, isGroup, isOwn, isSeen, message, name }: MessageItemProps) => {
  const ms = timeOf(message)
  return (
    <li class={`message${isOwn ? " is-own" : ""}${isFirst ? " is-first" : ""}`} data-id={message.msg_id}>
      {isGroup && !isOwn && <span class="message-mark">{isFirst && <Mark id={message.sender} size={28} />}</span>}
      <div class="bubble">
        {isGroup && !isOwn && isFirst && <Sender address={message.sender} name={name} />}
        <span class="heard">{isOwn ? "You:" : `${name ?? short(message.sender)}:`}</span>
        {isPlain(message)
          ? <Text text={message.content} />
          : <p class="text soft">A message of a kind that this page does not show.</p>}
        <p class="meta small">
          {isSeen && <span>Seen</span>}
          <time dateTime={new Date(ms).toISOString()} title={exactTime(ms)}>{clockTime(ms)}</time>
        </p>
      </div>
    </li>
  )
})

const askMs = 4_000

export const OutgoingItem = ({ chatId, outgoing, sending }: {
  readonly chatId: ChatId
  readonly outgoing: Outgoing
  readonly sending: Sending
}) => {
  const { content, problem, state } = outgoing
  const isAsking = useSignal(false)
  const again = () => {
    isAsking.value = true
    setTimeout(() => isAsking.value = false, askMs)
    sending.again(chatId, outgoing)
  }
  return (
    <li class={`message is-own is-first is-${state}`}>
      <div class="bubble">
        <span class="heard">You:</span>
        <Text text={content} />
        {state === "sending" && <p class="meta small" role="status">Sending…</p>}
        {state === "waiting" && <p class="meta small" role="status">Waits for a node</p>}
      </div>
      {(state === "unknown" || state === "refused") && (
        <div class="undone" role="alert">
          <p class="small">
            {state === "refused"
              ? `Not sent. ${problem ?? ""}`
              : "The node was gone before it said whether it took this. It is asked again when it is back, and gets it if it "
                + "has not. If you send it anyway, it may come twice."}
          </p>
          <div class="buttons is-small">
            <button type="button" disabled={isAsking.value} onClick={again}>
              {state === "refused" ? "Try again" : isAsking.value ? "Asking…" : "Ask again"}
            </button>
            {state === "unknown" && (
              <button
                type="button"
                onClick={() => sending.anew(chatId, outgoing)}
              >
                Send anyway
              </button>
            )}
            <button type="button" class="quiet" onClick={() => sending.discard(chatId, outgoing)}>Discard</button>
          </div>
        </div>
      )}
      {state === "waiting" && (
        <div class="undone">
          <div class="buttons is-small">
            <button type="button" onClick={again} disabled={isAsking.value}>Try now</button>
            <button type="button" class="quiet" onClick={() => sending.discard(chatId, outgoing)}>Discard</button>
          </div>
        </div>
      )}
    </li>
  )
}
