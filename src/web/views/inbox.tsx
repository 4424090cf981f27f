/** The list of conversations, with what is new in each. */
import { useSignal } from "@preact/signals"
import { physicalMs } from "../../domain/hlc.ts"
import { isPlain } from "../messages.ts"
import * as Route from "../route.ts"
import type { Session } from "../session.ts"
import type { Conversation, State } from "../state.ts"
import { listed } from "../state.ts"
import { shortTime } from "../times.ts"
import { ConnectionBadge } from "./connection.tsx"
import { Icon } from "./icons.tsx"
import { NewConversation } from "./new.tsx"
import { ChatMark, Copy, Mark, nameOf, short, titleOf } from "./person.tsx"

const countOf = ({ isCapped, unread }: Conversation): string => isCapped ? `${unread}+` : String(unread)

const unsentWords = { sending: "Sending", waiting: "Waits", unknown: "Not certain", refused: "Not sent" } as const

/** The newest message in one line. */
const Snippet = ({ conversation, state }: { readonly conversation: Conversation; readonly state: State }) => {
  const { chat, newest, outgoing } = conversation
  const unsent = outgoing.at(-1)
  if (unsent !== undefined) {
    return <>{unsentWords[unsent.state]}: {unsent.content.slice(0, 120)}</>
  }
  if (newest === undefined) return <>No messages yet</>
  const who = newest.sender === state.self ? "You: " : chat.kind === "group" ? `${nameOf(state, newest.sender)}: ` : ""
  return <>{who}{isPlain(newest) ? newest.content.slice(0, 120) : "A message of another kind"}</>
}

const Item = ({ conversation, isOpen, state }: {
  readonly conversation: Conversation
  readonly isOpen: boolean
  readonly state: State
}) => {
  const { chat, newest, unread } = conversation
  return (
    <li>
      <a class="item" href={Route.hrefOf(chat)} aria-current={isOpen ? "page" : undefined}>
        <ChatMark chat={chat} />
        <span class="item-main">
          <span class="item-head">
            <bdi class="item-title">{titleOf(state, conversation)}</bdi>
            {chat.kind === "dm" && typeof state.names.get(chat.peer) === "string" && (
              <span class="item-address mono soft">{short(chat.peer)}</span>
            )}
            {newest !== undefined && (
              <time class="item-time soft" dateTime={new Date(physicalMs(newest.hlc)).toISOString()}>
                {shortTime(physicalMs(newest.hlc), Date.now())}
              </time>
            )}
          </span>
          <span class="item-foot">
            <span class="item-snippet soft">
              <Snippet conversation={conversation} state={state} />
            </span>
            {unread > 0 && (
              <span class="count">
                {countOf(conversation)}
                <span class="heard">unread</span>
              </span>
            )}
          </span>
        </span>
      </a>
    </li>
  )
}

/** The hash says what is open, so this link goes to no anchor. */
const skip = (event: Event) => {
  event.preventDefault()
  document.querySelector<HTMLElement>("#main")?.focus()
}

export const InboxView = ({ lock, session }: { readonly session: Session; readonly lock: () => void }) => {
  const isNew = useSignal(false)
  const state = session.state.value
  const conversations = listed(state)
  const problem = session.problems.value.get("inbox")
  const isLoaded = state.inboxNext !== undefined
  return (
    <div class="pane inbox">
      <header class="inbox-head">
        {Route.route.value.at === "inbox" && <h1 class="heard">Your conversations</h1>}
        <a class="skip" href={location.hash} onClick={skip}>Skip to what is open</a>
        <a class="me" href={Route.settingsHref} title={`You are 0x${state.self}`}>
          <Mark id={state.self} size={36} />
          <span class="me-text">
            <bdi class="me-name">{state.names.get(state.self) ?? "You"}</bdi>
            <span class="mono soft small">{short(state.self)}</span>
          </span>
          <span class="heard">Settings</span>
        </a>
        <button type="button" class="quiet icon" title="Lock" onClick={lock}>
          <Icon name="lock" />
          <span class="heard">Lock</span>
        </button>
        <button type="button" class="primary" onClick={() => isNew.value = true}>
          <Icon name="plus" />
          New
        </button>
      </header>
      <nav class="inbox-list" aria-label="Conversations">
        {problem !== undefined && (
          <div class="note bad">
            <p>Your conversations could not be read. {problem}</p>
            <button type="button" onClick={session.retry}>Try again</button>
          </div>
        )}
        {!isLoaded && problem === undefined && <p class="soft note-plain" role="status">Reading your conversations…</p>}
        {isLoaded && conversations.length === 0 && (
          <div class="note-plain">
            <p>
              <strong>No conversations yet</strong>
            </p>
            <p class="soft">Begin one with somebody's address, or give yours to others.</p>
            <Copy isWide label="Copy address" text={`0x${state.self}`} />
          </div>
        )}
        <ul>
          {conversations.map((each) => (
            <Item key={each.chatId} conversation={each} isOpen={each.chatId === state.shown} state={state} />
          ))}
        </ul>
        {typeof state.inboxNext === "string" && (
          <button
            type="button"
            class="quiet more"
            onClick={() => session.moreConversations()}
          >
            Show more conversations
          </button>
        )}
      </nav>
      <footer class="inbox-foot">
        <ConnectionBadge connection={state.connection} own={session.urls[0]!} />
      </footer>
      {isNew.value && <NewConversation session={session} onClose={() => isNew.value = false} />}
    </div>
  )
}
