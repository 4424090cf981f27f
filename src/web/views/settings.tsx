/** Who one is, the key, the nodes and what they see, and how the page looks. */
import { useSignal } from "@preact/signals"
import * as Result from "effect/Result"
import { useEffect } from "preact/hooks"
import * as Bytes from "../../domain/bytes.ts"
import * as Nodes from "../nodes.ts"
import * as Route from "../route.ts"
import type { Session } from "../session.ts"
import { hasUnsent } from "../state.ts"
import { type Theme, theme, themes } from "../theme.ts"
import * as Vault from "../vault.ts"
import { hostOf } from "./connection.tsx"
import { Icon } from "./icons.tsx"
import { Dialog, Field, Form } from "./parts.tsx"
import { Copy, Mark } from "./person.tsx"
import { ReplaceKey, SaveFile } from "./welcome.tsx"

const You = ({ session }: { readonly session: Session }) => {
  const { names, self } = session.state.value
  const name = names.get(self) ?? ""
  const isSaved = useSignal(false)
  return (
    <section class="card" aria-labelledby="you">
      <h2 id="you">You</h2>
      <p class="address">
        <Mark id={self} />
        <span class="mono" data-testid="own-address">0x{self}</span>
      </p>
      <div class="buttons">
        <Copy isWide label="Copy address" text={`0x${self}`} />
        <Copy isWide label="Copy link to you" text={`${Route.pageUrl()}#/to/0x${self}`} />
      </div>
      <Form
        key={name}
        submit="Save name"
        busy="Saving…"
        run={async (values) => {
          const problem = await session.setName(values["name"] ?? "")
          isSaved.value = problem === undefined
          return problem
        }}
      >
        <Field
          label="Name"
          name="name"
          value={name}
          autocomplete="nickname"
          maxLength={60}
          hint="Shown to others beside your address, and readable by every node. Anybody can take any name: only the address is proof."
        />
      </Form>
      <p class="soft small" role="status">{isSaved.value ? "The name is saved." : ""}</p>
    </section>
  )
}

const Reveal = ({ onClose }: { readonly onClose: () => void }) => {
  const secret = useSignal<string | undefined>(undefined)
  return (
    <Dialog title="Private key" onClose={onClose}>
      {secret.value === undefined
        ? (
          <Form
            submit="Show it"
            busy="Decrypting…"
            danger
            run={async ({ passphrase = "" }) => {
              const file = Vault.file.peek()
              const found = file === undefined ? undefined : await Vault.open(file, passphrase)
              if (found === undefined) return "This is not the passphrase of this key."
              secret.value = `0x${Bytes.toHex(found)}`
              return undefined
            }}
          >
            <p>Whoever has these digits is you, for ever. Nobody who means well asks for them.</p>
            <Field
              label="Passphrase"
              name="passphrase"
              isSecret
              autocomplete="current-password"
              required
              takesFocus
            />
          </Form>
        )
        : (
          <>
            <p class="mono secret">{secret.value}</p>
            <div class="buttons">
              <Copy isWide label="Copy private key" text={secret.value} />
              <button type="button" onClick={onClose}>Hide</button>
            </div>
          </>
        )}
    </Dialog>
  )
}

const Key = ({ lock }: { readonly lock: () => void }) => {
  const shown = useSignal<"reveal" | "replace" | undefined>(undefined)
  const file = Vault.file.value
  const hide = () => shown.value = undefined
  if (file === undefined) return null
  return (
    <section class="card" aria-labelledby="key">
      <h2 id="key">Key</h2>
      <p>
        Your key is in this browser, encrypted under your passphrase. It is in clear only in the memory of this page,
        until you lock it or close it.
      </p>
      {!Vault.isKept.value && (
        <p class="note warn">
          This browser keeps nothing: save a copy of the key, or it is gone when you close the page.
        </p>
      )}
      <div class="buttons">
        <SaveFile file={file} />
        <button type="button" onClick={() => shown.value = "reveal"}>Show the private key</button>
        <button type="button" onClick={lock}>Lock</button>
        <button type="button" onClick={() => shown.value = "replace"}>Use another key</button>
      </div>
      {shown.value === "reveal" && <Reveal onClose={hide} />}
      {shown.value === "replace" && <ReplaceKey file={file} onClose={hide} onGone={lock} />}
    </section>
  )
}

/** Whether a node answers, and who it proves to be. */
const NodeItem = ({ isUsed, onRemove, session, url }: {
  readonly session: Session
  readonly url: string
  readonly isUsed: boolean
  readonly onRemove: (() => void) | undefined
}) => {
  const found = useSignal<{ readonly id?: string; readonly network?: string; readonly problem?: string }>({})
  useEffect(() => {
    const ask = async () => {
      const info = await session.nodeInfo(url)
      found.value = Result.isSuccess(info)
        ? { id: info.success.peer_id, network: info.success.network }
        : { problem: info.failure }
    }
    void ask()
  }, [url, isUsed])
  const { id, network, problem } = found.value
  return (
    <li class="node">
      <p>
        <strong class="mono">{hostOf(url)}</strong>
        {isUsed && <span class="badge good">in use</span>}
        {network !== undefined && network !== "" && <span class="badge">network {network}</span>}
      </p>
      {id !== undefined && (
        <p class="small">
          Has proven to be node <span class="mono" data-testid="node-id">{id}</span>
        </p>
      )}
      {problem !== undefined && <p class="small problem-text">{problem}</p>}
      {id === undefined && problem === undefined && <p class="small soft" role="status">Asking…</p>}
      {onRemove !== undefined && (
        <div class="buttons is-small">
          <button type="button" onClick={onRemove}>
            Remove
            <span class="heard">{hostOf(url)}</span>
          </button>
        </div>
      )}
    </li>
  )
}

