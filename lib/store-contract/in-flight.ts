import type { Charge, Store } from '../stores/store.js'
import { assertEqual, createCharge, fetchRemaining, PARTITION, summarize, takeOrFail, type DefineCase } from './assertions.js'
import { createLimit, createPenalty, SECOND_US } from './limits.js'

const OTHER = 'user:42'

/** Cases for requests in flight. They hold nothing for a store that does not count them. */
export function inFlight (defineAnyCase: DefineCase): void {
  const defineCase: DefineCase = (title, check) => {
    defineAnyCase(`in flight: ${title}`, async (store, advance) => {
      if (store.countsInFlight === true) await check(store, advance)
    })
  }
  const slots = createLimit({ algorithm: 'concurrency', max: 2, bucket: 'app/slots' })
  const rate = createLimit({ max: 5, bucket: 'app/rate' })
  const take = async (store: Store, charges: readonly Charge[]) => await takeOrFail(store, charges)
  const release = async (store: Store, receipt: Awaited<ReturnType<typeof take>>) => {
    const { atUs, standings } = receipt
    await store.adjust(standings.filter(({ limit }) => limit === slots).map((standing) => ({ standing, atUs, units: -standing.charged })))
  }

  defineCase('at most max slots are held, and a slot that is given back is free again', async (store, advance) => {
    const first = await take(store, [createCharge(slots)])
    assertEqual(summarize(first), [true, { granted: true, charged: 1, remaining: 1 }])
    assertEqual(summarize(await take(store, [createCharge(slots)])), [true, { granted: true, charged: 1, remaining: 0 }])
    await advance(SECOND_US)
    assertEqual(summarize(await take(store, [createCharge(slots)])), [false, { granted: false, charged: 0, remaining: 0 }])
    assertEqual(summarize(await take(store, [createCharge(slots, 1, OTHER)])), [true, { granted: true, charged: 1, remaining: 1 }], OTHER)
    await release(store, first)
    assertEqual(summarize(await take(store, [createCharge(slots)])), [true, { granted: true, charged: 1, remaining: 0 }])
  })

  defineCase('a slot and the units of a rate are taken together or not at all', async (store) => {
    const both = [createCharge(rate, 2), createCharge(slots)]
    const standing = (granted: boolean, charged: number, remaining: number) => ({ granted, charged, remaining })
    const first = await take(store, both)
    assertEqual(summarize(first), [true, standing(true, 2, 3), standing(true, 1, 1)])
    assertEqual(summarize(await take(store, both)), [true, standing(true, 2, 1), standing(true, 1, 0)])
    await release(store, first)
    assertEqual(summarize(await take(store, both)), [false, standing(false, 0, 1), standing(true, 0, 1)], 'the rate refuses')
    const free = await take(store, [createCharge(rate, 0), createCharge(slots)])
    assertEqual(summarize(free), [true, standing(true, 0, 1), standing(true, 1, 0)])
    const refused = await take(store, [createCharge(rate), createCharge(slots)])
    assertEqual(summarize(refused), [false, standing(true, 0, 1), standing(false, 0, 0)])
  })

  defineCase('a limit in shadow mode refuses nothing, and holds what it has', async (store) => {
    const shadow = { ...slots, mode: 'shadow' as const }
    const first = await take(store, [createCharge(rate), createCharge(shadow, 2)])
    assertEqual(summarize(first), [true, { granted: true, charged: 1, remaining: 4 }, { granted: true, charged: 2, remaining: 0 }])
    const second = await take(store, [createCharge(rate), createCharge(shadow)])
    assertEqual(summarize(second), [true, { granted: true, charged: 1, remaining: 3 }, { granted: false, charged: 0, remaining: 0 }])
  })

  defineCase('a refusal for a slot charges shadow limits, and no others', async (store) => {
    const shadow = createLimit({ max: 5, bucket: 'app/shadow', mode: 'shadow' })
    await take(store, [createCharge(slots, 2)])
    const refused = await take(store, [createCharge(rate), createCharge(shadow), createCharge(slots)])
    assertEqual(summarize(refused), [
      false,
      { granted: true, charged: 0, remaining: 5 },
      { granted: true, charged: 1, remaining: 4 },
      { granted: false, charged: 0, remaining: 0 }
    ])
  })

  defineCase('a bucket that a check charges twice is left alone by a refusal for a slot', async (store) => {
    await take(store, [createCharge(slots, 2)])
    const refused = await take(store, [createCharge(rate), createCharge(rate), createCharge(slots)])
    assertEqual(refused.granted, false)
    assertEqual(await fetchRemaining(store, rate), 5)
  })

  defineCase('slots in use stay in use under another max, and after a reset', async (store) => {
    const more = { ...slots, max: 3, capacity: 3 }
    const fewer = { ...slots, max: 1, capacity: 1 }
    await take(store, [createCharge(slots, 2)])
    await store.reset([slots], PARTITION)
    assertEqual(summarize(await take(store, [createCharge(fewer)])), [false, { granted: false, charged: 0, remaining: 0 }])
    assertEqual(summarize(await take(store, [createCharge(more)])), [true, { granted: true, charged: 1, remaining: 0 }])
  })

  defineCase('a look takes no slot', async (store) => {
    assertEqual(await fetchRemaining(store, slots), 2)
    await take(store, [createCharge(slots)])
    assertEqual(await fetchRemaining(store, slots), 1)
    assertEqual(await fetchRemaining(store, slots, OTHER), 2)
  })

  defineCase('a refusal for a slot is no strike, and a blocked request takes no slot', async (store) => {
    const penalized = createLimit({ max: 1, windowUs: 3600 * SECOND_US, bucket: 'app/penalized', penalty: createPenalty({ strikes: 1 }) })
    const full = await take(store, [createCharge(slots, 2)])
    assertEqual((await take(store, [createCharge(penalized), createCharge(slots)])).blocks, [])
    await release(store, full)
    await take(store, [createCharge(penalized), createCharge(slots)])
    const refused = await take(store, [createCharge(penalized), createCharge(slots)])
    assertEqual([refused.granted, refused.blocks.length], [false, 1])
    const blocked = await take(store, [createCharge(penalized), createCharge(slots)])
    assertEqual([blocked.granted, blocked.standings[1].charged], [false, 0])
    assertEqual(await fetchRemaining(store, slots), 1)
  })
}
