/** Times as people read them, in the language and zone of the browser. Times are ms since the epoch. */

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" })
const sameYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" })
const anyYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" })
const longDay = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long", year: "numeric" })
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" })

/** Days that are equal have equal keys. */
export const dayKey = (ms: number): string => {
  const date = new Date(ms)
  return `${date.getFullYear()}-${date.getMonth()}-${date.getDate()}`
}

const yesterday = (nowMs: number): string => {
  const date = new Date(nowMs)
  return dayKey(new Date(date.getFullYear(), date.getMonth(), date.getDate() - 1).getTime())
}

export const clockTime = (ms: number): string => clock.format(ms)

export const exactTime = (ms: number): string => exact.format(ms)

/** The day as a heading. */
export const dayName = (ms: number, nowMs: number): string => {
  const key = dayKey(ms)
  return key === dayKey(nowMs) ? "Today" : key === yesterday(nowMs) ? "Yesterday" : longDay.format(ms)
}

/** As short as can be: the time today, else the day. */
export const shortTime = (ms: number, nowMs: number): string => {
  const key = dayKey(ms)
  if (key === dayKey(nowMs)) return clockTime(ms)
  if (key === yesterday(nowMs)) return "Yesterday"
  return (new Date(ms).getFullYear() === new Date(nowMs).getFullYear() ? sameYear : anyYear).format(ms)
}
