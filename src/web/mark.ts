/**
 * A small coloured figure for an address or a group, always the same for the same id: a help to the eye, not a proof, since
 * similar ones can be made by trying. Five by five fields, the right half mirrors the left.
 */

export interface Mark {
  /** Degrees on the wheel of colours. */
  readonly hue: number
  /** Path of the filled fields in a square of 7 by 7, with one free around. */
  readonly path: string
}

const known = new Map<string, Mark>()
const knownMax = 500

const drawn = (id: string): Mark => {
  // ids are hashes, so any of their bits will do
  const bits = Number.parseInt(id.slice(0, 4), 16)
  let path = ""
  for (let field = 0; field < 15; field++) {
    if ((bits >> field & 1) === 0) continue
    const [column, row] = [field % 3, Math.floor(field / 3)]
    for (const x of column === 2 ? [3] : [column + 1, 5 - column]) path += `M${x} ${row + 1}h1v1h-1z`
  }
  return { hue: Math.round(Number.parseInt(id.slice(4, 8), 16) / 65_536 * 24) * 15 % 360, path }
}

/** `id`: hex without `0x`. */
export const markOf = (id: string): Mark => {
  const found = known.get(id)
  if (found !== undefined) return found
  if (known.size >= knownMax) known.clear()
  const mark = drawn(id)
  known.set(id, mark)
  return mark
}
