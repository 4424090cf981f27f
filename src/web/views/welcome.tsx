/** Before there is an unlocked key: make one, bring one, or open the one that this browser has. */
import { useSignal } from "@preact/signals"
import * as Result from "effect/Result"
import type { ComponentChildren } from "preact"
import { useEffect, useRef } from "preact/hooks"
import type { Signer } from "../../client/Signer.ts"
import { addressOf, type KeyFile, passphraseCharsMin } from "../keys.ts"
import * as Vault from "../vault.ts"
import { Dialog, download, Field, Form } from "./parts.tsx"
import { Copy, Mark, short } from "./person.tsx"

type Enter = (signer: Signer) => void

const Frame = ({ children, title }: { readonly title: string; readonly children: ComponentChildren }) => {
  const heading = useRef<HTMLHeadingElement>(null)
  // what had the focus went with the step before
  useEffect(() => {
    if (document.activeElement === document.body) heading.current?.focus()
  }, [title])
  return (
    <main class="welcome">
      <div class="card welcome-card">
        <p class="brand">p2p-mes</p>
        <h1 ref={heading} tabIndex={-1}>{title}</h1>
        {children}
      </div>
    </main>
  )
}

/** The two fields of a new passphrase. */
const NewPassphrase = () => (
  <>
    <Field
      label="Passphrase"
      name="passphrase"
      isSecret
      autocomplete="new-password"
      required
      minLength={passphraseCharsMin}
      hint={`At least ${passphraseCharsMin} characters; several words are good. Nobody can reset it.`}
    />
    <Field label="Passphrase again" name="again" isSecret autocomplete="new-password" required />
  </>
)

/** What is wrong with a new passphrase. */
const passphraseProblem = (values: { readonly [name: string]: string }): string | undefined => {
  const { again, passphrase = "" } = values
  if ([...passphrase].length < passphraseCharsMin) return `A passphrase has at least ${passphraseCharsMin} characters.`
  return passphrase === again ? undefined : "The two passphrases are not the same."
}

const Create = ({ enter, onBack }: { readonly enter: Enter; readonly onBack: () => void }) => {
  const made = useSignal<Signer | undefined>(undefined)
  const file = Vault.file.value
  if (made.value !== undefined && file !== undefined) {
    const signer = made.value
    return (
      <Frame title="Your key is made">
        <p>
          This is your address. People write to you by it, and everything you write is signed by its key.
        </p>
        <p class="address">
          <Mark id={signer.address} />
          <span class="mono">0x{signer.address}</span>
        </p>
        <p>
          The key is in this browser only. Keep a copy somewhere else: without one, whoever loses this browser loses the
          address. The file is encrypted under your passphrase.
        </p>
        <div class="buttons">
          <button type="button" class="primary" onClick={() => enter(signer)}>Go to your messages</button>
          <SaveFile file={file} />
          <Copy isWide label="Copy address" text={`0x${signer.address}`} />
        </div>
      </Frame>
    )
  }
  return (
    <Frame title="Create a key">
      <p class="soft">It is made in this browser, and never leaves it in clear. A passphrase encrypts it.</p>
      <Form
        submit="Create key"
        busy="Encrypting…"
        secondary={<button type="button" class="quiet" onClick={onBack}>Back</button>}
        run={async (values) => {
          const problem = passphraseProblem(values)
          if (problem === undefined) made.value = await Vault.put(Vault.generate(), values["passphrase"]!)
          return problem
        }}
      >
        <NewPassphrase />
      </Form>
    </Frame>
  )
}

export const SaveFile = ({ file }: { readonly file: KeyFile }) => {
  const { name, text } = Vault.exported(file)
  return <button type="button" onClick={() => download(name, text)}>Save a copy of the key</button>
}

