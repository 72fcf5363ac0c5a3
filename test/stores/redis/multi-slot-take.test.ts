// A check of several partitions, taken piece by piece as on a Cluster.
import t from 'tap'
import { MemoryStore } from '../../../lib/stores/memory/store.js'
import { takeAcrossSlots } from '../../../lib/stores/redis/multi-slot-take.js'
import { isUnavailable, type Adjustment, type Answer, type Charge, type Limit, type Receipt, type Standing } from '../../../lib/stores/store.js'
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

const plain = limitOf({ bucket: 'app/plain' })
const shadow = limitOf({ bucket: 'app/shadow', mode: 'shadow' })

function createStanding (limit: Limit, partition: string, fields: Partial<Standing> = {}): Standing {
  return { limit, partition, charged: 1, granted: true, remaining: 5, resetUs: 0, delayUs: 0, retryUs: 0, blockedUs: 0, ...fields }
}

const createReceipt = (atUs: number, standings: readonly Standing[], granted = true, blocks: Receipt['blocks'] = []): Receipt => ({ granted, atUs, standings, blocks })

/** Take from partitions whose answers are given, each once. Returns the answer, and what was given back. */
async function takePieces (some: readonly Charge[], answers: Readonly<Record<string, Answer>>) {
  const refunds: Adjustment[] = []
  let adjusts = 0
  const answer = await takeAcrossSlots({
    take: ([{ partition }]) => answers[partition],
    async adjust (adjustments) {
      adjusts++
      refunds.push(...adjustments)
    }
  }, some)
  return { answer, refunds, adjusts }
}

t.test('each piece keeps its standings and its time, and the request has the latest', async (t) => {
  const all: Charge[] = [[plain, 'a'], [plain, 'b'], [shadow, 'a']].map(([limit, partition]) => ({ limit: limit as Limit, partition: partition as string, cost: 1 }))
  const { answer, adjusts } = await takePieces(all, {
    a: createReceipt(3, [createStanding(plain, 'a', { remaining: 1 }), createStanding(shadow, 'a', { remaining: 2 })]),
    b: createReceipt(7, [createStanding(plain, 'b', { remaining: 3 })])
  })
  t.match(answer, { granted: true, atUs: 7, standings: [{ remaining: 1, atUs: 3, charged: 1 }, { remaining: 3, atUs: 7 }, { remaining: 2, atUs: 3 }], blocks: [] })
  t.equal(adjusts, 0)
})

const both: Charge[] = ['a', 'b'].map((partition) => ({ limit: plain, partition, cost: 1 }))

t.test('without the answer of one piece the others get their units back', async (t) => {
  const granted = createStanding(plain, 'b')
  const failure: Answer = { unavailable: 'deadline' }
  const { answer, refunds } = await takePieces(both, { a: failure, b: createReceipt(7, [granted]) })
  t.equal(answer, failure)
  t.strictSame(refunds, [{ standing: granted, atUs: 7, units: -1 }])
})

for (const [why, blocks, refunded] of [
  ['a refusal gives back what enforced limits charged', [], ['app/plain']],
  ['a block gives back what limits in shadow mode charged, too', [{ partition: 'a', blockedUs: 1, began: true }], ['app/plain', 'app/shadow']]
] as const) {
  t.test(why, async (t) => {
    const uncharged = limitOf({ bucket: 'app/uncharged' })
    const some: Charge[] = [...both, ...[shadow, uncharged].map((limit) => ({ limit, partition: 'b', cost: 1 }))]
    const standings = [createStanding(plain, 'b', { charged: 3, delayUs: 9 }), createStanding(shadow, 'b'), createStanding(uncharged, 'b', { charged: 0 })]
    const { answer, refunds } = await takePieces(some, {
      a: createReceipt(3, [createStanding(plain, 'a', { granted: false, charged: 0 })], false, blocks),
      b: createReceipt(7, standings)
    })
    t.strictSame(refunds.map(({ standing }) => standing.limit.bucket), refunded)
    t.strictSame(refunds[0], { standing: standings[0], atUs: 7, units: -3, onlyIfLast: true }, 'what is delayed only at the end of its queue')
    t.match(answer, { granted: false, blocks, standings: [{ charged: 0, granted: false }, { charged: 0, delayUs: 0, atUs: 7 }, { charged: 1, remaining: 5 }, { charged: 0, remaining: 5 }] })
  })
}

t.test('used units of a period come back with the charge', async (t) => {
  const usedAfter = async (units: number) => {
    const standing = createStanding(plain, 'b', { charged: 3, usage: { units, endUs: 9 } })
    const { answer } = await takePieces(both, { a: createReceipt(3, [createStanding(plain, 'a', { granted: false, charged: 0 })], false), b: createReceipt(7, [standing]) })
    return 'standings' in answer && answer.standings.map(({ usage, remaining }) => [usage, remaining])
  }
  t.strictSame(await usedAfter(5), [[undefined, 5], [{ units: 2, endUs: 9 }, 8]])
  t.strictSame(await usedAfter(1), [[undefined, 5], [{ units: 0, endUs: 9 }, 8]], 'a reset came before')
})
