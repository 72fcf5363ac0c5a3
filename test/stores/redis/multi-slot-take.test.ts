// A check of several partitions, taken piece by piece as on a Cluster.
import t from 'tap'
import { MemoryStore } from '../../../lib/stores/memory/store.js'
import { takeAcrossSlots } from '../../../lib/stores/redis/multi-slot-take.js'
import { isUnavailable, type Charge, type Receipt } from '../../../lib/stores/store.js'
import { limitOf, penaltyWith, SECOND_US } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'

const penalty = penaltyWith()
const own = limitOf({ max: 3, windowUs: 3 * SECOND_US, maxDelayUs: 2 * SECOND_US, penalty, bucket: 'app/own' })
const address = limitOf({ max: 10, windowUs: 10 * SECOND_US, penalty, bucket: 'app/address' })

function pieces () {
  const clock = new ManualClock()
  const store = new MemoryStore({ clock, maxKeys: 100_000 })
  t.teardown(() => store.close())
  const take = async (charges: readonly Charge[]): Promise<Receipt> => {
    const answer = await takeAcrossSlots({ take: (some) => store.take(some), adjust: async (adjustments) => { store.adjust(adjustments) } }, charges)
    if (isUnavailable(answer)) throw new Error('no answer')
    return answer
  }
  return { clock, store, take }
}

const charges: readonly Charge[] = [{ limit: own, partition: 'user:42', cost: 1 }, { limit: address, partition: 'ip:203.0.113.9', cost: 1 }]

t.test('a granted request is held as each piece says', async (t) => {
  const { take } = pieces()
  for (let i = 0; i < 3; i++) await take(charges)
  t.match(await take(charges), { granted: true, standings: [{ delayUs: SECOND_US, charged: 1 }, { delayUs: 0, charged: 1 }] })
})

t.test('a block of one partition refuses the request, and the other gets its units back and no strike', async (t) => {
  const { store, take } = pieces()
  store.take([{ ...charges[1], strikes: 3 }])
  for (let i = 0; i < 5; i++) {
    const receipt = await take(charges)
    t.match(receipt, { granted: false, standings: [{ granted: true, charged: 0, remaining: 3, blockedUs: 0 }, { granted: false, blockedUs: 10 * SECOND_US }] })
    t.strictSame(receipt.blocks, [{ partition: 'ip:203.0.113.9', blockedUs: 10 * SECOND_US, began: false }])
  }
  t.match(store.peek([own], 'user:42'), [{ remaining: 3 }])
})

t.test('units that waited in line are none of the capacity when they come back', async (t) => {
  const { store, take } = pieces()
  const dear: Charge[] = [{ ...charges[0], cost: 2 }, charges[1]]
  store.take([{ ...charges[1], cost: 10 }])
  store.take([{ ...charges[0], cost: 2 }])
  const [standing] = (await take(dear)).standings
  t.match(standing, { granted: true, charged: 0, delayUs: 0, remaining: 1 })
  t.equal(store.peek([own], 'user:42')[0].remaining, 1)
})
