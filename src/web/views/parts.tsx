/** Pieces of forms and dialogs. */
import { useSignal } from "@preact/signals"
import type { ComponentChildren } from "preact"
import { useEffect, useId, useLayoutEffect, useRef } from "preact/hooks"
import { Icon } from "./icons.tsx"

/** A window in front of the page. The browser holds the focus in it; it goes back to where it was before. */
export const Dialog = ({ children, onClose, title }: {
  readonly title: string
  readonly onClose: () => void
  readonly children: ComponentChildren
}) => {
  const element = useRef<HTMLDialogElement>(null)
  const id = useId()
  // before the effects of what is in it, which may take the focus
  useLayoutEffect(() => {
    const [{ current }, before] = [element, document.activeElement]
    current?.showModal()
    return () => {
      // while it is open, nothing outside takes the focus
      current?.close()
      if (before instanceof HTMLElement) before.focus()
    }
  }, [])
  return (
    <dialog
      ref={element}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
      onClick={(event) => {
        if (event.target === element.current) onClose()
      }}
    >
      <div class="dialog">
        <header class="dialog-head">
          <h2 id={id}>{title}</h2>
          <button type="button" class="quiet icon" onClick={onClose}>
            <Icon name="close" />
            <span class="heard">Close</span>
          </button>
        </header>
        {children}
      </div>
    </dialog>
  )
}

export const Problem = ({ text }: { readonly text: string | undefined }) => (
  <p class={text === undefined || text === "" ? "problem is-none" : "problem"} role="alert">{text}</p>
)

/** A field with its label, and what it is about. */
export const Field = (
  { autocomplete, hint, isMono = false, isSecret = false, label, takesFocus = false, value, ...input }: {
    readonly label: string
    readonly name: string
    readonly hint?: ComponentChildren
    readonly value?: string
    readonly autocomplete: "off" | "new-password" | "current-password" | "nickname"
    readonly placeholder?: string
    readonly required?: boolean
    readonly minLength?: number
    readonly maxLength?: number
    /** Shown as dots. */
    readonly isSecret?: boolean
    readonly isMono?: boolean
    /** It is what people come for. */
    readonly takesFocus?: boolean
  }
) => {
  const id = useId()
  const element = useRef<HTMLInputElement>(null)
  useEffect(() => {
    if (takesFocus) element.current?.focus()
  }, [])
  const attributes = {
    ...input,
    // what is typed stays when the page is drawn anew
    defaultValue: value,
    id,
    ref: element,
    class: isMono ? "mono" : "",
    spellcheck: false,
    autocapitalize: "off" as const,
    autocomplete,
    "aria-describedby": hint === undefined ? undefined : `${id}-hint`
  }
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {isSecret ? <input type="password" {...attributes} /> : <input type="text" {...attributes} />}
      {hint !== undefined && <p class="soft small" id={`${id}-hint`}>{hint}</p>}
    </div>
  )
}

/** A form whose sending may take time and may fail: `run` gives the problem, or nothing. */
export const Form = ({ busy, children, danger = false, run, submit, secondary }: {
  readonly submit: string
  /** Shown on the button while it takes time. */
  readonly busy: string
  readonly danger?: boolean
  readonly run: (values: { readonly [name: string]: string }) => Promise<string | undefined>
  readonly secondary?: ComponentChildren
  readonly children: ComponentChildren
}) => {
  const problem = useSignal<string | undefined>(undefined)
  const isBusy = useSignal(false)
  const send = async (event: SubmitEvent) => {
    event.preventDefault()
    if (isBusy.value) return
    const entries = [...new FormData(event.currentTarget as HTMLFormElement)]
    const values = Object.fromEntries(entries.map(([name, value]) => [name, typeof value === "string" ? value : ""]))
    isBusy.value = true
    problem.value = undefined
    problem.value = await run(values)
    isBusy.value = false
  }
  return (
    <form class="form" onSubmit={send}>
      {children}
      <Problem text={problem.value} />
      <div class="buttons">
        <button type="submit" class={danger ? "danger" : "primary"} disabled={isBusy.value}>
          {isBusy.value ? busy : submit}
        </button>
        {secondary}
      </div>
    </form>
  )
}

/** Gives a text to the user as a file. */
export const download = (name: string, text: string): void => {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }))
  const link = document.createElement("a")
  link.href = url
  link.download = name
  link.click()
  URL.revokeObjectURL(url)
}
