// What a limit, a standing and a receipt say by themselves.
import t from 'tap'
import { createQuota } from '../../lib/algorithms/quota.js'
import { computeDelayUs, findPenalty, findSlot, isConcurrency, isStrike, isUnavailable, toUncharged, type Receipt, type Standing } from '../../lib/stores/store.js'
import { limitOf, penaltyWith } from '../fixtures/limits.js'

const penalty = penaltyWith()
const plain = limitOf()
const penal = limitOf({ penalty })
const slots = { ...limitOf(), ...createQuota('concurrency', 5, 1_000_000) }

function createStanding (fields: Partial<Standing> = {}): Standing {
  return { limit: penal, partition: 'a', charged: 0, granted: false, remaining: 0, resetUs: 0, delayUs: 0, retryUs: 5, blockedUs: 0, ...fields }
}

t.test('a penalty is that of a limit which a single client exceeds', async (t) => {
  t.strictSame([plain, penal, limitOf({ penalty, by: 'global' }), limitOf({ penalty, mode: 'shadow' })].map(findPenalty), [null, penalty, null, null])
})

t.test('a refusal is a strike if waiting helps, a unit was asked for, and the limit has a penalty', async (t) => {
  t.equal(isStrike(createStanding(), 1), true)
  t.strictSame([createStanding({ granted: true }), createStanding({ retryUs: 'never' }), createStanding({ limit: plain })].map((standing) => isStrike(standing, 1)), [false, false, false])
  t.equal(isStrike(createStanding(), 0), false)
})

t.test('the slot of a request is its last charge', async (t) => {
  t.strictSame([isConcurrency(slots), isConcurrency(plain)], [true, false])
  const [rate, slot] = [plain, slots].map((limit) => ({ limit }))
  t.strictSame([findSlot([]), findSlot([rate]), findSlot([rate, slot]), findSlot([slot, rate])], [undefined, undefined, slot, undefined])
})

t.test('a charge without units is that of a look, but a limit in shadow mode is charged by itself', async (t) => {
  const charge = { limit: plain, partition: 'a', cost: 3 }
  t.strictSame(toUncharged(charge), { ...charge, cost: 0 })
  const shadow = { ...charge, limit: limitOf({ mode: 'shadow' }) }
  t.equal(toUncharged(shadow), shadow)
})

t.test('a granted request is held for as long as the slowest enforced limit says', async (t) => {
  const standings = [createStanding({ delayUs: 3 }), createStanding({ delayUs: 7 }), createStanding({ delayUs: 5 }), createStanding({ limit: limitOf({ mode: 'shadow' }), delayUs: 9 })]
  const receipt: Receipt = { granted: true, atUs: 1, standings, blocks: [] }
  t.strictSame([receipt, { ...receipt, granted: false }, { ...receipt, standings: [] }].map(computeDelayUs), [7, 0, 0])
})

t.test('an answer is a receipt, or says why there is none', async (t) => {
  t.strictSame([isUnavailable({ unavailable: 'deadline' }), isUnavailable({ granted: true, atUs: 1, standings: [], blocks: [] })], [true, false])
})
