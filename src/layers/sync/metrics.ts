/** What sync counts. Updates are plain calls, as in `layers/node/metrics.ts`. */
import * as Effect from "effect/Effect"
import type { Round } from "../../services/Sync.ts"
import { counter, labelled } from "../labelled.ts"

const rounds = counter("p2p_mes_sync_rounds_total", "Rounds of sync, by result, whoever began")
const records = counter("p2p_mes_sync_records_total", "Records that sync brought (pulled) or sent (pushed)")
const bytes = counter("p2p_mes_sync_bytes_total", "Bytes of sync frames, both ways")

export const make = Effect.map(Effect.context<never>(), (context) => {
  const countRound = labelled(rounds, "result", context)
  const countRecords = labelled(records, "way", context)
  return {
    round: ({ bytes: length, pulled, pushed, result }: Round): void => {
      countRound(result)
      if (pulled > 0) countRecords("pulled", pulled)
      if (pushed > 0) countRecords("pushed", pushed)
      bytes.updateUnsafe(length, context)
    }
  }
})
