import { withMaxDelay } from '../algorithms/quota.js'
import { computeDelayUs, type Limit } from '../stores/store.js'
import { PARTITION, createCharge, assertMatches, fetchRemaining, assertEqual, takeOrFail, type DefineCase } from './assertions.js'
import { ALGORITHMS, createLimit, SECOND_US } from './limits.js'

/** Three units, one more each second. A request waits for up to two seconds. */
const limit = createLimit({ max: 3, windowUs: 3 * SECOND_US, maxDelayUs: 2 * SECOND_US })
const immediate = withMaxDelay(limit, 0)

function delayedBy (delayUs: number) {
  return { granted: true, standings: [{ granted: true, charged: 1, remaining: 0, delayUs, retryUs: 0 }] }
}

/** Cases for limits with `maxDelayUs`. Their titles start with `patience: `, which is documented. */
export function throttling (defineCase: DefineCase): void {
  defineCase('patience: beyond the capacity, each request is due one interval after the one before it', async (store, advance) => {
    assertMatches(await takeOrFail(store, [createCharge(limit, 3)]), { granted: true, standings: [{ delayUs: 0 }] })
    assertMatches(await takeOrFail(store, [createCharge(limit)]), delayedBy(SECOND_US))
    await advance(250_000)
    assertMatches(await takeOrFail(store, [createCharge(limit)]), delayedBy(1_750_000))
    assertMatches(await takeOrFail(store, [createCharge(limit)]), {
      granted: false, standings: [{ charged: 0, delayUs: 0, retryUs: 750_000, resetUs: 4_750_000 }]
    })
    await advance(749_999)
    assertMatches(await takeOrFail(store, [createCharge(limit)]), { granted: false, standings: [{ retryUs: 1 }] })
    await advance(1)
    assertMatches(await takeOrFail(store, [createCharge(limit)]), delayedBy(2 * SECOND_US))
    await advance(5 * SECOND_US)
    assertEqual(await fetchRemaining(store, limit), 3, 'all units have drained')
  })

  defineCase('patience: limits with and without a delay share one bucket', async (store, advance) => {
    assertMatches(await takeOrFail(store, [createCharge(immediate, 3)]), { granted: true })
    assertMatches(await takeOrFail(store, [createCharge(immediate)]), { granted: false, standings: [{ retryUs: SECOND_US, delayUs: 0 }] })
    assertMatches(await takeOrFail(store, [createCharge(limit)]), delayedBy(SECOND_US))
    assertMatches(await takeOrFail(store, [createCharge(limit)]), delayedBy(2 * SECOND_US))
    const afterQueue = { granted: false, standings: [{ retryUs: 3 * SECOND_US }] }
    assertMatches(await takeOrFail(store, [createCharge(immediate)]), afterQueue, 'after the queue')
    await advance(3 * SECOND_US)
    assertMatches(await takeOrFail(store, [createCharge(immediate)]), { granted: true, standings: [{ remaining: 0, delayUs: 0 }] })
    assertMatches(await takeOrFail(store, [createCharge(limit)]), delayedBy(SECOND_US))
  })

  defineCase('patience: a queue longer than the window is not cut by a request without a delay', async (store, advance) => {
    const long = createLimit({ max: 3, windowUs: 3 * SECOND_US, maxDelayUs: 100 * SECOND_US })
    for (let i = 0; i < 103; i++) await takeOrFail(store, [createCharge(long)])
    assertMatches(await takeOrFail(store, [createCharge(long)]), { granted: false, standings: [{ retryUs: SECOND_US }] })
    assertMatches(await takeOrFail(store, [createCharge(withMaxDelay(long, 0))]), {
      granted: false, standings: [{ retryUs: 101 * SECOND_US }]
    })
    await advance(SECOND_US)
    assertMatches(await takeOrFail(store, [createCharge(long)]), delayedBy(100 * SECOND_US))
  })

  defineCase('patience: a clock that steps back by a day extends no wait beyond the longest delay', async (store, advance) => {
    await takeOrFail(store, [createCharge(limit, 3)])
    await takeOrFail(store, [createCharge(limit)])
    await advance(-86_400 * SECOND_US)
    const refused = await takeOrFail(store, [createCharge(limit)])
    assertMatches(refused, { granted: false, standings: [{ retryUs: SECOND_US }] })
    await advance(SECOND_US)
    assertMatches(await takeOrFail(store, [createCharge(limit)]), delayedBy(2 * SECOND_US))
  })

  defineCase('patience: max 0 and a cost above the capacity never wait', async (store) => {
    assertMatches(await takeOrFail(store, [createCharge(limit, 4)]), { granted: false, standings: [{ retryUs: 'never', delayUs: 0 }] })
    const closed = createLimit({ max: 0, maxDelayUs: SECOND_US })
    assertMatches(await takeOrFail(store, [createCharge(closed)]), { granted: false, standings: [{ retryUs: 'never' }] })
  })

  defineCase('patience: the longest delay of several limits counts, and a refused request has no delay', async (store) => {
    const slow = createLimit({ max: 1, windowUs: 2 * SECOND_US, maxDelayUs: 2 * SECOND_US, bucket: 'app/slow' })
    const shadow = createLimit({ max: 1, windowUs: 100 * SECOND_US, maxDelayUs: 100 * SECOND_US, bucket: 'app/shadow', mode: 'shadow' })
    await takeOrFail(store, [createCharge(limit, 3), createCharge(slow), createCharge(shadow)])
    const both = await takeOrFail(store, [createCharge(limit), createCharge(slow), createCharge(shadow)])
    assertMatches(both, { granted: true, standings: [{ delayUs: SECOND_US }, { delayUs: 2 * SECOND_US }, { delayUs: 100 * SECOND_US }] })
    assertEqual(computeDelayUs(both), 2 * SECOND_US, 'a shadow limit delays no request')
    const refused = await takeOrFail(store, [createCharge(limit), createCharge(slow)])
    assertMatches(refused, { granted: false, standings: [{ granted: true, charged: 0, delayUs: 0 }, { granted: false, charged: 0 }] })
    assertEqual(computeDelayUs(refused), 0)
    assertMatches(await takeOrFail(store, [createCharge(limit)]), delayedBy(2 * SECOND_US), 'the refused request is not in the queue')
  })

  defineCase('patience: only the last charge in the queue can be refunded with onlyIfLast', async (store) => {
    await takeOrFail(store, [createCharge(limit, 3)])
    const first = await takeOrFail(store, [createCharge(limit)])
    const second = await takeOrFail(store, [createCharge(limit)])
    const refundIfLast = ({ atUs, standings: [standing] }: typeof first) => store.adjust([{ standing, atUs, units: -1, onlyIfLast: true }])
    await refundIfLast(first)
    assertMatches(await takeOrFail(store, [createCharge(limit)]), { granted: false }, 'the first charge is not the last in the queue')
    await refundIfLast(second)
    assertMatches(await takeOrFail(store, [createCharge(limit)]), delayedBy(2 * SECOND_US), 'the second charge was the last in the queue')
  })

  defineCase('patience: refunds with onlyIfLast in reverse order restore the bucket', async (store) => {
    await takeOrFail(store, [createCharge(limit, 3)])
    const receipts = [await takeOrFail(store, [createCharge(limit)]), await takeOrFail(store, [createCharge(limit)])]
    for (const { atUs, standings: [standing] } of receipts.reverse()) await store.adjust([{ standing, atUs, units: -1, onlyIfLast: true }])
    assertMatches(await takeOrFail(store, [createCharge(limit)]), delayedBy(SECOND_US))
  })

  defineCase('patience: onlyIfLast does not affect an adjustment of 0 units, or a charge', async (store) => {
    const { atUs, standings: [standing] } = await takeOrFail(store, [createCharge(limit)])
    await takeOrFail(store, [createCharge(limit)])
    await store.adjust([{ standing, atUs, units: 0, onlyIfLast: true }, { standing, atUs, units: 1, onlyIfLast: true }])
    assertEqual(await fetchRemaining(store, limit), 0)
  })

  for (const algorithm of ALGORITHMS.filter((other) => other !== 'token-bucket')) {
    defineCase(`patience: a ${algorithm} has no delay, and ignores onlyIfLast`, async (store) => {
      const window: Limit = createLimit({ algorithm, max: 3, maxDelayUs: SECOND_US })
      const { atUs, standings: [standing] } = await takeOrFail(store, [createCharge(window, 2)])
      await takeOrFail(store, [createCharge(window)])
      assertMatches(await takeOrFail(store, [createCharge(window)]), { granted: false, standings: [{ delayUs: 0 }] })
      await store.adjust([{ standing, atUs, units: -2, onlyIfLast: true }])
      assertEqual((await store.peek([window], PARTITION))[0].remaining, 2)
    })
  }
}
