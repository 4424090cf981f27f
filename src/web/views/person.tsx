/** How users and groups look: a mark, a name, and always the address, since names are claims. */
import { useSignal } from "@preact/signals"
import type * as Chat from "../../client/Chat.ts"
import type { Address } from "../../domain/ids.ts"
import { markOf } from "../mark.ts"
import type { Conversation, State } from "../state.ts"
import { Icon } from "./icons.tsx"

/** The ends of an address or id, with `0x`. */
export const short = (id: string): string => `0x${id.slice(0, 4)}…${id.slice(-4)}`

export const nameOf = (state: State, address: Address): string => state.names.get(address) ?? short(address)

const idOf = (chat: Chat.Chat): string => chat.kind === "dm" ? chat.peer : chat.chatId

/** How the conversation is called here. */
export const titleOf = (state: State, { chat, title }: Pick<Conversation, "chat" | "title">): string => {
  if (chat.kind === "group") return title === "" ? `Group ${short(chat.chatId)}` : title
  return chat.peer === state.self ? "Notes to yourself" : nameOf(state, chat.peer)
}

export const Mark = ({ id, isGroup, size = 40 }: {
  readonly id: string
  readonly isGroup?: boolean
  readonly size?: number
}) => {
  const { hue, path } = markOf(id)
  return (
    <svg class="mark" style={{ "--hue": hue }} width={size} height={size} viewBox="0 0 7 7" aria-hidden="true">
      <rect class="mark-back" width="7" height="7" rx={isGroup === true ? 1.6 : 3.5} />
      <path class="mark-front" d={path} transform="translate(.7 .7) scale(.8)" />
    </svg>
  )
}

export const ChatMark = ({ chat, size }: { readonly chat: Chat.Chat; readonly size?: number }) => (
  <Mark id={idOf(chat)} isGroup={chat.kind === "group"} {...(size === undefined ? {} : { size })} />
)

/** A name with its address; the address alone where there is no name. */
export const Person = ({ address, state }: { readonly address: Address; readonly state: State }) => {
  const name = state.names.get(address)
  return (
    <span class="person">
      <Mark id={address} size={32} />
      <span class="person-text">
        {typeof name === "string" && <bdi class="person-name">{name}</bdi>}
        {address === state.self && <span class="badge">you</span>}
        <span class="mono soft small" title={`0x${address}`}>{short(address)}</span>
      </span>
    </span>
  )
}

const shownMs = 2_000

/** Copies `text`; says so, and when the browser does not let it. */
export const Copy = ({ label, text, isWide = false }: {
  readonly label: string
  readonly text: string
  readonly isWide?: boolean
}) => {
  const outcome = useSignal<"" | "Copied" | "Not copied">("")
  const copy = async () => {
    outcome.value = await copied(text) ? "Copied" : "Not copied"
    setTimeout(() => outcome.value = "", shownMs)
  }
  return (
    <button type="button" class={isWide ? "" : "quiet icon"} onClick={copy} title={label}>
      <Icon name={outcome.value === "Copied" ? "check" : "copy"} />
      <span class={isWide ? "" : "heard"}>{label}</span>
      <span class="heard" role="status">{outcome.value}</span>
    </button>
  )
}

/** Pages of plain HTTP have no clipboard of their own: there, what is selected is copied. */
const copied = async (text: string): Promise<boolean> => {
  if (navigator.clipboard !== undefined) {
    return navigator.clipboard.writeText(text).then(() => true, () => false)
  }
  const field = document.createElement("textarea")
  field.value = text
  field.className = "heard"
  const host = document.activeElement?.closest("dialog") ?? document.body
  const focused = document.activeElement
  host.append(field)
  field.select()
  const isDone = document.execCommand("copy")
  field.remove()
  if (focused instanceof HTMLElement) focused.focus()
  return isDone
}
