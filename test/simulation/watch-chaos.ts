/** A short life of three nodes with faults, watched: for tests of those who watch. */
import * as Hlc from "../../src/domain/hlc.ts"
import type * as Ids from "../../src/domain/ids.ts"
import { goodDisk } from "../../src/testing/disk.ts"
import { Random } from "../../src/testing/random.ts"
import type { Draft } from "../../src/testing/users.ts"
import type { Stage } from "./watch-stage.ts"

/** Lets users act and faults strike, then heals all and lets time pass until the nodes must agree. */
export const live = (stage: Stage, seed: number): void => {
  const { alice, bob, carol, cluster, watching } = stage
  const random = new Random(`watched ${seed}`)
  const users = [alice, bob, carol]
  let ts = 0
  const earlier: Array<readonly [user: typeof alice, draft: Draft]> = []
  const act = () => {
    const node = random.pick(cluster.up)
    const user = random.pick(users)
    ts = Math.max(ts + 1, Math.floor(node.clock.wallMs))
    const op = (change: Partial<Ids.OpFields>): Draft => ({
      kind: "op",
      fields: {
        chatId: stage.chatId,
        actor: user.address,
        ts,
        node: node.id,
        op: 1,
        role: 0,
        targets: [random.pick(users).address],
        ...change
      }
    })
    const group = { kind: "group" as const, chatId: stage.chatId }
    const chatId = group.chatId
    const draft = random.weighted<() => Draft>([
      [4, () => ({
        kind: "message",
        place: group,
        fields: { chatId, sender: user.address, ts, msgType: 0, content: `text ${random.word()}` }
      })],
      [2, () => op({ role: random.chance(0.5) ? 1 : 0 })],
      [2, () => op({ op: 2 })],
      [1, () => op({ op: 3, targets: [], title: `title ${random.word()}` })],
      [1, () => ({
        kind: "read",
        place: group,
        fields: { chatId, reader: user.address, ts, upTo: Hlc.make(node.clock.wallMs - 100, 0) }
      })],
      [1, () => ({ kind: "identity", fields: { address: user.address, ts, blob: random.bytes(4) } })]
    ])()
    const [who, what] = earlier.length > 0 && random.chance(0.2) ? random.pick(earlier) : [user, draft] as const
    const here: Draft = what.kind === "op" ? { kind: "op", fields: { ...what.fields, node: node.id } } : what
    earlier.push([who, here])
    if (earlier.length > 10) earlier.shift()
    stage.write(who, here, random.chance(0.5), node)
  }
  const create = stage.create([bob], { atMs: 0 })
  stage.write(alice, { kind: "op", fields: { ...create, targets: [bob.address] } }, true)
  cluster.time.advance(2_000)
  for (let step = 0; step < 80; step++) {
    const node = random.pick(cluster.nodes)
    if (random.chance(0.1) && cluster.up.length > 1 && node.isUp) node.crash(random.chance(0.5))
    else if (random.chance(0.05) && cluster.up.length > 1 && node.isUp) node.stop()
    else if (!node.isUp && random.chance(0.5)) {
      if (random.chance(0.3)) node.disk.wipe()
      node.begin()
    }
    if (random.chance(0.1)) cluster.partition([0], [1, 2])
    if (random.chance(0.2)) cluster.heal()
    watching.sample()
    if (random.chance(0.15)) node.clock.set({ skewMs: random.between(-25_000, 25_000) })
    if (random.chance(0.1)) node.disk.conditions = { ...goodDisk, failRate: 0.5, commitMsMax: 200 }
    if (random.chance(0.2)) node.disk.conditions = goodDisk
    for (let acts = random.between(0, 4); acts > 0 && cluster.up.length > 0; acts--) {
      act()
      if (random.chance(0.5)) cluster.time.advance(random.unit() * 50)
    }
    cluster.time.advance(random.unit() * 3_000)
    watching.sample()
  }
  cluster.heal()
  for (const node of cluster.nodes) {
    node.disk.conditions = goodDisk
    watching.sample()
    node.clock.set({ skewMs: 0 })
    node.start()
  }
  cluster.time.advance(240_000)
}
