// What is charged and refunded after a decision, in one call to the store.
import t from 'tap'
import { Corrections } from '../../lib/request/corrections.js'
import type { Receipt } from '../../lib/stores/store.js'
import { CorrectedStore, createReceipt, createSlotLimit, createStanding } from '../fixtures/decisions.js'
import { limitOf } from '../fixtures/limits.js'

const REQUESTS = limitOf({ bucket: 'requests' })
const TOKENS = limitOf({ bucket: 'tokens', max: 1000 })

const requests = createStanding(REQUESTS)
const tokens = createStanding(TOKENS, { charged: 100, remaining: 900, atUs: 2000 })

function correct (receipt: Receipt = createReceipt([requests, tokens, createStanding(createSlotLimit())])) {
  const store = new CorrectedStore()
  return { store, corrections: new Corrections(receipt, store) }
}

t.test('a charge is one call for all limits but slots, at the time of each', async (t) => {
  const { store, corrections } = correct()
  t.equal(corrections.charge(({ limit }) => limit === TOKENS ? 50 : 2), undefined)
  t.strictSame(store.calls, [[{ standing: requests, atUs: 1000, units: 2 }, { standing: tokens, atUs: 2000, units: 50 }]])
  t.equal(corrections.computeRemaining(requests), 7)
  t.equal(corrections.computeRemaining(tokens), 850)
})

t.test('the promise of the store is that of a correction', async (t) => {
  const done = Promise.resolve()
  const corrections = new Corrections(createReceipt(), new CorrectedStore(done))
  t.equal(corrections.charge(() => 1), done)
})

t.test('a charge of nothing is no call', async (t) => {
  const { store, corrections } = correct()
  corrections.charge(() => 0)
  t.strictSame(store.calls, [])
  corrections.charge(({ limit }) => limit === TOKENS ? 1 : 0)
  t.strictSame(store.units, [{ tokens: 1 }])
})

t.test('a refund gives back what was taken, once', async (t) => {
  const { store, corrections } = correct()
  corrections.refund(60)
  corrections.refund(60)
  corrections.refund(60)
  t.strictSame(store.units, [{ requests: -1, tokens: -60 }, { tokens: -40 }])
  t.equal(corrections.computeRemaining(requests), 10)
  t.equal(corrections.computeRemaining(tokens), 1000)
})

t.test('what is left ends at 0 and at the capacity', async (t) => {
  const { corrections } = correct()
  corrections.charge(() => 10)
  t.equal(corrections.computeRemaining(requests), 0)
  const full = createStanding(REQUESTS, { charged: 5, remaining: 8 })
  const other = correct(createReceipt([full])).corrections
  other.refund(5)
  t.equal(other.computeRemaining(full), 10)
})

t.test('without a correction what is left is what the store said, also above the capacity', async (t) => {
  const odd = createStanding(REQUESTS, { remaining: 11 })
  t.equal(correct(createReceipt([odd])).corrections.computeRemaining(odd), 11)
})

t.test('settling replaces what was taken, once, and nothing is refunded after it', async (t) => {
  const { store, corrections } = correct()
  corrections.refund(1)
  corrections.settle(new Map([['tokens', 30], ['unknown', 1]]))
  corrections.settle(new Map([['tokens', 70]]))
  corrections.refund(5)
  corrections.refundUnsettled(new Set(['tokens']))
  t.strictSame(store.units, [{ requests: -1, tokens: -1 }, { tokens: -69 }])
  t.equal(corrections.computeRemaining(tokens), 970)
})

t.test('settling more than was taken charges the rest', async (t) => {
  const { store, corrections } = correct()
  corrections.settle(new Map([['tokens', 130], ['requests', 1]]))
  t.strictSame(store.units, [{ tokens: 30 }])
  corrections.refund(1)
  t.strictSame(store.units, [{ tokens: 30 }], 'what was settled as it was is settled too')
})

t.test('a limit that refused, and a request that was refused, are not settled', async (t) => {
  const shadow = createStanding(limitOf({ bucket: 'shadow', mode: 'shadow' }), { granted: false, charged: 0 })
  const inShadow = correct(createReceipt([requests, shadow]))
  inShadow.corrections.settle(new Map([['shadow', 5]]))
  t.strictSame(inShadow.store.calls, [])
  const refused = correct(createReceipt([{ ...requests, charged: 0 }, { ...tokens, granted: false, charged: 0 }]))
  refused.corrections.settle(new Map([['requests', 5], ['tokens', 5]]))
  t.strictSame(refused.store.calls, [])
})

t.test('limits that were not settled are refunded by name', async (t) => {
  const { store, corrections } = correct()
  corrections.refundUnsettled(new Set(['tokens']))
  t.strictSame(store.units, [{ tokens: -100 }])
})

t.test('the last request of a queue refunds all, if it is the last one', async (t) => {
  const { store, corrections } = correct()
  corrections.refundLast()
  t.strictSame(store.calls, [[
    { standing: requests, atUs: 1000, units: -1, onlyIfLast: true }, { standing: tokens, atUs: 2000, units: -100, onlyIfLast: true }
  ]])
})
