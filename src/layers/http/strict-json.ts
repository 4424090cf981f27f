/**
 * JSON without repeated keys. `JSON.parse` takes the last of two and says nothing, so two readers of one signed text could
 * see two things; what it accepts is walked once more here, without recursion.
 */
import * as Result from "effect/Result"

/** Where the string that begins at `start` ends: the index of its closing quote. The text is valid JSON. */
const endOfString = (text: string, start: number): number => {
  const quote = text.indexOf("\"", start + 1)
  // most strings hold no quote: searching for it is ten times as fast as looking at each character
  if (text.charCodeAt(quote - 1) !== 0x5c) return quote
  for (let i = start + 1;; i++) {
    const unit = text.charCodeAt(i)
    if (unit === 0x5c) i++
    else if (unit === 0x22) return i
  }
}

/** Nobody's message is nested deeper. */
const depthMax = 64

/** A key that stands twice in one object of valid JSON, or too many levels; else `undefined`. */
const structureProblem = (text: string): string | undefined => {
  // one entry a level: the keys of an object, nothing for an array
  const levels: Array<Set<string> | undefined> = []
  let isKey = false
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x22: { // "
        const end = endOfString(text, i)
        if (isKey) {
          const raw = text.slice(i, end + 1)
          const key = raw.includes("\\") ? JSON.parse(raw) as string : raw.slice(1, -1)
          const keys = levels.at(-1)!
          if (keys.has(key)) return `the key ${JSON.stringify(key.slice(0, 64))} stands twice`
          keys.add(key)
          isKey = false
        }
        i = end
        break
      }
      case 0x7b: // {
      case 0x5b: // [
        if (levels.length === depthMax) return `it is nested more than ${depthMax} deep`
        isKey = text.charCodeAt(i) === 0x7b
        levels.push(isKey ? new Set() : undefined)
        break
      case 0x7d: // }
      case 0x5d: // ]
        levels.pop()
        isKey = false
        break
      case 0x2c: // ,
        isKey = levels.at(-1) !== undefined
        break
    }
  }
  return undefined
}

/** The value of `text`; the failure says why it is not JSON in this sense. */
export const parse = (text: string): Result.Result<unknown, string> => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return Result.fail(error instanceof Error ? error.message : String(error))
  }
  const problem = structureProblem(text)
  return problem === undefined ? Result.succeed(value) : Result.fail(problem)
}

/** Why `text` is not JSON in this sense, or `undefined`. */
export const problemOf = (text: string): string | undefined => {
  const value = parse(text)
  return Result.isFailure(value) ? value.failure : undefined
}
