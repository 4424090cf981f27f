/**
 * libp2p's log goes nowhere: what matters is logged by this project, in its own words. One thing has no other sign than
 * a line of that log, and is told on: an inbound connection that could not be set up, as when network keys differ.
 */
import type { ComponentLogger, Logger } from "@libp2p/interface"

const silence = (): void => {}

const isError = (value: unknown): value is Error => value instanceof Error

export const make = (onInboundFailure: (cause: Error) => void): ComponentLogger => {
  const error = (format: unknown, ...args: ReadonlyArray<unknown>): void => {
    if (typeof format !== "string" || !format.startsWith("inbound connection upgrade failed")) return
    const cause = args.find(isError)
    if (cause !== undefined) onInboundFailure(cause)
  }
  // a function of its own, as it is written to
  const logger: Logger = Object.assign(() => {}, {
    error,
    trace: silence,
    enabled: false,
    newScope: () => logger
  })
  return { forComponent: () => logger }
}
