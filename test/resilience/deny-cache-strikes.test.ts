// The deny cache keeps no strike from the store, and it knows the blocks that the store told of.
import t from 'tap'
import type { Charge } from '../../lib/stores/store.js'
import { createCachedStore, createCharge, takeOrFail } from '../fixtures/cached-store.js'
import { limitOf, penaltyWith, SECOND_US } from '../fixtures/limits.js'

const penalty = penaltyWith({ strikes: 10, withinUs: 600 * SECOND_US, cooldownUs: 30 * SECOND_US })
const slow = limitOf({ max: 1, windowUs: 100 * SECOND_US, penalty })
const never = limitOf({ max: 1, windowUs: 100 * SECOND_US, bucket: 'app/never' })

t.test('a refusal that is a strike always reaches the store, until they made a block', async (t) => {
  const { store, cache } = createCachedStore()
  await takeOrFail(cache, [createCharge(slow)])
  for (let i = 0; i < 9; i++) t.same((await takeOrFail(cache, [createCharge(slow)])).blocks, [])
  t.strictSame((await takeOrFail(cache, [createCharge(slow)])).blocks, [{ partition: 'a', blockedUs: 30 * SECOND_US, began: true }], 'as without the cache')
  t.equal(store.takes, 11)
  for (let i = 0; i < 9; i++) await takeOrFail(cache, [createCharge(slow)])
  t.equal(store.takes, 11, 'the block is remembered')
})

t.test('who waits as he was told is served, and not blocked for strikes of before', async (t) => {
  const { clock, cache } = createCachedStore()
  for (let i = 0; i < 9; i++) await takeOrFail(cache, [createCharge(slow)])
  clock.advance(100 * SECOND_US)
  t.match(await takeOrFail(cache, [createCharge(slow)]), { granted: true, blocks: { length: 0 } })
})

t.test('what is no strike is remembered', async (t) => {
  const cases: ReadonlyArray<readonly [string, Charge]> = [
    ['without a penalty', createCharge(never)],
    ['by a global limit', createCharge({ ...slow, by: 'global' })],
    ['of a cost above the capacity', createCharge(slow, 'a', 2)],
    ['under max 0', createCharge(limitOf({ max: 0, penalty }))]
  ]
  for (const [title, one] of cases) {
    const { store, cache } = createCachedStore()
    await takeOrFail(cache, [one])
    await takeOrFail(cache, [one])
    const { takes } = store
    for (let i = 0; i < 5; i++) await takeOrFail(cache, [one])
    t.equal(store.takes, takes, title)
  }
})

t.test('a block that began is told of once, also by the cache', async (t) => {
  const { clock, store, cache } = createCachedStore()
  let began = 0
  for (let i = 0; i < 290; i++) {
    const { blocks } = await takeOrFail(cache, [createCharge(slow)])
    began += blocks.filter((block) => block.began).length
    clock.advance(SECOND_US / 10)
  }
  t.equal(began, 1)
  t.ok(store.takes < 60)
})

t.test('waits and blocks of a remembered refusal are over by its age', async (t) => {
  const { clock, store, cache } = createCachedStore()
  await takeOrFail(cache, [{ ...createCharge(slow), strikes: 10 }])
  clock.advance(700_000)
  t.match(await takeOrFail(cache, [createCharge(slow)]), {
    granted: false,
    standings: [{ granted: false, blockedUs: 29_300_000, retryUs: 29_300_000 }],
    blocks: [{ partition: 'a', blockedUs: 29_300_000, began: false }]
  })
  t.equal(store.takes, 1)
  clock.advance(300_000)
  await takeOrFail(cache, [createCharge(slow)])
  t.equal(store.takes, 2, 'believed for a second at most: another instance may have lifted it')
})

t.test('a reset forgets strikes and blocks', async (t) => {
  const { clock, cache } = createCachedStore()
  for (let i = 0; i < 9; i++) await takeOrFail(cache, [createCharge(slow)])
  await cache.reset([slow], 'a')
  clock.advance(SECOND_US)
  t.match(await takeOrFail(cache, [createCharge(slow)]), { granted: true, blocks: { length: 0 } })
  await takeOrFail(cache, [{ ...createCharge(slow), strikes: 10 }])
  t.not(cache.findKnownBlock([createCharge(slow)]), null)
  await cache.reset([slow], 'a')
  t.equal(cache.findKnownBlock([createCharge(slow)]), null)
})

