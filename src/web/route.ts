/**
 * Where in the page somebody is, told by the part of the address behind `#`, which browsers never send: a link to a person
 * can be shared, and back and forward work.
 */
import { computed, signal } from "@preact/signals"
import * as Result from "effect/Result"
import * as Chat from "../client/Chat.ts"

export type Route =
  | { readonly at: "inbox" }
  | { readonly at: "chat"; readonly chat: Chat.Chat }
  | { readonly at: "settings" }
  /** An address that leads nowhere. */
  | { readonly at: "nowhere"; readonly text: string }

const read = (hash: string): Route => {
  const [first, second, ...more] = hash.replace(/^#?\/?/, "").split("/")
  if ((first ?? "") === "") return { at: "inbox" }
  if (first === "settings" && second === undefined) return { at: "settings" }
  if ((first === "to" || first === "group") && second !== undefined && more.length === 0) {
    const chat = Chat.parse(second)
    if (Result.isSuccess(chat) && (chat.success.kind === "dm") === (first === "to")) {
      return { at: "chat", chat: chat.success }
    }
  }
  return { at: "nowhere", text: hash }
}

export const hrefOf = (chat: Chat.Chat): string =>
  chat.kind === "dm" ? `#/to/${Chat.show(chat.peer)}` : `#/group/${Chat.show(chat.chatId)}`

export const inboxHref = "#/"
export const settingsHref = "#/settings"

const hash = signal(location.hash)
addEventListener("hashchange", () => hash.value = location.hash)

export const route = computed(() => read(hash.value))

export const go = (href: string): void => {
  location.hash = href
}

/** The address of this page without what is behind `#`. */
export const pageUrl = (): string => location.href.replace(/#.*$/s, "")

/** The API of the node that served this page. */
export const ownNodeUrl = (): string => new URL(".", pageUrl()).href.replace(/\/$/, "")
