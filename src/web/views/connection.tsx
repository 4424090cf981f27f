/** How the page stands with its node: live, coming back, or at another node. */
import * as Route from "../route.ts"
import type { Connection } from "../state.ts"

/** An address of a node without what all of them have. */
export const hostOf = (url: string): string => url.replace(/^https?:\/\//, "")

const words = ({ state, url }: Connection, own: string) => {
  if (state === "open") {
    return url === own
      ? { kind: "good", text: "Live", more: "What happens is shown at once." }
      : {
        kind: "warn",
        text: `Live at ${hostOf(url)}`,
        more: "The node of this page does not answer; another one does."
      }
  }
  return state === "connecting"
    ? { kind: "", text: "Connecting…", more: "Asking the node." }
    : {
      kind: "bad",
      text: "Reconnecting…",
      more: "No node answers. What you write waits here and is sent when one does."
    }
}

export const ConnectionBadge = ({ connection, own }: { readonly connection: Connection; readonly own: string }) => {
  const { kind, more, text } = words(connection, own)
  return (
    <a class={`connection ${kind}`} href={Route.settingsHref} title={`${more} ${connection.error ?? ""}`.trim()}>
      <span class="dot" aria-hidden="true" />
      <span role="status">{text}</span>
      <span class="soft">{connection.nodeId === undefined ? "" : `node …${connection.nodeId.slice(-6)}`}</span>
    </a>
  )
}
