import { PARTITION, chargeOf, remainingOf, same, taken, type Fact } from './assertions.js'
import { limitOf } from './limits.js'

/** What every store does with corrections. */
export function corrections (fact: Fact): void {
  fact('a bucket of which nothing was charged can be charged afterwards', async (store) => {
    const limit = limitOf()
    const { atUs, standings: [standing] } = await taken(store, [chargeOf(limit, 0)])
    await store.adjust([{ standing, atUs, units: 7 }])
    same(await remainingOf(store, limit), 3)
  })

  fact('a refund to a bucket that has been reset gives nothing', async (store) => {
    const limit = limitOf()
    const { atUs, standings: [standing] } = await taken(store, [chargeOf(limit, 5)])
    await store.reset([limit], PARTITION)
    await store.adjust([{ standing, atUs, units: -5 }])
    same(await remainingOf(store, limit), 10)
    same(await store.reset([limit], PARTITION), 0)
  })

  fact('one call corrects several buckets', async (store) => {
    const a = limitOf({ bucket: 'app/a' })
    const b = limitOf({ bucket: 'app/b', algorithm: 'fixed-window' })
    const { atUs, standings } = await taken(store, [chargeOf(a, 5), chargeOf(b, 5, 'user:42')])
    await store.adjust([
      { standing: standings[0], atUs, units: -1 },
      { standing: standings[1], atUs, units: 2 }
    ])
    same(await remainingOf(store, a), 6)
    same(await remainingOf(store, b, 'user:42'), 3)
  })
}
