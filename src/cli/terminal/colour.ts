/**
 * Colour and weight, where they are wanted: on a terminal that can, unless NO_COLOR is set; and elsewhere where
 * FORCE_COLOR asks for it. The same rule as that of the help pages. What a colour says, words say too.
 */
const codes = {
  bold: 1,
  faint: 2,
  inverse: 7,
  red: 31,
  green: 32,
  yellow: 33,
  blue: 34,
  magenta: 35,
  cyan: 36
} as const

export type Style = keyof typeof codes

type Environment = Readonly<Record<string, string | undefined>>

const isSet = (value: string | undefined): value is string => value !== undefined && value !== ""

/** Whether what is written there may have colours. */
export const paints = (stream: { readonly isTTY?: boolean }, env: Environment = process.env): boolean => {
  const forced = env["FORCE_COLOR"]
  return env["TERM"] !== "dumb" && !isSet(env["NO_COLOR"])
    && (stream.isTTY === true || (isSet(forced) && forced !== "0" && forced.toLowerCase() !== "false"))
}

export const styled = (text: string, style: Style): string => `\x1b[${codes[style]}m${text}\x1b[0m`

const paint = (style: Style) => (text: string, stream: NodeJS.WriteStream = process.stdout): string =>
  paints(stream) ? styled(text, style) : text

export const bold = paint("bold")
export const faint = paint("faint")
export const red = paint("red")
export const green = paint("green")
export const yellow = paint("yellow")
