/** However often an admin changes a role, one removal still takes the member out (SPEC §5.2: at most 4 096 observed). */
import { assert, describe, it } from "@effect/vitest"
import { call, newGroup, op, user } from "./fixture.ts"
import { shared, steered } from "./steered-node.ts"

const node = shared(steered())
const [alice, bob] = [user(1), user(2)]

describe("a member whose role is changed again and again", () => {
  it("is refused another change before her dots are more than a removal can name, and can be removed", async () => {
    const { chatId, create } = newGroup(node(), alice, 77, { targets: [bob.address] })
    assert.strictEqual((await call(node(), alice, create)).status, 202)
    let changes = 0
    let last = 202
    for (; changes < 40 && last === 202; changes++) {
      const role = changes % 2 === 0 ? "admin" : "member"
      const answer = await call(node(), alice, op(node(), alice, chatId, { op: "add", role, targets: [bob.address] }))
      last = answer.status
      if (last !== 202) assert.include(answer.body.message, "remove her first")
    }
    assert.strictEqual(last, 403)
    const removed = await call(node(), alice, op(node(), alice, chatId, { op: "remove", targets: [bob.address] }))
    assert.strictEqual(removed.status, 202)
    const members = await call(node(), alice, { method: "GET", path: `/groups/0x${chatId}/members` })
    assert.strictEqual(members.body.members.length, 1)
    // and starts anew
    const again = await call(node(), alice, op(node(), alice, chatId, { op: "add", targets: [bob.address] }))
    assert.strictEqual(again.status, 202)
  })
})
