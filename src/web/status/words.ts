/** Numbers, sizes and times as people read them: always with their unit. */

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 })
const fine = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 })
const narrowSpace = "\u202f"

const spaced = (text: string): string => text.replaceAll(",", narrowSpace)

/** Whole above 100, three digits below: `1 234`, `12.3`, `0.04`. */
export const number = (value: number): string => spaced((Math.abs(value) >= 100 ? grouped : fine).format(value))

/** `1 peer`, `2 peers`. */
export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${number(count)} ${count === 1 ? one : many}`

/** Of a share from 0 to 1: 100 % only when all of it is there. */
export const percent = (share: number): string => `${Math.floor(share * 100)} %`

const sizes = ["B", "KiB", "MiB", "GiB", "TiB"] as const

export const bytes = (value: number): string => {
  const step = value < 1 ? 0 : Math.min(sizes.length - 1, Math.floor(Math.log2(value) / 10))
  return `${number(value / 2 ** (10 * step))} ${sizes[step]}`
}

/** A length of time in the largest unit that says enough: `45 s`, `3 min`, `5 h`, `4 days`. */
export const span = (ms: number): string => {
  const s = Math.max(0, Math.round(ms / 1_000))
  if (s < 120) return `${s} s`
  if (s < 7_200) return `${Math.round(s / 60)} min`
  return s < 172_800 ? `${Math.round(s / 3_600)} h` : `${Math.round(s / 86_400)} days`
}

export const ago = (ms: number): string => ms < 1_000 ? "just now" : `${span(ms)} ago`

/** Short lengths of time: `0.4 ms`, `12 ms`, `1.2 s`. */
export const milliseconds = (ms: number): string =>
  Math.abs(ms) < 1_000 ? `${number(ms)} ms` : `${number(ms / 1_000)} s`

/** How one clock stands to this node's, `offsetMs` above 0 being later. */
export const clockOffset = (offsetMs: number): string => {
  const rounded = Math.round(offsetMs)
  return rounded === 0 ? "same time" : `${milliseconds(Math.abs(rounded))} ${rounded > 0 ? "later" : "earlier"}`
}

const twoDigits = (value: number): string => String(value).padStart(2, "0")

/** Local time of day, with the date when that is not today's: `14:03:09`, `2026-11-03 14:03:09`. */
export const timeOfDay = (ms: number, nowMs: number): string => {
  const at = new Date(ms)
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(twoDigits).join(":")
  if (at.toDateString() === new Date(nowMs).toDateString()) return time
  return `${at.getFullYear()}-${twoDigits(at.getMonth() + 1)}-${twoDigits(at.getDate())} ${time}`
}

/** The two ends of something long, for a place that is narrow. */
export const shortened = (text: string, ends = 8): string =>
  text.length <= 2 * ends + 1 ? text : `${text.slice(0, ends)}…${text.slice(-ends)}`

/** Without the peer's id, which stands beside it. */
export const withoutId = (multiaddr: string): string => multiaddr.replace(/\/p2p\/[^/]+$/, "")
