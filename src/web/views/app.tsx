/** The whole page: a door, or the conversations beside what is open. */
import { useSignal, useSignalEffect } from "@preact/signals"
import { useEffect, useRef } from "preact/hooks"
import type { Signer } from "../../client/Signer.ts"
import { forgetDrafts } from "../drafts.ts"
import { addressOf } from "../keys.ts"
import * as Route from "../route.ts"
import * as Session from "../session.ts"
import { hasUnsent, listed, unreadChats } from "../state.ts"
import * as Vault from "../vault.ts"
import { ConversationView } from "./conversation.tsx"
import { InboxView } from "./inbox.tsx"
import { SettingsView } from "./settings.tsx"
import { Welcome } from "./welcome.tsx"

const pageTitle = document.title

const Nothing = () => (
  <main class="pane nothing" id="main" tabIndex={-1}>
    <p class="soft">Choose a conversation, or begin a new one.</p>
  </main>
)

const Nowhere = ({ text }: { readonly text: string }) => (
  <main class="pane nothing" id="main" tabIndex={-1}>
    <h1>This link leads nowhere</h1>
    <p class="mono">{text.slice(0, 100)}</p>
    <p>
      <a href={Route.inboxHref}>Back to your conversations</a>
    </p>
  </main>
)

/** Opens the conversation that stands `by` places below the shown one in the list. */
const step = (session: Session.Session, by: number): void => {
  const state = session.state.peek()
  const conversations = listed(state)
  const at = conversations.findIndex(({ chatId }) => chatId === state.shown)
  const next = conversations[at === -1 ? 0 : at + by]
  if (next !== undefined) Route.go(Route.hrefOf(next.chat))
}

const Open = ({ lock, restart, session }: {
  readonly session: Session.Session
  readonly lock: () => void
  readonly restart: () => void
}) => {
  const route = Route.route.value
  const chatId = session.state.value.shown

  useSignalEffect(() => {
    const to = Route.route.value
    if (to.at === "chat") session.open(to.chat)
    else session.close()
  })
  useSignalEffect(() => {
    const unread = unreadChats(session.state.value)
    document.title = unread === 0 ? pageTitle : `(${unread}) ${pageTitle}`
  })
  useEffect(() => {
    const warn = (event: BeforeUnloadEvent) => {
      if (hasUnsent(session.state.peek())) event.preventDefault()
    }
    const keys = (event: KeyboardEvent) => {
      if (!event.altKey || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return
      event.preventDefault()
      step(session, event.key === "ArrowUp" ? -1 : 1)
    }
    addEventListener("beforeunload", warn)
    addEventListener("keydown", keys)
    return () => {
      removeEventListener("beforeunload", warn)
      removeEventListener("keydown", keys)
      document.title = pageTitle
    }
  }, [])

  // what had the focus may have gone with what was open before
  useEffect(() => {
    if (document.activeElement === document.body) document.querySelector<HTMLElement>("#main")?.focus()
  }, [route])

  return (
    <div class={route.at === "inbox" ? "app is-inbox" : "app"}>
      <InboxView session={session} lock={lock} />
      {route.at === "chat" && chatId !== undefined && (
        <ConversationView key={chatId} session={session} chatId={chatId} />
      )}
      {route.at === "settings" && <SettingsView session={session} lock={lock} restart={restart} />}
      {route.at === "inbox" && <Nothing />}
      {route.at === "nowhere" && <Nowhere text={route.text} />}
    </div>
  )
}

interface Entered {
  readonly signer: Signer
  readonly session: Session.Session
  /** Another one for each session, so that nothing of one is shown in the next. */
  readonly turn: number
}

export const App = () => {
  const entered = useSignal<Entered | undefined>(undefined)
  const turn = useRef(0)
  const end = () => entered.peek()?.session.end()
  const enter = (signer: Signer) => {
    end()
    entered.value = { signer, session: Session.make(signer), turn: ++turn.current }
  }
  const lock = () => {
    end()
    entered.value = undefined
    forgetDrafts()
  }
  // another window of this browser removed or exchanged the key
  useSignalEffect(() => {
    const file = Vault.file.value
    const self = entered.peek()?.session.self
    if (self !== undefined && (file === undefined || addressOf(file) !== self)) lock()
  })
  const now = entered.value
  return now === undefined
    ? <Welcome enter={enter} />
    : <Open key={now.turn} session={now.session} lock={lock} restart={() => enter(now.signer)} />
}
