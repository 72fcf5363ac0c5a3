import type { Limit } from '../stores/store.js'
import {
  PARTITION, createCharge, assertTrue, assertMatches, fetchRemaining, assertEqual, summarize, takeOrFail, type DefineCase
} from './assertions.js'
import { SECOND_US, createLimit } from './limits.js'

/** Cases for one limit. */
export function singleLimit (defineCase: DefineCase, algorithm: Limit['algorithm']): void {
  const limit = createLimit({ algorithm, max: 3, windowUs: 3 * SECOND_US })

  defineCase(`${algorithm}: max units are granted, the next is refused until exactly its stated wait`, async (store, advance) => {
    for (const remaining of [2, 1, 0]) {
      assertEqual(summarize(await takeOrFail(store, [createCharge(limit)])), [true, { granted: true, charged: 1, remaining }])
    }
    const [refused] = (await takeOrFail(store, [createCharge(limit)])).standings
    assertMatches(refused, { limit, partition: PARTITION, granted: false, charged: 0, remaining: 0 })
    if (refused.retryUs === 'never') throw new Error('retryUs: expected a wait, got "never"')
    await advance(refused.retryUs - 1)
    assertEqual((await takeOrFail(store, [createCharge(limit)])).granted, false, 'one microsecond early')
    await advance(1)
    assertEqual((await takeOrFail(store, [createCharge(limit)])).granted, true)
  })

  defineCase(`${algorithm}: a refused request costs nothing`, async (store) => {
    await takeOrFail(store, [createCharge(limit, 2)])
    for (let i = 0; i < 5; i++) assertEqual((await takeOrFail(store, [createCharge(limit, 2)])).granted, false)
    assertEqual(await fetchRemaining(store, limit), 1)
    assertEqual((await takeOrFail(store, [createCharge(limit, 1)])).granted, true)
  })

  defineCase(`${algorithm}: nothing is used any more after the stated reset`, async (store, advance) => {
    const [{ resetUs }] = (await takeOrFail(store, [createCharge(limit, 3)])).standings
    assertTrue(resetUs > 0, 'resetUs is more than 0')
    await advance(resetUs)
    assertMatches(await store.peek([limit], PARTITION), [
      { limit, partition: PARTITION, charged: 0, granted: true, remaining: 3, resetUs: 0, delayUs: 0, retryUs: 0, blockedUs: 0 }
    ])
    assertEqual((await takeOrFail(store, [createCharge(limit, 3)])).granted, true)
  })

  defineCase(`${algorithm}: a peek changes nothing`, async (store) => {
    await takeOrFail(store, [createCharge(limit, 2)])
    const first = await store.peek([limit], PARTITION)
    assertEqual(first[0].remaining, 1)
    assertEqual(await store.peek([limit], PARTITION), first)
    assertEqual(await fetchRemaining(store, limit, 'ip:203.0.113.10'), 3, 'a new partition')
    assertEqual(await store.reset([limit], 'ip:203.0.113.10'), 0, 'the peek created no bucket')
  })

  defineCase(`${algorithm}: no wait helps a cost above the capacity or max 0`, async (store) => {
    assertMatches((await takeOrFail(store, [createCharge(limit, 4)])).standings, [{ granted: false, retryUs: 'never', remaining: 3 }])
    const closed = createLimit({ algorithm, max: 0, bucket: 'app/closed' })
    assertMatches((await takeOrFail(store, [createCharge(closed)])).standings, [{ granted: false, retryUs: 'never', remaining: 0 }])
  })

  defineCase(`${algorithm}: a cost of 0 is granted to a used-up bucket and leaves no bucket behind`, async (store) => {
    assertEqual((await takeOrFail(store, [createCharge(limit, 0)])).granted, true)
    assertEqual(await store.reset([limit], PARTITION), 0)
    await takeOrFail(store, [createCharge(limit, 3)])
    assertEqual((await takeOrFail(store, [createCharge(limit, 0)])).granted, true)
    assertEqual(await fetchRemaining(store, limit), 0)
  })

  defineCase(`${algorithm}: partitions and buckets do not touch each other`, async (store) => {
    const other = createLimit({ algorithm, max: 3, windowUs: 3 * SECOND_US, bucket: 'app/other' })
    await takeOrFail(store, [createCharge(limit, 3)])
    for (const partition of ['ip:203.0.113.90', 'ip:203.0.113.', 'ip:203.0.113.\u0139', '', 'user:42']) {
      assertEqual(await fetchRemaining(store, limit, partition), 3, partition)
    }
    assertEqual(await fetchRemaining(store, other), 3)
    assertEqual((await takeOrFail(store, [createCharge(other, 3)])).granted, true)
  })

  defineCase(`${algorithm}: a reset deletes the buckets of the partition and returns their number`, async (store, advance) => {
    const other = createLimit({ algorithm, bucket: 'app/other' })
    await takeOrFail(store, [createCharge(limit, 3), createCharge(other, 1), createCharge(limit, 3, 'ip:203.0.113.10')])
    assertEqual(await store.reset([limit, other, createLimit({ bucket: 'app/unused' })], PARTITION), 2)
    assertEqual(await fetchRemaining(store, limit), 3)
    assertEqual(await fetchRemaining(store, limit, 'ip:203.0.113.10'), 0, 'the other partition')
    assertEqual(await store.reset([limit, other], PARTITION), 0)
    await advance(3 * SECOND_US)
    assertEqual(await store.reset([limit], 'ip:203.0.113.10'), 0, 'an expired bucket does not count')
  })

  defineCase(`${algorithm}: an adjustment can charge into debt, and the next grant has to wait for it`, async (store, advance) => {
    const { atUs, standings: [standing] } = await takeOrFail(store, [createCharge(limit)])
    await store.adjust([{ standing, atUs, units: 4 }])
    const [inDebt] = await store.peek([limit], PARTITION)
    assertEqual(inDebt.remaining, 0)
    const [refused] = (await takeOrFail(store, [createCharge(limit)])).standings
    if (refused.retryUs === 'never') throw new Error('retryUs: expected a wait, got "never"')
    assertTrue(refused.retryUs <= 3 * SECOND_US, 'retryUs is at most a window')
    await advance(refused.retryUs)
    assertEqual((await takeOrFail(store, [createCharge(limit)])).granted, true)
  })

  defineCase(`${algorithm}: refunded units can be taken again`, async (store) => {
    const { atUs, standings: [standing] } = await takeOrFail(store, [createCharge(limit, 3)])
    await store.adjust([{ standing, atUs, units: -2 }])
    assertEqual(await fetchRemaining(store, limit), 2)
    await store.adjust([{ standing, atUs, units: -1 }])
    assertEqual(await fetchRemaining(store, limit), 3)
    assertEqual(await store.reset([limit], PARTITION), 0, 'a bucket without used units does not count')
  })

  defineCase(`${algorithm}: a refund after its window gives nothing`, async (store, advance) => {
    const { atUs, standings: [standing] } = await takeOrFail(store, [createCharge(limit, 3)])
    await advance(3 * SECOND_US)
    await store.adjust([{ standing, atUs, units: -3 }])
    await takeOrFail(store, [createCharge(limit, 3)])
    await store.adjust([{ standing, atUs, units: -3 }])
    assertEqual(await fetchRemaining(store, limit), 0)
  })
}
