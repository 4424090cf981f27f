/**
 * The messages of a conversation. What is looked at stays where it is: at the end new ones come into view, further up nothing
 * moves while older ones are read or late ones find their place.
 */
import { useSignal } from "@preact/signals"
import { useEffect, useLayoutEffect, useRef } from "preact/hooks"
import { retentionMs } from "../../domain/limits.ts"
import * as Messages from "../messages.ts"
import type { Session } from "../session.ts"
import * as Outgoings from "../state-outgoing.ts"
import type { Conversation, Message, State } from "../state.ts"
import { dayName } from "../times.ts"
import { MessageItem, OutgoingItem } from "./bubble.tsx"
import { nameOf } from "./person.tsx"

/** So near to the end counts as at the end, px. */
const endPx = 80
/** So near to the beginning, older messages are asked for, px. */
const beginPx = 400
const retentionDays = retentionMs / 86_400_000

/** The element that the view holds on to, and where it stood. */
interface Anchor {
  readonly element: HTMLElement
  readonly top: number
}

const firstInView = (scroller: HTMLElement): Anchor | undefined => {
  const { top } = scroller.getBoundingClientRect()
  for (const element of scroller.querySelectorAll<HTMLElement>("li[data-id]")) {
    const box = element.getBoundingClientRect()
    if (box.bottom > top) return { element, top: box.top - top }
  }
  return undefined
}

const isAtEnd = ({ clientHeight, scrollHeight, scrollTop }: HTMLElement): boolean =>
  scrollHeight - scrollTop - clientHeight < endPx

/** What is before the first message. */
const Beginning = ({ conversation, session }: { readonly conversation: Conversation; readonly session: Session }) => {
  const { chatId, messages, older } = conversation
  const problems = session.problems.value
  const problem = problems.get(`history ${chatId}`) ?? problems.get(`older ${chatId}`)
  if (problem !== undefined) {
    return (
      <div class="note bad">
        <p>Messages could not be read. {problem}</p>
        <button type="button" onClick={() => older === undefined ? session.retry() : session.older(chatId)}>
          Try again
        </button>
      </div>
    )
  }
  if (older !== null) return <p class="soft beginning" role="status">Reading messages…</p>
  return (
    <p class="soft small beginning">
      {messages.length === 0 ? "No messages yet." : "These are all messages."} Nodes keep them for {retentionDays} days.
    </p>
  )
}

export const MessagesView = ({ conversation, session }: {
  readonly conversation: Conversation
  readonly session: Session
}) => {
  const { chatId, isLive, messages, newest, older } = conversation
  const state: State = session.state.value
  const outgoing = Outgoings.shown(conversation)
  const scroller = useRef<HTMLDivElement>(null)
  const follows = useRef(true)
  const anchor = useRef<Anchor>(undefined)
  const isAway = useSignal(false)
  const heard = useSignal("")
  /** Unread messages when the conversation was opened, and the first of them once it is known. */
  const unread = useRef(conversation.unread)
  const line = useRef<Message["msg_id"]>(undefined)
  if (line.current === undefined && unread.current > 0 && older !== undefined) {
    line.current = Messages.firstUnread(messages, unread.current, state.self)
  }

  const look = () => {
    const { current } = scroller
    if (current === null) return
    follows.current = isAtEnd(current)
    isAway.value = !follows.current || !isLive
    anchor.current = firstInView(current)
    if (current.scrollTop < beginPx && typeof older === "string") void session.older(chatId)
  }
  const markSeen = () => {
    if (follows.current && isLive && newest !== undefined && document.hasFocus() && !document.hidden) {
      session.seen(chatId, newest.hlc)
    }
  }

  const ownCount = useRef(outgoing.length)
  useLayoutEffect(() => {
    const { current } = scroller
    if (current === null) return
    if (outgoing.length > ownCount.current) follows.current = true
    ownCount.current = outgoing.length
    const held = anchor.current
    if (follows.current && isLive) current.scrollTop = current.scrollHeight
    else if (held?.element.isConnected === true) {
      current.scrollTop += held.element.getBoundingClientRect().top - current.getBoundingClientRect().top - held.top
    }
    look()
    // after each drawing: a name that came to be known moves what is below it, too
  })

  useEffect(markSeen, [messages, newest, isLive])
  const latest = useRef({ look, markSeen })
  latest.current = { look, markSeen }
  useEffect(() => {
    const { current } = scroller
    const again = () => {
      latest.current.look()
      latest.current.markSeen()
    }
    const sized = new ResizeObserver(() => {
      if (follows.current && current !== null) current.scrollTop = current.scrollHeight
    })
    if (current !== null) sized.observe(current)
    addEventListener("focus", again)
    document.addEventListener("visibilitychange", again)
    return () => {
      sized.disconnect()
      removeEventListener("focus", again)
      document.removeEventListener("visibilitychange", again)
    }
  }, [])

  // what arrives while somebody listens is read out, older pages are not
  const lastHeard = useRef(newest?.msg_id)
  useEffect(() => {
    if (newest === undefined || newest.msg_id === lastHeard.current) return
    lastHeard.current = newest.msg_id
    if (newest.sender !== state.self && Messages.isPlain(newest)) {
      heard.value = `${nameOf(state, newest.sender)}: ${newest.content.slice(0, 300)}`
    }
  }, [newest])

  const toEnd = () => {
    follows.current = true
    if (isLive) scroller.current!.scrollTop = scroller.current!.scrollHeight
    else session.toNewest(chatId)
    look()
    markSeen()
  }

  const seenId = messages.findLast(({ hlc, sender }) => sender === state.self && hlc <= conversation.seenUpTo)?.msg_id
  return (
    <div class="messages-frame">
      <div
        class="messages"
        ref={scroller}
        role="log"
        aria-label="Messages"
        aria-live="off"
        tabIndex={0}
        onScroll={() => {
          look()
          markSeen()
        }}
      >
        <Beginning conversation={conversation} session={session} />
        <ol>
          {/* one flat list: an element stays that of its message when others come before it */}
          {messages.flatMap((message, at) => {
            const { isFirst, isNewDay } = Messages.placed(message, messages[at - 1])
            return [
              isNewDay && (
                <li class="day" key={`day ${message.msg_id}`}>
                  <h2>{dayName(Messages.timeOf(message), Date.now())}</h2>
                </li>
              ),
              message.msg_id === line.current && (
                <li class="unread-line" key="unread">
                  <span>New</span>
                </li>
              ),
              <MessageItem
                key={message.msg_id}
                message={message}
                isFirst={isFirst}
                isGroup={conversation.chat.kind === "group"}
                isOwn={message.sender === state.self}
                isSeen={message.msg_id === seenId}
                name={state.names.get(message.sender) ?? undefined}
              />
            ]
          })}
          {outgoing.map((each) => (
            <OutgoingItem key={`out ${each.key}`} chatId={chatId} outgoing={each} sending={session.outgoing} />
          ))}
        </ol>
      </div>
      {isAway.value && (
        <button type="button" class="to-end" onClick={toEnd}>
          {conversation.unread > 0 ? `${conversation.unread} new ↓` : "To the newest ↓"}
        </button>
      )}
      <p class="heard" role="status">{heard.value}</p>
    </div>
  )
}
