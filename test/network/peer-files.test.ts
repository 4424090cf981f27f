import { assert, describe, it } from "@effect/vitest"
import { generateKeyPair } from "@libp2p/crypto/keys"
import { peerIdFromPrivateKey } from "@libp2p/peer-id"
import { multiaddr } from "@multiformats/multiaddr"
import { createLibp2p } from "libp2p"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PeerFiles } from "../../src/layers/network/peer-files.ts"

describe("what is known of peers", () => {
  it("FAILURES 10: a change that is aborted at any moment costs a peer no address", async () => {
    const directory = mkdtempSync(join(tmpdir(), "p2p-mes-peers-"))
    try {
      const datastore = new PeerFiles(directory)
      await datastore.open()
      const { peerStore } = await createLibp2p({ start: false, datastore })
      const peer = peerIdFromPrivateKey(await generateKeyPair("Ed25519"))
      await peerStore.patch(peer, { multiaddrs: [multiaddr("/ip4/127.0.0.1/tcp/4001")] })
      for (let wait = 0; wait < 20; wait++) {
        const controller = new AbortController()
        const change = peerStore.merge(peer, { tags: { [`tag-${wait}`]: { value: 1 } } }, { signal: controller.signal })
        for (let i = 0; i < wait; i++) await Promise.resolve()
        controller.abort()
        await change.catch(() => {})
        const { addresses } = await peerStore.get(peer)
        assert.lengthOf(addresses, 1, `aborted after ${wait} microtasks`)
      }
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })
})
