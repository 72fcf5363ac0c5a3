import {
  PARTITION, createCharge, assertMatches, fetchRemaining, assertEqual, summarize, takeOrFail, type DefineCase
} from './assertions.js'
import { SECOND_US, createLimit } from './limits.js'

/** Cases for the limits of one request. */
export function severalLimits (defineCase: DefineCase): void {
  const second = createLimit({ max: 2, windowUs: SECOND_US, bucket: 'app/second' })
  const hour = createLimit({ algorithm: 'fixed-window', max: 5, windowUs: 3600 * SECOND_US, bucket: 'app/hour' })
  const day = createLimit({ algorithm: 'sliding-window', max: 100, windowUs: 86_400 * SECOND_US, bucket: 'app/day' })

  defineCase('several limits are charged all or none', async (store) => {
    const charges = [createCharge(second), createCharge(hour, 2), createCharge(day, 10)]
    for (let i = 0; i < 2; i++) assertEqual((await takeOrFail(store, charges)).granted, true)
    assertEqual(summarize(await takeOrFail(store, [createCharge(hour), createCharge(second), createCharge(day, 10)])), [
      false,
      { granted: true, charged: 0, remaining: 1 },
      { granted: false, charged: 0, remaining: 0 },
      { granted: true, charged: 0, remaining: 80 }
    ], 'in the order of the charges, and a limit that would grant is unchanged')
    assertEqual(await fetchRemaining(store, hour), 1)
    assertEqual(await fetchRemaining(store, day), 80)
  })

  defineCase('a refused request creates no buckets', async (store) => {
    await takeOrFail(store, [createCharge(second, 2)])
    await takeOrFail(store, [createCharge(hour), createCharge(second), createCharge(day)])
    assertEqual(await store.reset([hour, day], PARTITION), 0)
  })

  defineCase('the limits of one request can charge different partitions', async (store) => {
    await takeOrFail(store, [
      createCharge(second, 1, 'ip:198.51.100.1'), createCharge(hour, 1, 'global'), createCharge(second, 2, 'user:42')
    ])
    assertEqual(await fetchRemaining(store, second, 'ip:198.51.100.1'), 1)
    assertEqual(await fetchRemaining(store, hour, 'global'), 4)
    assertEqual(await fetchRemaining(store, second, 'user:42'), 0)
  })

  defineCase('twenty charges are taken together', async (store) => {
    const limits = Array.from({ length: 20 }, (_, i) => createLimit({ bucket: `app/${i}`, max: 10 + i }))
    const receipt = await takeOrFail(store, limits.map((limit) => createCharge(limit, 3)))
    assertEqual(receipt.granted, true)
    assertEqual(receipt.standings.map(({ remaining }) => remaining), limits.map(({ max }) => max - 3))
    assertEqual(receipt.standings.map(({ limit }) => limit), limits)
  })

  defineCase('a request without charges is granted', async (store) => {
    assertMatches(await takeOrFail(store, []), { granted: true, standings: [] })
  })

  defineCase('a shadow limit never refuses, and is charged only when it would grant', async (store) => {
    const shadow = createLimit({ max: 2, bucket: 'app/shadow', mode: 'shadow' })
    assertEqual(summarize(await takeOrFail(store, [createCharge(shadow, 2)])), [true, { granted: true, charged: 2, remaining: 0 }])
    assertEqual(summarize(await takeOrFail(store, [createCharge(shadow)])), [true, { granted: false, charged: 0, remaining: 0 }], 'alone')
    assertEqual(summarize(await takeOrFail(store, [createCharge(shadow), createCharge(hour)])), [
      true,
      { granted: false, charged: 0, remaining: 0 },
      { granted: true, charged: 1, remaining: 4 }
    ], 'together with an enforced limit')
  })

  defineCase('a shadow limit counts independently of enforced limits', async (store) => {
    const shadow = createLimit({ max: 5, bucket: 'app/shadow', mode: 'shadow' })
    await takeOrFail(store, [createCharge(second, 2)])
    assertEqual(summarize(await takeOrFail(store, [createCharge(second), createCharge(shadow), createCharge(hour)])), [
      false,
      { granted: false, charged: 0, remaining: 0 },
      { granted: true, charged: 1, remaining: 4 },
      { granted: true, charged: 0, remaining: 5 }
    ])
    assertEqual(await fetchRemaining(store, shadow), 4)
  })
}
