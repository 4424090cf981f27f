/** Where messages are written. Enter sends, Shift and Enter make a new line. */
import { useSignal } from "@preact/signals"
import { useEffect, useLayoutEffect, useRef } from "preact/hooks"
import * as Bytes from "../../domain/bytes.ts"
import type { ChatId } from "../../domain/ids.ts"
import { contentBytesMax } from "../../domain/limits.ts"
import { draftOf, setDraft } from "../drafts.ts"
import type { Session } from "../session.ts"
import { Icon } from "./icons.tsx"

/** From here on the room that is left is shown, bytes. */
const nearBytes = contentBytesMax - 2_048
const heightMax = 200

export const Composer = ({ chatId, session, title }: {
  readonly chatId: ChatId
  readonly title: string
  readonly session: Session
}) => {
  const text = useSignal(draftOf(chatId))
  const field = useRef<HTMLTextAreaElement>(null)
  const bytes = Bytes.textLength(text.value)
  const isTooLong = bytes > contentBytesMax

  useEffect(() => {
    // on a phone this would bring up its keyboard before anybody wants to write
    if (matchMedia("(hover: hover)").matches) field.current?.focus()
  }, [])
  useLayoutEffect(() => {
    const { current } = field
    if (current === null) return
    current.style.height = "auto"
    current.style.height = `${Math.min(heightMax, current.scrollHeight + 2)}px`
  }, [text.value])

  const set = (value: string) => {
    text.value = value
    setDraft(chatId, value)
  }
  const send = () => {
    const content = text.peek().toWellFormed()
    if (content.trim() === "" || isTooLong) return
    session.outgoing.send(chatId, content)
    set("")
    field.current?.focus()
  }
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault()
        send()
      }}
    >
      <label class="heard" for="composer">Message to {title}</label>
      <textarea
        id="composer"
        ref={field}
        rows={1}
        dir="auto"
        placeholder="Message"
        enterkeyhint="send"
        aria-invalid={isTooLong}
        aria-describedby="composer-room"
        value={text.value}
        onInput={(event) => set(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.shiftKey || event.isComposing) return
          event.preventDefault()
          send()
        }}
      />
      <button type="submit" class="primary icon send" disabled={text.value.trim() === "" || isTooLong}>
        <Icon name="send" />
        <span class="heard">Send</span>
      </button>
      <p class={isTooLong ? "room small is-over" : "room soft small"} id="composer-room">
        {isTooLong
          ? `${bytes - contentBytesMax} bytes too long`
          : bytes > nearBytes
          ? `${contentBytesMax - bytes} bytes left`
          : ""}
      </p>
    </form>
  )
}
