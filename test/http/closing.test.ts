import { assert, describe, it } from "@effect/vitest"
import { once } from "node:events"
import { Agent, get } from "node:http"
import type { AddressInfo } from "node:net"
import { FirstServer } from "../../src/layers/http/listener.ts"

describe("a server that closes", () => {
  it("does not wait for a connection that is kept alive with nothing more to do", async () => {
    const server = new FirstServer({ keepAliveTimeout: 60_000 }, (_, response) => {
      // it is closing before the answer is out
      server.close()
      setTimeout(() => response.end("the last answer"), 20)
    })
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const agent = new Agent({ keepAlive: true })
    const closed = once(server, "close")
    const request = get({ agent, port: (server.address() as AddressInfo).port, host: "127.0.0.1" })
    const [response] = await once(request, "response")
    const text = await new Response(response as never).text()
    assert.strictEqual(text, "the last answer")
    // its client would keep it for a minute
    await closed
    agent.destroy()
  }, 10_000)
})
