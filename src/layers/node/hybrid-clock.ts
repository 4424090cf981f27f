/** The hybrid logical clock over Effect's `Clock`, resumed from the store. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Hlc from "../../domain/hlc.ts"
import { HybridClock } from "../../services/HybridClock.ts"
import { Store } from "../../services/Store.ts"

export const layer = Layer.effect(
  HybridClock,
  Effect.gen(function*() {
    const clock = yield* Clock.Clock
    let last = yield* (yield* Store).clock
    const wall = () => clock.currentTimeMillisUnsafe()
    return HybridClock.of({
      send: () => last = Hlc.send(last, wall()),
      receive: (remote) => {
        last = Result.getOrElse(Hlc.receive(last, remote, wall()), () => last)
      },
      wall,
      last: () => last
    })
  })
)