const Import = ({ enter, onBack }: { readonly enter: Enter; readonly onBack: () => void }) => {
  const text = useSignal("")
  const brought = useSignal<Vault.Brought | undefined>(undefined)
  const known = brought.value
  if (known === undefined) {
    return (
      <Frame title="Import a key">
        <Form
          submit="Continue"
          busy="Reading…"
          secondary={<button type="button" class="quiet" onClick={onBack}>Back</button>}
          run={async ({ key = "" }) => {
            const read = Vault.bring(key)
            if (Result.isFailure(read)) return read.failure
            brought.value = read.success
            return undefined
          }}
        >
          <div class="field">
            <label for="import-key">Private key, or an exported file</label>
            <textarea
              id="import-key"
              name="key"
              class="mono"
              rows={4}
              required
              autocomplete="off"
              spellcheck={false}
              value={text.value}
              onInput={(event) => text.value = event.currentTarget.value}
            />
          </div>
          <div class="field">
            <label for="import-file">Read it from a file</label>
            <input
              id="import-file"
              type="file"
              accept=".json,.key,.txt,application/json,text/plain"
              onChange={async (event) => {
                const [file] = event.currentTarget.files ?? []
                if (file !== undefined) text.value = await file.slice(0, 10_000).text()
              }}
            />
            <p class="soft small">The files of p2p-mes keygen and of this page both work.</p>
          </div>
        </Form>
      </Frame>
    )
  }
  return (
    <Frame title="Import a key">
      <p class="address">
        <Mark id={known.address} />
        <span class="mono">0x{known.address}</span>
      </p>
      <Form
        key={known.kind}
        submit="Import key"
        busy={known.kind === "file" ? "Opening…" : "Encrypting…"}
        secondary={<button type="button" class="quiet" onClick={() => brought.value = undefined}>Back</button>}
        run={async (values) => {
          const passphrase = values["passphrase"] ?? ""
          const problem = known.kind === "secret" ? passphraseProblem(values) : undefined
          if (problem !== undefined) return problem
          const secret = known.kind === "secret" ? known.secret : await Vault.open(known.file, passphrase)
          if (secret === undefined) return "This is not the passphrase of that file."
          enter(await Vault.put(secret, passphrase))
          return undefined
        }}
      >
        {known.kind === "secret" ? <NewPassphrase /> : (
          <Field
            label="Passphrase of the file"
            name="passphrase"
            isSecret
            autocomplete="current-password"
            required
            takesFocus
          />
        )}
      </Form>
    </Frame>
  )
}

/** Asks before the only copy of a key may be lost. */
export const ReplaceKey = ({ file, onClose, onGone }: {
  readonly file: KeyFile
  readonly onClose: () => void
  readonly onGone: () => void
}) => (
  <Dialog title="Remove this key?" onClose={onClose}>
    <p>
      This browser has room for one key. If you use another, the key of{" "}
      <strong class="mono">{short(addressOf(file))}</strong>{" "}
      is removed from here. Without a copy of it, nobody can write as this address or read its messages again.
    </p>
    <div class="buttons">
      <SaveFile file={file} />
      <button
        type="button"
        class="danger"
        onClick={() => {
          Vault.forget()
          onGone()
        }}
      >
        Remove the key
      </button>
      <button type="button" class="quiet" onClick={onClose}>Cancel</button>
    </div>
  </Dialog>
)

const Unlock = ({ enter, file }: { readonly enter: Enter; readonly file: KeyFile }) => {
  const isReplacing = useSignal(false)
  return (
    <Frame title="Welcome back">
      <p class="address">
        <Mark id={addressOf(file)} />
        <span class="mono">{file.address}</span>
      </p>
      <Form
        submit="Unlock"
        busy="Unlocking…"
        secondary={
          <button type="button" class="quiet" onClick={() => isReplacing.value = true}>Use another key</button>
        }
        run={async ({ passphrase = "" }) => {
          const signer = await Vault.unlock(passphrase)
          if (signer === undefined) return "This is not the passphrase of this key."
          enter(signer)
          return undefined
        }}
      >
        <input
          class="heard"
          type="text"
          autocomplete="username"
          value={file.address}
          readOnly
          tabIndex={-1}
          aria-hidden="true"
        />
        <Field
          label="Passphrase"
          name="passphrase"
          isSecret
          autocomplete="current-password"
          required
          takesFocus
        />
      </Form>
      {isReplacing.value && (
        <ReplaceKey
          file={file}
          onClose={() => isReplacing.value = false}
          onGone={() => isReplacing.value = false}
        />
      )}
    </Frame>
  )
}

export const Welcome = ({ enter }: { readonly enter: Enter }) => {
  const way = useSignal<"start" | "create" | "import">("start")
  const back = () => way.value = "start"
  const file = Vault.file.value
  if (way.value === "create") return <Create enter={enter} onBack={back} />
  if (way.value === "import") return <Import enter={enter} onBack={back} />
  if (file !== undefined) return <Unlock enter={enter} file={file} />
  return (
    <Frame title="Messages between people">
      <p>
        There is no account and no password to give away. You are a key, made here and kept in this browser; your
        address comes from it, and every message you write is signed with it.
      </p>
      <div class="buttons is-stacked">
        <button type="button" class="primary" onClick={() => way.value = "create"}>Create a key</button>
        <button type="button" onClick={() => way.value = "import"}>Import a key</button>
      </div>
      <p class="soft small">
        Messages go through the node that served this page. Its operator can read what is not encrypted, and always sees
        who writes to whom, when, and how much.
      </p>
    </Frame>
  )
}
