/** What most of the screen does most of the time: stay as it is. */
import { Component, type ComponentChildren, type ComponentClass } from "preact"

/** A component that is drawn anew only when one of its properties is another value. It uses no signals and no hooks. */
export const kept = <P extends object>(
  draw: (props: P) => ComponentChildren
): ComponentClass<P> =>
  class extends Component<P> {
    override shouldComponentUpdate(next: P): boolean {
      return (Object.keys(next) as Array<keyof P>).some((name) => next[name] !== this.props[name])
    }

    override render() {
      return draw(this.props)
    }
  }
