import type { Limit } from '../stores/store.js'
import { PARTITION, chargeOf, remainingOf, same, summary, taken, type Fact } from './assertions.js'
import { ALGORITHMS, limitOf } from './limits.js'

/** What every store does with limits of one bucket. */
export function sharedBuckets (fact: Fact): void {
  for (const algorithm of ALGORITHMS) {
    const limit = limitOf({ algorithm, max: 3 })

    fact(`${algorithm}: two limit objects with one bucket text share their buckets`, async (store) => {
      await taken(store, [chargeOf(limit, 2)])
      same(await remainingOf(store, { ...limit, name: 'again' }), 1)
      same((await taken(store, [chargeOf({ ...limit }, 2)])).granted, false)
    })

    fact(`${algorithm}: two charges of one bucket do not both pass where one fits`, async (store) => {
      same(summary(await taken(store, [chargeOf(limit, 2), chargeOf(limit, 2)])), [
        false,
        { granted: true, charged: 0, remaining: 3 },
        { granted: false, charged: 0, remaining: 3 }
      ])
      same(await store.reset([limit], PARTITION), 0)
      same(summary(await taken(store, [chargeOf(limit, 2), chargeOf({ ...limit }, 1)])), [
        true,
        { granted: true, charged: 2, remaining: 0 },
        { granted: true, charged: 1, remaining: 0 }
      ], 'both stand where the second one left the bucket')
    })

    fact(`${algorithm}: a shadow and an enforced charge of one bucket take no more than it has`, async (store) => {
      const shadow: Limit = { ...limit, mode: 'shadow' }
      same(summary(await taken(store, [chargeOf(shadow, 2), chargeOf(limit, 2)])), [
        true,
        { granted: false, charged: 0, remaining: 1 },
        { granted: true, charged: 2, remaining: 1 }
      ], 'the enforced one goes first')
      same(summary(await taken(store, [chargeOf(limit, 2), chargeOf(shadow, 1)])), [
        false,
        { granted: false, charged: 0, remaining: 0 },
        { granted: true, charged: 1, remaining: 0 }
      ], 'refused, it leaves the units to the shadow one')
    })
  }

  for (const old of ALGORITHMS) {
    for (const algorithm of ALGORITHMS.filter(other => other !== old)) {
      // 7 in 10 seconds: a token bucket then has a fraction to mistake for units.
      const before = limitOf({ algorithm: old, max: 7 })
      const after = limitOf({ algorithm, max: 7 })

      fact(`what was used of a ${old} limit is used of a ${algorithm} limit`, async (store) => {
        const { atUs, standings: [standing] } = await taken(store, [chargeOf(before, 3)])
        same(await remainingOf(store, after), 4)
        same(summary(await taken(store, [chargeOf(after, 2), chargeOf(after, 1)])), [
          true,
          { granted: true, charged: 2, remaining: 1 },
          { granted: true, charged: 1, remaining: 1 }
        ])
        await store.adjust([{ standing, atUs, units: -3 }])
        same(await remainingOf(store, after), 1, 'and a refund of a charge of the old one leaves the new one alone')
      })
    }
  }
}
