/** What `sim` does unless an option says otherwise. */

/** Runs in a series. */
export const seeds = 20
/** Steps of a run. */
export const steps = 46
/** Seconds for one run, on a machine that may be busy. */
export const timeLimit = 120
