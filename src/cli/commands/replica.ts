/** The files of a node, read without the node: what `verify` and `dump` share. */
import { Effect, Layer, Stream } from "effect"
import { existsSync } from "node:fs"
import { join } from "node:path"
import type { Kind, Record } from "../../domain/record.ts"
import * as Hashing from "../../layers/crypto/hashing.ts"
import { layerSqlite } from "../../layers/store/sqlite.ts"
import { Store, type StoreError } from "../../services/Store.ts"
import { failure } from "../failure.ts"

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

/** The store of a data directory for reading, beside a node that may be running. */
export const layerReplica = (directory: string) =>
  Layer.unwrap(Effect.suspend(() =>
    existsSync(join(directory, "messages.sqlite"))
      ? Effect.succeed(Layer.merge(layerSqlite({ directory, access: "read" }), Hashing.layer))
      : Effect.fail(failure(`${directory} is no data directory of a node; name one with --data`))
  ))
