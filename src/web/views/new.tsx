/** Beginning something: a conversation with somebody, or a group. */
import { useSignal } from "@preact/signals"
import * as Result from "effect/Result"
import * as Chat from "../../client/Chat.ts"
import * as Bytes from "../../domain/bytes.ts"
import { type Address, parseAddress } from "../../domain/ids.ts"
import { targetsMax, titleBytesMax } from "../../domain/limits.ts"
import * as Route from "../route.ts"
import type { Session } from "../session.ts"
import { Dialog, Field, Form } from "./parts.tsx"

/** Reads addresses between spaces, commas or lines; links that this page gives out are read too. */
export const readAddresses = (text: string): Result.Result<ReadonlyArray<Address>, string> => {
  const found = new Set<Address>()
  for (const word of text.split(/[\s,;]+/).filter((each) => each !== "")) {
    const address = parseAddress(/#\/to\/([^/]+)$/.exec(word)?.[1] ?? word)
    if (Result.isFailure(address)) {
      return Result.fail(`${word.slice(0, 60)} is no address: an address is 0x and 40 hex digits.`)
    }
    found.add(address.success)
  }
  return found.size > targetsMax
    ? Result.fail(`At most ${targetsMax} at once.`)
    : Result.succeed([...found])
}

export const titleProblem = (title: string): string | undefined =>
  Bytes.textLength(title) <= titleBytesMax ? undefined : `A title has at most ${titleBytesMax} bytes; this is longer.`

export const AddressesField = ({ hint, required = false }: { readonly hint: string; readonly required?: boolean }) => (
  <div class="field">
    <label for="addresses">Addresses of members</label>
    <textarea
      id="addresses"
      name="addresses"
      class="mono"
      rows={3}
      required={required}
      spellcheck={false}
      autocomplete="off"
      aria-describedby="addresses-hint"
    />
    <p class="soft small" id="addresses-hint">{hint}</p>
  </div>
)

export const NewConversation = ({ onClose, session }: { readonly session: Session; readonly onClose: () => void }) => {
  const kind = useSignal<"person" | "group">("person")
  const goTo = (chat: Chat.Chat) => {
    onClose()
    Route.go(Route.hrefOf(chat))
  }
  const choice = (value: "person" | "group", label: string) => (
    <label class="choice">
      <input type="radio" name="kind" checked={kind.value === value} onChange={() => kind.value = value} />
      {label}
    </label>
  )
  return (
    <Dialog title="New conversation" onClose={onClose}>
      <fieldset class="choices">
        <legend class="heard">With whom</legend>
        {choice("person", "With one person")}
        {choice("group", "A group")}
      </fieldset>
      {kind.value === "person"
        ? (
          <Form
            key="person"
            submit="Open"
            busy="Opening…"
            run={async ({ address = "" }) => {
              const read = readAddresses(address)
              if (Result.isFailure(read)) return read.failure
              if (read.success.length !== 1) return "Give one address."
              goTo(Chat.dm(read.success[0]!))
              return undefined
            }}
          >
            <Field
              label="Address"
              name="address"
              isMono
              required
              takesFocus
              autocomplete="off"
              placeholder="0x…"
              hint="Copy it from the person you mean: nothing tells a mistyped address from somebody else's."
            />
          </Form>
        )
        : (
          <Form
            key="group"
            submit="Create group"
            busy="Creating…"
            run={async ({ addresses = "", title = "" }) => {
              const read = readAddresses(addresses)
              if (Result.isFailure(read)) return read.failure
              const problem = titleProblem(title.trim())
              if (problem !== undefined) return problem
              const made = await session.groups.create(read.success, title.trim())
              if (Result.isFailure(made)) return made.failure
              goTo(Chat.group(made.success))
              return undefined
            }}
          >
            <Field
              label="Title"
              name="title"
              takesFocus
              autocomplete="off"
              hint="May stay empty. Every node can read it."
            />
            <AddressesField hint="One a line, without you. More can be added later." />
          </Form>
        )}
    </Dialog>
  )
}
