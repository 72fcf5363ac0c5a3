import type { Limit } from '../stores/store.js'
import { PARTITION, chargeOf, holds, matches, remainingOf, same, summary, taken, type Fact } from './assertions.js'
import { SECOND_US, limitOf } from './limits.js'

/** What every store does with one limit. */
export function singleLimit (fact: Fact, algorithm: Limit['algorithm']): void {
  const limit = limitOf({ algorithm, max: 3, windowUs: 3 * SECOND_US })

  fact(`${algorithm}: max units are granted, the next is refused until exactly its stated wait`, async (store, advance) => {
    for (const remaining of [2, 1, 0]) {
      same(summary(await taken(store, [chargeOf(limit)])), [true, { granted: true, charged: 1, remaining }])
    }
    const [refused] = (await taken(store, [chargeOf(limit)])).standings
    matches(refused, { limit, partition: PARTITION, granted: false, charged: 0, remaining: 0 })
    if (refused.retryUs === 'never') throw new Error('a wait helps here')
    await advance(refused.retryUs - 1)
    same((await taken(store, [chargeOf(limit)])).granted, false, 'one microsecond early')
    await advance(1)
    same((await taken(store, [chargeOf(limit)])).granted, true)
  })

  fact(`${algorithm}: a refused request costs nothing`, async (store) => {
    await taken(store, [chargeOf(limit, 2)])
    for (let i = 0; i < 5; i++) same((await taken(store, [chargeOf(limit, 2)])).granted, false)
    same(await remainingOf(store, limit), 1)
    same((await taken(store, [chargeOf(limit, 1)])).granted, true)
  })

  fact(`${algorithm}: nothing is used any more after the stated reset`, async (store, advance) => {
    const [{ resetUs }] = (await taken(store, [chargeOf(limit, 3)])).standings
    holds(resetUs > 0, 'some time passes until then')
    await advance(resetUs)
    same(await store.peek([limit], PARTITION), [
      { limit, partition: PARTITION, charged: 0, granted: true, remaining: 3, resetUs: 0, delayUs: 0, retryUs: 0, blockedUs: 0 }
    ])
    same((await taken(store, [chargeOf(limit, 3)])).granted, true)
  })

  fact(`${algorithm}: a peek changes nothing`, async (store) => {
    await taken(store, [chargeOf(limit, 2)])
    const first = await store.peek([limit], PARTITION)
    same(first[0].remaining, 1)
    same(await store.peek([limit], PARTITION), first)
    same(await remainingOf(store, limit, 'ip:203.0.113.10'), 3, 'a partition that was never seen')
    same(await store.reset([limit], 'ip:203.0.113.10'), 0, 'and that the peek did not make')
  })

  fact(`${algorithm}: no wait helps a cost above the capacity or max 0`, async (store) => {
    matches((await taken(store, [chargeOf(limit, 4)])).standings, [{ granted: false, retryUs: 'never', remaining: 3 }])
    const closed = limitOf({ algorithm, max: 0, bucket: 'app/closed' })
    matches((await taken(store, [chargeOf(closed)])).standings, [{ granted: false, retryUs: 'never', remaining: 0 }])
  })

  fact(`${algorithm}: a cost of 0 is granted to a used-up bucket and leaves no bucket behind`, async (store) => {
    same((await taken(store, [chargeOf(limit, 0)])).granted, true)
    same(await store.reset([limit], PARTITION), 0)
    await taken(store, [chargeOf(limit, 3)])
    same((await taken(store, [chargeOf(limit, 0)])).granted, true)
    same(await remainingOf(store, limit), 0)
  })

  fact(`${algorithm}: partitions and buckets do not touch each other`, async (store) => {
    const other = limitOf({ algorithm, max: 3, windowUs: 3 * SECOND_US, bucket: 'app/other' })
    await taken(store, [chargeOf(limit, 3)])
    for (const partition of ['ip:203.0.113.90', 'ip:203.0.113.', 'ip:203.0.113.\u0139', '', 'user:42']) {
      same(await remainingOf(store, limit, partition), 3, partition)
    }
    same(await remainingOf(store, other), 3)
    same((await taken(store, [chargeOf(other, 3)])).granted, true)
  })

  fact(`${algorithm}: a reset forgets what the partition used, and says how many buckets there were`, async (store, advance) => {
    const other = limitOf({ algorithm, bucket: 'app/other' })
    await taken(store, [chargeOf(limit, 3), chargeOf(other, 1), chargeOf(limit, 3, 'ip:203.0.113.10')])
    same(await store.reset([limit, other, limitOf({ bucket: 'app/unused' })], PARTITION), 2)
    same(await remainingOf(store, limit), 3)
    same(await remainingOf(store, limit, 'ip:203.0.113.10'), 0, 'the other partition')
    same(await store.reset([limit, other], PARTITION), 0)
    await advance(3 * SECOND_US)
    same(await store.reset([limit], 'ip:203.0.113.10'), 0, 'a bucket whose time is over is none')
  })

  fact(`${algorithm}: units charged afterwards go into debt, which a grant has to wait for`, async (store, advance) => {
    const { atUs, standings: [standing] } = await taken(store, [chargeOf(limit)])
    await store.adjust([{ standing, atUs, units: 4 }])
    const [inDebt] = await store.peek([limit], PARTITION)
    same(inDebt.remaining, 0)
    const [refused] = (await taken(store, [chargeOf(limit)])).standings
    if (refused.retryUs === 'never') throw new Error('a wait helps here')
    holds(refused.retryUs <= 3 * SECOND_US, 'no longer than a window')
    await advance(refused.retryUs)
    same((await taken(store, [chargeOf(limit)])).granted, true)
  })

  fact(`${algorithm}: units given back can be taken again`, async (store) => {
    const { atUs, standings: [standing] } = await taken(store, [chargeOf(limit, 3)])
    await store.adjust([{ standing, atUs, units: -2 }])
    same(await remainingOf(store, limit), 2)
    await store.adjust([{ standing, atUs, units: -1 }])
    same(await remainingOf(store, limit), 3)
    same(await store.reset([limit], PARTITION), 0, 'a bucket of which nothing is used is none')
  })

  fact(`${algorithm}: a refund after its window gives nothing`, async (store, advance) => {
    const { atUs, standings: [standing] } = await taken(store, [chargeOf(limit, 3)])
    await advance(3 * SECOND_US)
    await store.adjust([{ standing, atUs, units: -3 }])
    await taken(store, [chargeOf(limit, 3)])
    await store.adjust([{ standing, atUs, units: -3 }])
    same(await remainingOf(store, limit), 0)
  })
}
