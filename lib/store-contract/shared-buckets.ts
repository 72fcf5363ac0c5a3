import type { Limit } from '../stores/store.js'
import { PARTITION, createCharge, fetchRemaining, assertEqual, summarize, takeOrFail, type DefineCase } from './assertions.js'
import { ALGORITHMS, createLimit } from './limits.js'

/** Cases for limits that share a bucket. */
export function sharedBuckets (defineCase: DefineCase): void {
  for (const algorithm of ALGORITHMS) {
    const limit = createLimit({ algorithm, max: 3 })

    defineCase(`${algorithm}: two limit objects with one bucket text share their buckets`, async (store) => {
      await takeOrFail(store, [createCharge(limit, 2)])
      assertEqual(await fetchRemaining(store, { ...limit, name: 'again' }), 1)
      assertEqual((await takeOrFail(store, [createCharge({ ...limit }, 2)])).granted, false)
    })

    defineCase(`${algorithm}: two charges of one bucket do not both pass if only one fits`, async (store) => {
      assertEqual(summarize(await takeOrFail(store, [createCharge(limit, 2), createCharge(limit, 2)])), [
        false,
        { granted: true, charged: 0, remaining: 3 },
        { granted: false, charged: 0, remaining: 3 }
      ])
      assertEqual(await store.reset([limit], PARTITION), 0)
      assertEqual(summarize(await takeOrFail(store, [createCharge(limit, 2), createCharge({ ...limit }, 1)])), [
        true,
        { granted: true, charged: 2, remaining: 0 },
        { granted: true, charged: 1, remaining: 0 }
      ], 'both report the bucket after the second charge')
    })

    defineCase(`${algorithm}: a shadow and an enforced charge of one bucket take no more than its units`, async (store) => {
      const shadow: Limit = { ...limit, mode: 'shadow' }
      assertEqual(summarize(await takeOrFail(store, [createCharge(shadow, 2), createCharge(limit, 2)])), [
        true,
        { granted: false, charged: 0, remaining: 1 },
        { granted: true, charged: 2, remaining: 1 }
      ], 'the enforced charge is decided first')
      assertEqual(summarize(await takeOrFail(store, [createCharge(limit, 2), createCharge(shadow, 1)])), [
        false,
        { granted: false, charged: 0, remaining: 0 },
        { granted: true, charged: 1, remaining: 0 }
      ], 'a refused enforced charge leaves the units to the shadow charge')
    })
  }

  for (const old of ALGORITHMS) {
    for (const algorithm of ALGORITHMS.filter(other => other !== old)) {
      // 7 in 10 seconds: a token bucket then has a fraction, which must not be read as units.
      const before = createLimit({ algorithm: old, max: 7 })
      const after = createLimit({ algorithm, max: 7 })

      defineCase(`units used under a ${old} limit stay used under a ${algorithm} limit`, async (store) => {
        const { atUs, standings: [standing] } = await takeOrFail(store, [createCharge(before, 3)])
        assertEqual(await fetchRemaining(store, after), 4)
        assertEqual(summarize(await takeOrFail(store, [createCharge(after, 2), createCharge(after, 1)])), [
          true,
          { granted: true, charged: 2, remaining: 1 },
          { granted: true, charged: 1, remaining: 1 }
        ])
        await store.adjust([{ standing, atUs, units: -3 }])
        assertEqual(await fetchRemaining(store, after), 1, 'a refund of a charge under the old limit does not change the new one')
      })
    }
  }
}