const NodesSection = ({ restart, session }: { readonly session: Session; readonly restart: () => void }) => {
  const { connection } = session.state.value
  const isOpen = connection.state === "open"
  // what is on its way knows the nodes that it was sent to
  const isBusy = hasUnsent(session.state.value)
  return (
    <section class="card" aria-labelledby="nodes">
      <h2 id="nodes">Nodes</h2>
      <p>
        This page talks to the node that served it. When that one does not answer, it goes on at the next of these, and
        nothing is lost: all nodes of a network hold the same messages.
      </p>
      {connection.state === "lost" && <p class="note warn" role="status">No connection now. {connection.error}</p>}
      <ul class="nodes">
        {session.urls.map((url, at) => (
          <NodeItem
            key={url}
            url={url}
            session={session}
            isUsed={isOpen && url === connection.url}
            onRemove={at === 0 || isBusy ? undefined : () => {
              Nodes.remove(url)
              restart()
            }}
          />
        ))}
      </ul>
      <Form
        submit="Add node"
        busy="Adding…"
        run={async ({ url = "" }) => {
          if (isBusy) return "Messages are on their way: add the node when they are sent or discarded."
          const added = Nodes.add(url)
          if (Result.isFailure(added)) return added.failure
          restart()
          return undefined
        }}
      >
        <Field
          label="Address of a further node"
          name="url"
          required
          isMono
          autocomplete="off"
          placeholder="http://192.168.1.20:4280"
          hint="Of the same network. Name nodes whose operators you trust as much as this one's."
        />
      </Form>
    </section>
  )
}

const Privacy = () => (
  <section class="card" aria-labelledby="privacy">
    <h2 id="privacy">What operators see</h2>
    <ul class="plain-list">
      <li>
        <strong>Content:</strong>{" "}
        everything you write here. This page signs messages and does not encrypt them, so whoever runs a node of the
        network can read them.
      </li>
      <li>
        <strong>Who, when and how much:</strong>{" "}
        always, encrypted or not: which addresses write to each other, which are in which groups, at what times, how
        long the messages are, and what has been read.
      </li>
      <li>
        <strong>Where you are:</strong> the node you talk to sees the network address of this device.
      </li>
      <li>
        <strong>Not your key, and not your passphrase:</strong>{" "}
        nobody can write in your name. But this page came from the node, so you trust its operator to serve an honest
        one.
      </li>
    </ul>
  </section>
)

const themeNames: { readonly [T in Theme]: string } = { system: "As the system", light: "Light", dark: "Dark" }

const Looks = () => (
  <section class="card" aria-labelledby="looks">
    <h2 id="looks">Looks</h2>
    <fieldset class="choices">
      <legend class="heard">Colours</legend>
      {themes.map((each) => (
        <label class="choice" key={each}>
          <input type="radio" name="theme" checked={theme.value === each} onChange={() => theme.value = each} />
          {themeNames[each]}
        </label>
      ))}
    </fieldset>
  </section>
)

const About = () => (
  <section class="card" aria-labelledby="about">
    <h2 id="about">Keyboard, and more</h2>
    <dl class="keys">
      <dt>
        <kbd>Enter</kbd>
      </dt>
      <dd>sends</dd>
      <dt>
        <kbd>Shift</kbd> <kbd>Enter</kbd>
      </dt>
      <dd>makes a new line</dd>
      <dt>
        <kbd>Escape</kbd>
      </dt>
      <dd>goes from a conversation back to the list</dd>
      <dt>
        <kbd>Alt</kbd> <kbd>↑</kbd> <kbd>↓</kbd>
      </dt>
      <dd>opens the conversation above or below</dd>
    </dl>
    <p class="small">
      <a href="./status">How this node does</a> · <a href="./docs">The API</a> ·{" "}
      <a href="./licences.txt">Licences of what this page is made of</a>
    </p>
  </section>
)

export const SettingsView = ({ lock, restart, session }: {
  readonly session: Session
  readonly lock: () => void
  readonly restart: () => void
}) => (
  <main class="pane settings" id="main" tabIndex={-1}>
    <header class="chat-head">
      <a class="button quiet icon back" href={Route.inboxHref}>
        <Icon name="back" />
        <span class="heard">Back to conversations</span>
      </a>
      <h1>Settings</h1>
    </header>
    <div class="settings-body">
      <You session={session} />
      <Key lock={lock} />
      <NodesSection session={session} restart={restart} />
      <Privacy />
      <Looks />
      <About />
    </div>
  </main>
)
