/**
 * What is known of peers, as files.
 *
 * A read is never aborted: the peer store takes an aborted one for a peer that nothing is known of, and writes what it
 * was about to add in place of the rest. So a tag set while the node ended cost a peer its addresses
 * (`@libp2p/peer-store` 12.0.28, `#findExistingPeer`).
 */
import { FsDatastore } from "datastore-fs"

export class PeerFiles extends FsDatastore {
  override get(key: Parameters<FsDatastore["get"]>[0]): ReturnType<FsDatastore["get"]> {
    return super.get(key)
  }
}
