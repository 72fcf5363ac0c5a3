import { withPatience } from '../algorithms/quota.js'
import { delayOf, type Limit } from '../stores/store.js'
import { PARTITION, chargeOf, matches, remainingOf, same, taken, type Fact } from './assertions.js'
import { ALGORITHMS, limitOf, SECOND_US } from './limits.js'

/** Three units, one more each second; a request waits for up to two seconds. */
const limit = limitOf({ max: 3, windowUs: 3 * SECOND_US, patienceUs: 2 * SECOND_US })
const impatient = withPatience(limit, 0)

function waits (delayUs: number) {
  return { granted: true, standings: [{ granted: true, charged: 1, remaining: 0, delayUs, retryUs: 0 }] }
}

/** What every store does with limits that let requests wait. */
export function patience (fact: Fact): void {
  fact('patience: past the capacity, requests are granted in line, each due an interval after the one before', async (store, advance) => {
    matches(await taken(store, [chargeOf(limit, 3)]), { granted: true, standings: [{ delayUs: 0 }] })
    matches(await taken(store, [chargeOf(limit)]), waits(SECOND_US))
    await advance(250_000)
    matches(await taken(store, [chargeOf(limit)]), waits(1_750_000))
    matches(await taken(store, [chargeOf(limit)]), { granted: false, standings: [{ charged: 0, delayUs: 0, retryUs: 750_000, resetUs: 4_750_000 }] })
    await advance(749_999)
    matches(await taken(store, [chargeOf(limit)]), { granted: false, standings: [{ retryUs: 1 }] })
    await advance(1)
    matches(await taken(store, [chargeOf(limit)]), waits(2 * SECOND_US))
    await advance(5 * SECOND_US)
    same(await remainingOf(store, limit), 3, 'all of them drained')
  })

  fact('patience: with it and without it, one bucket is charged', async (store, advance) => {
    matches(await taken(store, [chargeOf(impatient, 3)]), { granted: true })
    matches(await taken(store, [chargeOf(impatient)]), { granted: false, standings: [{ retryUs: SECOND_US, delayUs: 0 }] })
    matches(await taken(store, [chargeOf(limit)]), waits(SECOND_US))
    matches(await taken(store, [chargeOf(limit)]), waits(2 * SECOND_US))
    matches(await taken(store, [chargeOf(impatient)]), { granted: false, standings: [{ retryUs: 3 * SECOND_US }] }, 'behind the line')
    await advance(3 * SECOND_US)
    matches(await taken(store, [chargeOf(impatient)]), { granted: true, standings: [{ remaining: 0, delayUs: 0 }] })
    matches(await taken(store, [chargeOf(limit)]), waits(SECOND_US))
  })

  fact('patience: a line longer than the window is not cut by a request without patience', async (store, advance) => {
    const long = limitOf({ max: 3, windowUs: 3 * SECOND_US, patienceUs: 100 * SECOND_US })
    for (let i = 0; i < 103; i++) await taken(store, [chargeOf(long)])
    matches(await taken(store, [chargeOf(long)]), { granted: false, standings: [{ retryUs: SECOND_US }] })
    matches(await taken(store, [chargeOf(withPatience(long, 0))]), { granted: false, standings: [{ retryUs: 101 * SECOND_US }] })
    await advance(SECOND_US)
    matches(await taken(store, [chargeOf(long)]), waits(100 * SECOND_US))
  })

  fact('patience: a clock that steps back by a day lengthens no wait beyond the patience', async (store, advance) => {
    await taken(store, [chargeOf(limit, 3)])
    await taken(store, [chargeOf(limit)])
    await advance(-86_400 * SECOND_US)
    const refused = await taken(store, [chargeOf(limit)])
    matches(refused, { granted: false, standings: [{ retryUs: SECOND_US }] })
    await advance(SECOND_US)
    matches(await taken(store, [chargeOf(limit)]), waits(2 * SECOND_US))
  })

  fact('patience: max 0 and a cost above the capacity never wait', async (store) => {
    matches(await taken(store, [chargeOf(limit, 4)]), { granted: false, standings: [{ retryUs: 'never', delayUs: 0 }] })
    const closed = limitOf({ max: 0, patienceUs: SECOND_US })
    matches(await taken(store, [chargeOf(closed)]), { granted: false, standings: [{ retryUs: 'never' }] })
  })

  fact('patience: of several limits the longest wait counts, and a refusal by one leaves none', async (store) => {
    const slow = limitOf({ max: 1, windowUs: 2 * SECOND_US, patienceUs: 2 * SECOND_US, bucket: 'app/slow' })
    const shadow = limitOf({ max: 1, windowUs: 100 * SECOND_US, patienceUs: 100 * SECOND_US, bucket: 'app/shadow', mode: 'shadow' })
    await taken(store, [chargeOf(limit, 3), chargeOf(slow), chargeOf(shadow)])
    const both = await taken(store, [chargeOf(limit), chargeOf(slow), chargeOf(shadow)])
    matches(both, { granted: true, standings: [{ delayUs: SECOND_US }, { delayUs: 2 * SECOND_US }, { delayUs: 100 * SECOND_US }] })
    same(delayOf(both), 2 * SECOND_US, 'a limit on trial holds nobody')
    const refused = await taken(store, [chargeOf(limit), chargeOf(slow)])
    matches(refused, { granted: false, standings: [{ granted: true, charged: 0, delayUs: 0 }, { granted: false, charged: 0 }] })
    same(delayOf(refused), 0)
    matches(await taken(store, [chargeOf(limit)]), waits(2 * SECOND_US), 'its place in the line was not taken')
  })

  fact('patience: who is last in line gives his place back, and then who was before him', async (store) => {
    await taken(store, [chargeOf(limit, 3)])
    const first = await taken(store, [chargeOf(limit)])
    const second = await taken(store, [chargeOf(limit)])
    const giveUp = ({ atUs, standings: [standing] }: typeof first) => store.adjust([{ standing, atUs, units: -1, onlyIfLast: true }])
    await giveUp(first)
    matches(await taken(store, [chargeOf(limit)]), { granted: false }, 'somebody stands behind the first')
    await giveUp(second)
    matches(await taken(store, [chargeOf(limit)]), waits(2 * SECOND_US), 'nobody stood behind the second')
  })

  fact('patience: a place in line is given back in its order, until its bucket is as it was', async (store) => {
    await taken(store, [chargeOf(limit, 3)])
    const places = [await taken(store, [chargeOf(limit)]), await taken(store, [chargeOf(limit)])]
    for (const { atUs, standings: [standing] } of places.reverse()) await store.adjust([{ standing, atUs, units: -1, onlyIfLast: true }])
    matches(await taken(store, [chargeOf(limit)]), waits(SECOND_US))
  })

  fact('patience: a refund of nothing, and a charge, are no matter of who is last', async (store) => {
    const { atUs, standings: [standing] } = await taken(store, [chargeOf(limit)])
    await taken(store, [chargeOf(limit)])
    await store.adjust([{ standing, atUs, units: 0, onlyIfLast: true }, { standing, atUs, units: 1, onlyIfLast: true }])
    same(await remainingOf(store, limit), 0)
  })

  for (const algorithm of ALGORITHMS.filter((other) => other !== 'token-bucket')) {
    fact(`patience: a ${algorithm} has none, and takes units back whoever is last`, async (store) => {
      const window: Limit = limitOf({ algorithm, max: 3, patienceUs: SECOND_US })
      const { atUs, standings: [standing] } = await taken(store, [chargeOf(window, 2)])
      await taken(store, [chargeOf(window)])
      matches(await taken(store, [chargeOf(window)]), { granted: false, standings: [{ delayUs: 0 }] })
      await store.adjust([{ standing, atUs, units: -2, onlyIfLast: true }])
      same((await store.peek([window], PARTITION))[0].remaining, 2)
    })
  }
}
