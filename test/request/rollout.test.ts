// Which partitions get the enforced half of a policy: the same ones in every process and version.
import t from 'tap'
import { hashToUnit, selectRollout } from '../../lib/request/rollout.js'
import { createPolicy } from '../fixtures/decisions.js'

/** FNV-1a, and the final mix of MurmurHash3, in integers of any size. */
function hashExactly (text: string): number {
  const MASK = 0xffffffffn
  let hash = 0x811c9dc5n
  for (const character of text) hash = ((hash ^ BigInt(character.charCodeAt(0))) * 0x01000193n) & MASK
  hash = ((hash ^ (hash >> 16n)) * 0x85ebca6bn) & MASK
  hash = ((hash ^ (hash >> 13n)) * 0xc2b2ae35n) & MASK
  return Number(hash ^ (hash >> 16n)) / 2 ** 32
}

t.test('a text always has the same number', async (t) => {
  for (const text of ['', 'a', 'default 203.0.113.9', 'group:search user:42']) t.equal(hashToUnit(text), hashExactly(text), text)
})

t.test('a partition is in every share above its number', async (t) => {
  const shadow = createPolicy()
  const policy = createPolicy({ scope: 'group:search' })
  const number = hashToUnit('group:search user:42')
  t.equal(selectRollout(policy, { share: number, shadow }, 'user:42'), shadow)
  t.equal(selectRollout(policy, { share: number + 2 ** -32, shadow }, 'user:42'), policy)
})
