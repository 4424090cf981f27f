/** Light or dark: what the system says, unless somebody chose here. The choice stays in this browser. */
import { effect, signal } from "@preact/signals"
import * as Stored from "./stored.ts"

export const themes = ["system", "light", "dark"] as const
export type Theme = typeof themes[number]

const isTheme = (value: unknown): value is Theme => themes.includes(value as Theme)

const kept = Stored.read("theme")

/** The choice; set it to change the page. */
export const theme = signal<Theme>(isTheme(kept) ? kept : "system")

effect(() => {
  const chosen = theme.value
  if (chosen === "system") delete document.documentElement.dataset["theme"]
  else document.documentElement.dataset["theme"] = chosen
  if (chosen !== (Stored.read("theme") ?? "system")) Stored.write("theme", chosen)
})
