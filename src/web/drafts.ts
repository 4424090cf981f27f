/** Texts that were begun and not sent, while the page is open and unlocked; never written anywhere. */
import type { ChatId } from "../domain/ids.ts"

const drafts = new Map<ChatId, string>()

export const draftOf = (chatId: ChatId): string => drafts.get(chatId) ?? ""

export const setDraft = (chatId: ChatId, text: string): void => {
  if (text === "") drafts.delete(chatId)
  else drafts.set(chatId, text)
}

export const forgetDrafts = (): void => drafts.clear()
