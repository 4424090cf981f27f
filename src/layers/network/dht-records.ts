/**
 * What other nodes leave here as part of the distributed hash table. It is used to find peers only, which needs no
 * records at all, and whoever likes may send some: so they are kept in memory, the oldest giving way (FAILURES 4).
 */
import { MemoryDatastore } from "datastore-core"
import { dhtRecordsMax } from "./bounds.ts"

type Key = Parameters<MemoryDatastore["put"]>[0]

export class DhtRecords extends MemoryDatastore {
  readonly #keys = new Map<string, Key>()

  override put(key: Key, value: Uint8Array): Key | Promise<Key> {
    const name = key.toString()
    this.#keys.delete(name)
    this.#keys.set(name, key)
    for (const [oldest, oldestKey] of this.#keys) {
      if (this.#keys.size <= dhtRecordsMax) break
      this.#keys.delete(oldest)
      void super.delete(oldestKey)
    }
    return super.put(key, value)
  }

  override delete(key: Key): void | Promise<void> {
    this.#keys.delete(key.toString())
    return super.delete(key)
  }
}
