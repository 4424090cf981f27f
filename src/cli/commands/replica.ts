/** The files of a node, read without the node: what `verify` and `dump` share. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { existsSync } from "node:fs"
import { join } from "node:path"
import type { Kind, Record } from "../../domain/record.ts"
import * as Hashing from "../../layers/crypto/hashing.ts"
import { layerSqlite } from "../../layers/store/sqlite.ts"
import { Store, type StoreError } from "../../services/Store.ts"
import { failure } from "../failure.ts"
import * as NetworkKey from "../network-key.ts"

const pageRecords = 1_000

/** All records of a kind, by ascending id, a page at a time. */
export const recordPages = (kind: Kind): Stream.Stream<ReadonlyArray<Record>, StoreError, Store> =>
  Stream.unwrap(Effect.map(Store, (store) => {
    const from = (afterId: string | undefined): Stream.Stream<ReadonlyArray<Record>, StoreError> =>
      Stream.unwrap(Effect.map(store.scan({ kind, afterId, limit: pageRecords }), (page) =>
        page.length < pageRecords
          ? Stream.make(page)
          : Stream.concat(Stream.make(page), Stream.suspend(() => from(page.at(-1)!.id)))))
    return from(undefined)
  }))

export interface ReplicaOptions {
  /** The data directory. */
  readonly data: string
  /** File with the key of the private network that the records are of. */
  readonly networkKey: string | undefined
}

/**
 * The store of a data directory: for reading, beside a node that may be running; or for writing, which takes the
 * directory's lock and fails while a node has it.
 */
export const layerReplica = ({ data, networkKey }: ReplicaOptions, access: "read" | "write" = "read") =>
  Layer.unwrap(Effect.gen(function*() {
    if (!existsSync(join(data, "messages.sqlite"))) {
      return yield* failure(`${data} is no data directory of a node; name one with --data`)
    }
    const leafKey = yield* NetworkKey.read(networkKey)
    return Layer.merge(layerSqlite({ directory: data, access, leafKey }), Hashing.layer)
  }))
