/**
 * The nodes that the page talks to: the one that served it, and further ones that the user names. The first that answers
 * gets everything; the others stand by.
 */
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Result from "effect/Result"
import { Entropy } from "../client/Entropy.ts"
import * as NodeClient from "../client/NodeClient.ts"
import type { Signer } from "../client/Signer.ts"
import { parseUrl } from "../client/url.ts"
import { ownNodeUrl } from "./route.ts"
import * as Stored from "./stored.ts"

const furtherMax = 8

const isText = (value: unknown): value is string => typeof value === "string"

const read = (): ReadonlyArray<string> => {
  try {
    const value: unknown = JSON.parse(Stored.read("nodes") ?? "[]")
    return Array.isArray(value) ? value.filter(isText).slice(0, furtherMax) : []
  } catch {
    return []
  }
}

/** Addresses of nodes, the page's own first. */
export const urls = (): ReadonlyArray<string> => [...new Set([ownNodeUrl(), ...read()])]

/** Adds a node by its address; fails with what is wrong with it. */
export const add = (text: string): Result.Result<string, string> => {
  const url = parseUrl(text.trim())
  if (Result.isFailure(url)) return Result.fail("This is no address of a node, such as http://192.168.1.20:4280.")
  if (urls().includes(url.success)) return Result.fail("This node is in the list already.")
  if (read().length >= furtherMax) return Result.fail(`${furtherMax} further nodes are enough: remove one first.`)
  if (location.protocol === "https:" && url.success.startsWith("http:")) {
    return Result.fail("This page was loaded over https, so the browser lets it reach nodes over https only.")
  }
  Stored.write("nodes", JSON.stringify([...read(), url.success]))
  return url
}

export const remove = (url: string): void => {
  Stored.write("nodes", JSON.stringify(read().filter((each) => each !== url)))
}

/** Clients of `signer`, one a node, each made when it is first asked for. */
export const clientsOf = (signer: Signer, urls: ReadonlyArray<string>): (url: string) => NodeClient.NodeClient => {
  const made = new Map<string, NodeClient.NodeClient>()
  return (url) => {
    const client = made.get(url) ?? Effect.runSync(
      NodeClient.make({ url, signer, alternates: urls.filter((each) => each !== url) }).pipe(
        Effect.provide([FetchHttpClient.layer, Entropy.layer])
      )
    )
    made.set(url, client)
    return client
  }
}
