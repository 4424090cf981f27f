/** Time for pauses and waits: unlike the wall clock, it is never set back, which would put off every dial until it is over. */

/** Ms since the process began. */
export const steadyMs = (): number => performance.now()
