import { PARTITION, chargeOf, matches, remainingOf, same, summary, taken, type Fact } from './assertions.js'
import { SECOND_US, limitOf } from './limits.js'

/** What every store does with the limits of one request. */
export function severalLimits (fact: Fact): void {
  const second = limitOf({ max: 2, windowUs: SECOND_US, bucket: 'app/second' })
  const hour = limitOf({ algorithm: 'fixed-window', max: 5, windowUs: 3600 * SECOND_US, bucket: 'app/hour' })
  const day = limitOf({ algorithm: 'sliding-window', max: 100, windowUs: 86_400 * SECOND_US, bucket: 'app/day' })

  fact('several limits are charged all or none', async (store) => {
    const charges = [chargeOf(second), chargeOf(hour, 2), chargeOf(day, 10)]
    for (let i = 0; i < 2; i++) same((await taken(store, charges)).granted, true)
    same(summary(await taken(store, [chargeOf(hour), chargeOf(second), chargeOf(day, 10)])), [
      false,
      { granted: true, charged: 0, remaining: 1 },
      { granted: false, charged: 0, remaining: 0 },
      { granted: true, charged: 0, remaining: 80 }
    ], 'in the order of the charges; a limit that would grant stands as before')
    same(await remainingOf(store, hour), 1)
    same(await remainingOf(store, day), 80)
  })

  fact('a refused request makes no buckets', async (store) => {
    await taken(store, [chargeOf(second, 2)])
    await taken(store, [chargeOf(hour), chargeOf(second), chargeOf(day)])
    same(await store.reset([hour, day], PARTITION), 0)
  })

  fact('the limits of one request can charge different partitions', async (store) => {
    await taken(store, [chargeOf(second, 1, 'ip:198.51.100.1'), chargeOf(hour, 1, 'global'), chargeOf(second, 2, 'user:42')])
    same(await remainingOf(store, second, 'ip:198.51.100.1'), 1)
    same(await remainingOf(store, hour, 'global'), 4)
    same(await remainingOf(store, second, 'user:42'), 0)
  })

  fact('twenty charges are taken together', async (store) => {
    const limits = Array.from({ length: 20 }, (_, i) => limitOf({ bucket: `app/${i}`, max: 10 + i }))
    const receipt = await taken(store, limits.map((limit) => chargeOf(limit, 3)))
    same(receipt.granted, true)
    same(receipt.standings.map(({ remaining }) => remaining), limits.map(({ max }) => max - 3))
    same(receipt.standings.map(({ limit }) => limit), limits)
  })

  fact('no charge at all is granted', async (store) => {
    matches(await taken(store, []), { granted: true, standings: [] })
  })

  fact('a shadow limit never refuses, and is charged only when it would grant', async (store) => {
    const shadow = limitOf({ max: 2, bucket: 'app/shadow', mode: 'shadow' })
    same(summary(await taken(store, [chargeOf(shadow, 2)])), [true, { granted: true, charged: 2, remaining: 0 }])
    same(summary(await taken(store, [chargeOf(shadow)])), [true, { granted: false, charged: 0, remaining: 0 }], 'alone')
    same(summary(await taken(store, [chargeOf(shadow), chargeOf(hour)])), [
      true,
      { granted: false, charged: 0, remaining: 0 },
      { granted: true, charged: 1, remaining: 4 }
    ], 'beside an enforced one')
  })

  fact('a shadow limit counts by itself, whatever the enforced ones say', async (store) => {
    const shadow = limitOf({ max: 5, bucket: 'app/shadow', mode: 'shadow' })
    await taken(store, [chargeOf(second, 2)])
    same(summary(await taken(store, [chargeOf(second), chargeOf(shadow), chargeOf(hour)])), [
      false,
      { granted: false, charged: 0, remaining: 0 },
      { granted: true, charged: 1, remaining: 4 },
      { granted: true, charged: 0, remaining: 5 }
    ])
    same(await remainingOf(store, shadow), 4)
  })
}
