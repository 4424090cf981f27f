/**
 * Pictures that the tests take as they go, to be looked at: below the system's temporary directory, or where
 * `P2PMES_SCREENSHOTS` says, a path from the root of the project. `P2PMES_SCREENSHOTS=docs/images npm run test:browser`
 * makes those of the README anew.
 */
import { mkdirSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import type { Page } from "playwright-core"
import { expect } from "vitest"
import { root } from "./nodes.ts"

const chosen = process.env["P2PMES_SCREENSHOTS"]
/** Whether pictures are made for the README: worth some patience. */
export const isPublishing = chosen !== undefined
const folder = chosen === undefined ? join(tmpdir(), "p2p-mes-screenshots") : resolve(root, chosen)
/** Larger ones make the README slow. */
const bytesMax = 200 * 1_024

/** What stands in the README; all others are only to be looked at. */
export type Published = "chat-desktop" | "chat-phone" | "status"

const take = async (page: Page, name: string): Promise<void> => {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, `${name}.png`)
  await page.screenshot({ path, animations: "disabled", caret: "hide" })
  expect(statSync(path).size, `bytes of ${path}`).toBeLessThan(bytesMax)
}

export const picture = (page: Page, name: Published): Promise<void> => take(page, name)

/** One that the README does not show. */
export const glimpse = async (page: Page, name: string): Promise<void> => {
  if (!isPublishing) await take(page, name)
}
