import t from 'tap'
import { DenyCache } from '../../lib/resilience/deny-cache.js'
import { MemoryStore } from '../../lib/stores/memory/store.js'
import type { Charge, Receipt } from '../../lib/stores/store.js'
import { createCachedStore, createCharge, takeOrFail } from '../fixtures/cached-store.js'
import { limitOf, SECOND_US } from '../fixtures/limits.js'
import { ManualClock } from '../fixtures/manual-clock.js'
import { scaleToLane } from '../fixtures/lane.js'

/** Take until it is refused; answers the refusal. */
async function exhaust (cache: DenyCache, charges: readonly Charge[]): Promise<Receipt> {
  for (;;) {
    const receipt = await takeOrFail(cache, charges)
    if (!receipt.granted) return receipt
  }
}

const slow = limitOf({ max: 10, windowUs: 100 * SECOND_US })

t.test('a refused partition is answered without the store, for a second at most', async (t) => {
  const { clock, store, cache } = createCachedStore()
  await exhaust(cache, [createCharge(slow)])
  const { takes } = store
  for (let i = 0; i < 99; i++) {
    clock.advance(SECOND_US / 100)
    const answer = await cache.take([createCharge(slow)])
    t.equal('granted' in answer && answer.granted, false)
  }
  t.equal(store.takes, takes)
  clock.advance(SECOND_US / 100)
  await cache.take([createCharge(slow)])
  t.equal(store.takes, takes + 1)
})

t.test('a refusal that is over sooner is believed until then, so that honouring the wait succeeds', async (t) => {
  const { clock, store, cache } = createCachedStore()
  const limit = limitOf({ max: 10, windowUs: SECOND_US })
  const { standings: [{ retryUs }] } = await exhaust(cache, [createCharge(limit)])
  t.equal(retryUs, SECOND_US / 10)
  const { takes } = store
  clock.advance(SECOND_US / 10 - 1)
  await cache.take([createCharge(limit)])
  t.equal(store.takes, takes)
  clock.advance(1)
  const answer = await cache.take([createCharge(limit)])
  t.ok('granted' in answer && answer.granted)
})

t.test('a refusal that was read late is believed no longer than it stands, and its wait is told no shorter', async (t) => {
  const { clock, store, cache } = createCachedStore()
  const limit = limitOf({ max: 10, windowUs: SECOND_US })
  const { standings: [{ retryUs }] } = await exhaust(cache, [createCharge(limit)])
  await cache.reset([], 'a')
  const ask = store.take.bind(store)
  store.take = async (charges) => {
    const answer = await ask(charges)
    clock.advance(50_000)
    return answer
  }
  // It was refused at the same time as another, whose answer was read at once.
  await cache.take([createCharge(limit)])
  clock.advance(10_000)
  const { standings: [again] } = await cache.take([createCharge(limit)]) as Receipt
  t.equal(again.retryUs, Number(retryUs) - 10_000)
  clock.advance(40_000)
  t.ok((await takeOrFail(cache, [createCharge(limit)])).granted, 'to whom it was told, waited as long')
})

t.test('waits and resets of a remembered refusal are over by its age', async (t) => {
  const { clock, cache } = createCachedStore()
  const first = await exhaust(cache, [createCharge(slow)])
  clock.advance(700_000)
  const again = await cache.take([createCharge(slow)]) as Receipt
  t.equal(again.standings[0].retryUs, Number(first.standings[0].retryUs) - 700_000)
  t.equal(again.standings[0].resetUs, first.standings[0].resetUs - 700_000)
  t.equal(again.atUs, first.atUs + 700_000)
  t.equal(again.standings[0].remaining, 0)
})

t.test('a refusal for good stays one', async (t) => {
  const { clock, store, cache } = createCachedStore()
  const none = limitOf({ max: 0 })
  await cache.take([createCharge(none)])
  clock.advance(999_999)
  const again = await cache.take([createCharge(none)]) as Receipt
  t.equal(store.takes, 1)
  t.equal(again.standings[0].retryUs, 'never')
})

t.test('only what costs the same as the refused request is refused without asking', async (t) => {
  const { store, cache } = createCachedStore()
  await cache.take([createCharge(slow, 'a', 6)])
  await cache.take([createCharge(slow, 'a', 5)])
  const { takes } = store
  await cache.take([createCharge(slow, 'a', 5)])
  t.equal(store.takes, takes)
  const dearer = await cache.take([createCharge(slow, 'a', 6)]) as Receipt
  t.equal(store.takes, takes + 1, 'its wait is longer')
  t.notOk(dearer.granted)
  const cheaper = await cache.take([createCharge(slow, 'a', 4)]) as Receipt
  t.equal(store.takes, takes + 2)
  t.ok(cheaper.granted)
})

t.test('other partitions, and a new version of the limit, are asked for', async (t) => {
  const { store, cache } = createCachedStore()
  await exhaust(cache, [createCharge(slow)])
  const { takes } = store
  t.ok((await cache.take([createCharge(slow, 'b')]) as Receipt).granted)
  await cache.take([createCharge({ ...slow })])
  t.equal(store.takes, takes + 2)
})

