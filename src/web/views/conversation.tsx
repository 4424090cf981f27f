/** One conversation: who it is with, its messages, and a place to write. */
import { useSignal } from "@preact/signals"
import { useEffect } from "preact/hooks"
import { show } from "../../client/Chat.ts"
import type { ChatId } from "../../domain/ids.ts"
import * as Route from "../route.ts"
import type { Session } from "../session.ts"
import type { Conversation, State } from "../state.ts"
import { Composer } from "./composer.tsx"
import { GroupDetails } from "./group.tsx"
import { Icon } from "./icons.tsx"
import { MessagesView } from "./messages.tsx"
import { ChatMark, Copy, short, titleOf } from "./person.tsx"

/** What stands below the title: what tells the conversation from one of the same name. */
const Below = ({ conversation, state }: { readonly conversation: Conversation; readonly state: State }) => {
  const { chat, isOver, members } = conversation
  if (chat.kind === "dm") {
    return typeof state.names.get(chat.peer) === "string" || chat.peer === state.self
      ? <span class="mono" title={show(chat.peer)}>{short(chat.peer)}</span>
      : <>No name given</>
  }
  if (isOver) return <>You are not a member any more</>
  if (members === undefined) return <span class="mono">{short(chat.chatId)}</span>
  return <>{members.length === 1 ? "Only you" : `${members.length} members`}</>
}

const Head = ({ conversation, onDetails, state }: {
  readonly conversation: Conversation
  readonly state: State
  readonly onDetails: () => void
}) => {
  const { chat, isOver } = conversation
  return (
    <header class="chat-head">
      <a class="button quiet icon back" href={Route.inboxHref}>
        <Icon name="back" />
        <span class="heard">Back to conversations</span>
      </a>
      <ChatMark chat={chat} size={36} />
      <div class="chat-who">
        <h1>
          <bdi>{titleOf(state, conversation)}</bdi>
        </h1>
        <p class="soft small">
          <Below conversation={conversation} state={state} />
        </p>
      </div>
      {chat.kind === "dm"
        ? <Copy label="Copy address" text={show(chat.peer)} />
        : !isOver && (
          <button type="button" class="quiet icon" title="Group details" onClick={onDetails}>
            <Icon name="group" />
            <span class="heard">Group details</span>
          </button>
        )}
    </header>
  )
}

export const ConversationView = ({ chatId, session }: { readonly session: Session; readonly chatId: ChatId }) => {
  const hasDetails = useSignal(false)
  const state = session.state.value
  const conversation = state.chats.get(chatId)

  useEffect(() => {
    const back = (event: KeyboardEvent) => {
      if (event.key === "Escape" && !event.defaultPrevented && document.querySelector("dialog[open]") === null) {
        document.querySelector<HTMLElement>(".item[aria-current]")?.focus()
        if (matchMedia("(max-width: 47.99rem)").matches) Route.go(Route.inboxHref)
      }
    }
    addEventListener("keydown", back)
    return () => removeEventListener("keydown", back)
  }, [])

  if (conversation === undefined) return null
  return (
    <main class="pane chat" id="main" tabIndex={-1}>
      <Head conversation={conversation} state={state} onDetails={() => hasDetails.value = true} />
      <MessagesView conversation={conversation} session={session} />
      {conversation.isOver
        ? <p class="note-plain soft">You are not a member of this group any more, so you see nothing new of it.</p>
        : <Composer chatId={chatId} title={titleOf(state, conversation)} session={session} />}
      {hasDetails.value && !conversation.isOver && (
        <GroupDetails
          conversation={conversation}
          session={session}
          onClose={() => hasDetails.value = false}
        />
      )}
    </main>
  )
}
