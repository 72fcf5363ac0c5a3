import { PARTITION, createCharge, fetchRemaining, assertEqual, takeOrFail, type DefineCase } from './assertions.js'
import { createLimit } from './limits.js'

/** Cases for adjustments. */
export function corrections (defineCase: DefineCase): void {
  defineCase('an uncharged bucket can be charged by an adjustment', async (store) => {
    const limit = createLimit()
    const { atUs, standings: [standing] } = await takeOrFail(store, [createCharge(limit, 0)])
    await store.adjust([{ standing, atUs, units: 7 }])
    assertEqual(await fetchRemaining(store, limit), 3)
  })

  defineCase('a refund to a bucket that was reset gives nothing', async (store) => {
    const limit = createLimit()
    const { atUs, standings: [standing] } = await takeOrFail(store, [createCharge(limit, 5)])
    await store.reset([limit], PARTITION)
    await store.adjust([{ standing, atUs, units: -5 }])
    assertEqual(await fetchRemaining(store, limit), 10)
    assertEqual(await store.reset([limit], PARTITION), 0)
  })

  defineCase('one call adjusts several buckets', async (store) => {
    const a = createLimit({ bucket: 'app/a' })
    const b = createLimit({ bucket: 'app/b', algorithm: 'fixed-window' })
    const { atUs, standings } = await takeOrFail(store, [createCharge(a, 5), createCharge(b, 5, 'user:42')])
    await store.adjust([
      { standing: standings[0], atUs, units: -1 },
      { standing: standings[1], atUs, units: 2 }
    ])
    assertEqual(await fetchRemaining(store, a), 6)
    assertEqual(await fetchRemaining(store, b, 'user:42'), 3)
  })
}