t.test('a limit in shadow mode, and a request that charges two partitions, always go to the store', async (t) => {
  const { store, cache } = createCachedStore()
  const shadow = limitOf({ max: 10, bucket: 'shadow', mode: 'shadow' })
  const tight = limitOf({ max: 1, windowUs: 100 * SECOND_US, bucket: 'tight' })
  for (const charges of [[createCharge(tight), createCharge(shadow)], [createCharge(tight), createCharge(slow, 'b')]]) {
    await exhaust(cache, charges)
    const { takes } = store
    for (let i = 0; i < 5; i++) await cache.take(charges)
    t.equal(store.takes, takes + 5)
  }
})

t.test('a reset takes hold at once', async (t) => {
  const { cache } = createCachedStore()
  await exhaust(cache, [createCharge(slow)])
  await cache.reset([slow], 'a')
  t.ok((await cache.take([createCharge(slow)]) as Receipt).granted)
})

t.test('a refund takes hold at once, and one for another partition drops nothing', async (t) => {
  const { store, cache } = createCachedStore()
  const granted = await cache.take([createCharge(slow)]) as Receipt
  const elsewhere = await cache.take([createCharge(slow, 'b')]) as Receipt
  await exhaust(cache, [createCharge(slow)])
  const { takes } = store
  await cache.adjust([{ standing: elsewhere.standings[0], atUs: elsewhere.atUs, units: -1 }])
  await cache.take([createCharge(slow)])
  t.equal(store.takes, takes)
  await cache.adjust([{ standing: granted.standings[0], atUs: granted.atUs, units: -1 }])
  t.ok((await cache.take([createCharge(slow)]) as Receipt).granted)
})

t.test('a reset that fails leaves the refusal as it is, and the error reaches the caller', async (t) => {
  const { store, cache } = createCachedStore()
  await exhaust(cache, [createCharge(slow)])
  const { takes } = store
  store.reset = () => { throw new Error('down') }
  await t.rejects(cache.reset([slow], 'a'), { message: 'down' })
  await cache.take([createCharge(slow)])
  t.equal(store.takes, takes)
})

t.test('an unavailable store is not remembered', async (t) => {
  const { store, cache } = createCachedStore()
  store.isDown = true
  t.same(await cache.take([createCharge(slow)]), { unavailable: 'deadline' })
  store.isDown = false
  t.ok((await cache.take([createCharge(slow)]) as Receipt).granted)
})

t.test('a known refusal holds while the store is down', async (t) => {
  const { store, cache } = createCachedStore()
  await exhaust(cache, [createCharge(slow)])
  store.isDown = true
  t.equal((await cache.take([createCharge(slow)]) as Receipt).granted, false)
})

t.test('of many refused partitions at most those of two generations are remembered', async (t) => {
  const partitions = scaleToLane(1_000_000, 100_000)
  const clock = new ManualClock()
  const never = limitOf({ max: 0 })
  const receiptOf = (partition: string): Receipt => ({
    granted: false,
    atUs: 0,
    standings: [{ limit: never, partition, charged: 0, granted: false, remaining: 0, resetUs: 0, delayUs: 0, retryUs: 'never', blockedUs: 0 }],
    blocks: []
  })
  let takes = 0
  const store = Object.assign(new MemoryStore({ clock, maxKeys: 100_000 }), {
    take: ([{ partition }]: readonly Charge[]) => { takes++; return receiptOf(partition) }
  })
  const cache = new DenyCache(store, clock)
  for (let i = 0; i < partitions; i++) await cache.take([createCharge(never, `p${i}`)])
  takes = 0
  for (let i = 0; i < partitions; i += 10) cache.take([createCharge(never, `p${i}`)])
  t.ok(takes >= (partitions - 20_000) / 10, `the store was asked for ${takes} of ${partitions / 10}: at most 20,000 of ${partitions} were remembered`)
})

t.test('resets do not upset the count by which it is bounded', async (t) => {
  const { store, cache } = createCachedStore()
  const limits = [limitOf({ max: 0, bucket: 'x' }), limitOf({ max: 0, bucket: 'y' })]
  for (let i = 0; i < 15_000; i++) {
    for (const limit of limits) await cache.take([createCharge(limit, `p${i % 100}`)])
    await cache.reset(limits, `p${i % 100}`)
  }
  await cache.take([createCharge(limits[0], 'kept')])
  for (let i = 0; i < 9000; i++) await cache.take([createCharge(limits[0], `q${i}`)])
  const { takes } = store
  await cache.take([createCharge(limits[0], 'kept')])
  t.equal(store.takes, takes)
})

t.test('what a reload has made void is forgotten, and no block with it', async (t) => {
  const { store, cache } = createCachedStore()
  const penalty = { bucket: 'penalty', strikes: 1, withinUs: SECOND_US, cooldownUs: 100 * SECOND_US, factor: 2, maxCooldownUs: 100 * SECOND_US }
  const struck = { ...limitOf({ max: 1, windowUs: 100 * SECOND_US, bucket: 'struck' }), penalty }
  await exhaust(cache, [createCharge(slow)])
  await exhaust(cache, [createCharge(struck, 'b')])
  cache.clearDenials()
  const { takes } = store
  await cache.take([createCharge(slow)])
  t.equal(store.takes, takes + 1, 'the store is asked again')
  t.equal(cache.findKnownBlock([createCharge(struck, 'b')])?.granted, false)
})
