/** Addresses of nodes, as people write them. */
import * as Result from "effect/Result"

/** Reads the base address of a node: `http://` may be left out. Gives it without a slash at its end. */
export const parseUrl = (input: string): Result.Result<string, string> => {
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(input) ? input : `http://${input}`
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    return Result.fail(`expected the address of a node, such as http://127.0.0.1:4280, got ${input}`)
  }
  // put together anew: a query or fragment without a text is shown by `href` alone
  return url.search === "" && url.hash === "" && url.username === "" && url.password === ""
    ? Result.succeed(`${url.origin}${url.pathname}`.replace(/\/+$/, ""))
    : Result.fail("the address of a node has no query, fragment, user name or password")
}
