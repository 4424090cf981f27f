/** The chat page. */
import { render } from "preact"
import { App } from "./views/app.tsx"

/** What the page cannot do without, and older browsers lack. */
const isAble = "toHex" in Uint8Array.prototype && "parse" in URL

const TooOld = () => (
  <main class="plain">
    <h1>This browser is too old for this page</h1>
    <p>It needs Chrome 140, Firefox 133, Safari 18.2 or later.</p>
  </main>
)

render(isAble ? <App /> : <TooOld />, document.querySelector("#app")!)
