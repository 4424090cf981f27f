/**
 * What keys do in a conversation. Pure: from what was typed to a {@link Command}; the rest is done in `session.ts`.
 *
 * Text that is pasted comes between two marks (bracketed paste) and is only ever text: a line feed in it sends nothing,
 * and a control character in it does nothing.
 */
import * as Option from "effect/Option"
import type { UserInput } from "effect/Terminal"
import type { Move } from "./editor.ts"

export type Command =
  | { readonly type: "insert"; readonly text: string }
  | { readonly type: "move" | "erase"; readonly to: Move }
  /** Through the history: pages or lines up (positive), or to its end. */
  | { readonly type: "scroll"; readonly pages: number }
  | { readonly type: "scroll-lines"; readonly lines: number }
  | { readonly type: "end" | "send" | "retry" | "redraw" | "suspend" | "quit" | "quit-if-empty" }

const move = (to: Move): Command => ({ type: "move", to })
const erase = (to: Move): Command => ({ type: "erase", to })
const newLine: Command = { type: "insert", text: "\n" }

/** By name, with `ctrl+` or `alt+` before it. */
const commands: Readonly<Record<string, Command>> = {
  "return": { type: "send" },
  // Ctrl-J is the line feed, Enter the carriage return
  "enter": newLine,
  "alt+return": newLine,
  "alt+enter": newLine,
  "left": move("left"),
  "right": move("right"),
  "ctrl+b": move("left"),
  "ctrl+f": move("right"),
  "ctrl+left": move("word-left"),
  "alt+left": move("word-left"),
  "alt+b": move("word-left"),
  "ctrl+right": move("word-right"),
  "alt+right": move("word-right"),
  "alt+f": move("word-right"),
  "home": move("line-start"),
  "ctrl+a": move("line-start"),
  "end": move("line-end"),
  "ctrl+e": move("line-end"),
  "backspace": erase("left"),
  "delete": erase("right"),
  "ctrl+w": erase("word-left"),
  "alt+backspace": erase("word-left"),
  "alt+d": erase("word-right"),
  "ctrl+delete": erase("word-right"),
  "ctrl+u": erase("line-start"),
  "ctrl+k": erase("line-end"),
  "pageup": { type: "scroll", pages: 1 },
  "pagedown": { type: "scroll", pages: -1 },
  // a mouse wheel sends these on the alternate screen
  "up": { type: "scroll-lines", lines: 1 },
  "down": { type: "scroll-lines", lines: -1 },
  // Escape alone
  "alt+escape": { type: "end" },
  "ctrl+r": { type: "retry" },
  "ctrl+l": { type: "redraw" },
  "ctrl+z": { type: "suspend" },
  "ctrl+c": { type: "quit" },
  "ctrl+d": { type: "quit-if-empty" }
}

// oxlint-disable-next-line no-control-regex -- control characters are keys, not text
const control = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g

/** Text as it may be part of a message: ends of lines and tabs are all that steers. */
const textOf = (input: string): string => input.replace(/\r\n?/g, "\n").replace(control, "")

/** Reads keys one after the other; it has to know whether a paste is under way. */
export class Keys {
  #pasting = false
  #afterReturn = false

  /** `undefined`: the key does nothing. */
  read({ input, key }: UserInput): Command | undefined {
    if (key.name === "paste-start" || key.name === "paste-end") {
      this.#pasting = key.name === "paste-start"
      return undefined
    }
    const typed = textOf(Option.getOrElse(input, () => ""))
    if (this.#pasting) {
      // the second half of an end of line as Windows has it
      const isRest = this.#afterReturn && key.name === "enter"
      this.#afterReturn = key.name === "return"
      return typed === "" || isRest ? undefined : { type: "insert", text: typed }
    }
    const name = `${key.ctrl ? "ctrl+" : ""}${key.meta ? "alt+" : ""}${key.name}`
    if (Object.hasOwn(commands, name)) return commands[name]
    return key.ctrl || key.meta || typed === "" ? undefined : { type: "insert", text: typed }
  }
}