t.test('a known block holds to its end while the store is down, also for other limits of its penalty', async (t) => {
  const { clock, store, cache } = createCachedStore()
  await takeOrFail(cache, [{ ...createCharge(slow), strikes: 10 }])
  store.isDown = true
  clock.advance(10 * SECOND_US)
  const other = limitOf({ bucket: 'app/other', penalty: penaltyWith({ bucket: penalty.bucket }) })
  const charges = [createCharge(other), createCharge(slow), createCharge(never), createCharge(other, 'b')]
  t.same(await cache.take(charges), { unavailable: 'deadline' })
  const receipt = cache.findKnownBlock(charges)
  t.match(receipt, {
    granted: false,
    standings: [
      { limit: other, partition: 'a', charged: 0, granted: false, remaining: 0, retryUs: 20 * SECOND_US, blockedUs: 20 * SECOND_US },
      { limit: slow, granted: false, blockedUs: 20 * SECOND_US },
      { limit: never, granted: true, remaining: 1, retryUs: 0, blockedUs: 0 },
      { partition: 'b', granted: true, remaining: 10, blockedUs: 0 }
    ]
  })
  t.strictSame(receipt?.blocks, [{ partition: 'a', blockedUs: 20 * SECOND_US, began: false }])
  clock.advance(20 * SECOND_US - 1)
  t.match(cache.findKnownBlock(charges), { blocks: [{ blockedUs: 1 }] })
  clock.advance(1)
  t.equal(cache.findKnownBlock(charges), null)
})

t.test('a known block is cut to the longest cooldown of the rule that asks', async (t) => {
  const { cache } = createCachedStore()
  await takeOrFail(cache, [{ ...createCharge(slow), strikes: 10 }])
  const changed = { ...slow, penalty: { ...penalty, maxCooldownUs: SECOND_US } }
  t.match(cache.findKnownBlock([createCharge(changed)]), { blocks: [{ blockedUs: SECOND_US }] })
})

t.test('nobody is blocked who was not, nor after the store let the partition in again', async (t) => {
  const { clock, store, cache } = createCachedStore()
  await takeOrFail(cache, [createCharge(slow)])
  t.equal(cache.findKnownBlock([createCharge(slow)]), null)
  t.equal(cache.findKnownBlock([]), null)
  await takeOrFail(cache, [{ ...createCharge(slow), strikes: 10 }])
  // Another instance lifts it.
  store.reset([slow], 'a')
  clock.advance(SECOND_US)
  await takeOrFail(cache, [createCharge(slow)])
  t.equal(cache.findKnownBlock([createCharge(slow)]), null)
})

t.test('blocks of requests that are never cached are known too', async (t) => {
  const { cache } = createCachedStore()
  const charges = [createCharge(slow, 'a'), createCharge(slow, 'b')]
  for (let i = 0; i < 11; i++) await takeOrFail(cache, charges)
  t.equal(cache.findKnownBlock(charges)?.blocks.length, 2)
})

t.test('of many blocks those of two generations are known', async (t) => {
  const { cache } = createCachedStore()
  for (let i = 0; i < 50_000; i++) await takeOrFail(cache, [{ ...createCharge(slow, `p${i}`), strikes: 10 }])
  let known = 0
  for (let i = 0; i < 50_000; i++) if (cache.findKnownBlock([createCharge(slow, `p${i}`)]) !== null) known++
  t.ok(known >= 10_000 && known <= 20_000, `${known} are known`)
})

t.test('a limit without a penalty is sent as it came', async (t) => {
  const { store, cache } = createCachedStore()
  const charges = [createCharge(never)]
  const seen: Array<readonly Charge[]> = []
  const take = store.take.bind(store)
  store.take = async (sent: readonly Charge[]) => {
    seen.push(sent)
    return await take(sent)
  }
  await takeOrFail(cache, charges)
  t.equal(seen[0], charges)
})
