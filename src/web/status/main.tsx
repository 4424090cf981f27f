/**
 * The operator page: how this node does and how it stands with its peers, live. It asks only what anyone may ask, signs
 * nothing, and asks nothing while nobody looks at it.
 */
import { effect, signal } from "@preact/signals"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import { render } from "preact"
import { Entropy } from "../../client/index.ts"
import { defaultInterval, type Interval, watch } from "./looking.ts"
import { Page } from "./Page.tsx"
import { advance, type State } from "./state.ts"

const state = signal<State | undefined>(undefined)
const seconds = signal<Interval>(defaultInterval)
const isPaused = signal(false)

const isHidden = signal(document.hidden)
document.addEventListener("visibilitychange", () => {
  isHidden.value = document.hidden
})

const mayLook = Latch.makeUnsafe()
effect(() => {
  if (isHidden.value || isPaused.value) mayLook.closeUnsafe()
  else mayLook.openUnsafe()
})

render(<Page state={state} seconds={seconds} isPaused={isPaused} />, document.querySelector("#app")!)

Effect.runFork(
  watch({
    // where the API is, also below the path of a proxy
    url: new URL(".", location.href).href.replace(/\/$/, ""),
    mayLook,
    seconds: () => seconds.value,
    tell: (look) => {
      state.value = advance(state.value, look)
    }
  }).pipe(Effect.provide(Layer.mergeAll(FetchHttpClient.layer, Entropy.layer)))
)
