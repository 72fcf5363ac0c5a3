// Which batches the fast path answers, and which it leaves to take.lua. A second check of a bucket that was renewed is left to it,
// so it shows whether a renewal was a short one.
import t from 'tap'
import type { LeaseRequest } from '../../../lib/algorithms/lease.js'
import { limitOf, SECOND_US } from '../../fixtures/limits.js'
import { BesideTake, type Batch, type BatchCharge, type Before } from './beside-take.js'
import { packLeases, packOveruse, packTokens, type Leases } from './packed-buckets.js'
import { openBench } from './open-store.js'

const { redis } = await openBench(t)

const NOW_US = 1_790_000_000_123_456
const GRID_US = 50_000
const SLOT_END_US = 1_790_000_000_150_000
const limit = limitOf({ max: 20, windowUs: 2 * SECOND_US })
const { ceilingUs, capacityUs, intervalUs } = limit
const ABSENT: Before = { hex: null }

const tokens = (tatUs = NOW_US + 3 * intervalUs, one = limit) => packTokens(one, tatUs)
const leasesOf = (fields: Partial<Leases> = {}) => packLeases({ slotEndUs: SLOT_END_US, gridUs: GRID_US, ...fields })
const READY = { hex: leasesOf({ slotEndUs: SLOT_END_US - GRID_US }) + tokens() }
const LEASED = { hex: leasesOf({ apart: 3, apartNext: 2 }) + tokens(NOW_US + 6 * intervalUs) }

function requestOf (settings: Partial<LeaseRequest> = {}): LeaseRequest {
  const none = { slotEndUs: 0, spent: 0, returned: 0 }
  return { gridUs: GRID_US, want: 8, soon: 0, reports: [none, none], ...settings }
}

const PERSISTENT = { hex: tokens(), isPersistent: true }
const charge = (cost = 1): BatchCharge => ({ bucket: 0, cost })
const request = (settings?: Partial<LeaseRequest>): BatchCharge => ({ bucket: 0, cost: 1, lease: requestOf(settings) })
const renewal = (settings?: Partial<LeaseRequest>): BatchCharge => ({ bucket: 0, cost: 0, lease: requestOf(settings) })

interface Row extends Partial<Pick<Batch, 'limits' | 'checks' | 'nowUs'>> { readonly before?: Before }

const FAST: Readonly<Record<string, Row>> = {
  'an absent bucket': { before: ABSENT },
  'a limit of one unit': { limits: [limitOf({ max: 1 })], before: ABSENT },
  'a refusal of an absent bucket': { before: ABSENT, checks: [charge(21)] },
  'a refusal': { checks: [charge(18)] },
  'several checks': { checks: [charge(), charge(5), charge()] },
  'a bucket just below its ceiling': { before: { hex: tokens(NOW_US + ceilingUs - 1) } },
  'a charge of a bucket without a TTL': { before: PERSISTENT },
  'a refusal after a charge of a bucket without a TTL': { before: PERSISTENT, checks: [charge(), charge(20)] },
  'a refusal after a bucket without a TTL was made ready': { before: PERSISTENT, checks: [renewal(), charge(20)] },
  'a refusal after a report to a bucket without a TTL': {
    before: { ...READY, isPersistent: true }, checks: [request({ want: 0 }), charge(20)]
  },
  'a refusal after a report alone to a bucket without a TTL': {
    before: { ...READY, isPersistent: true }, checks: [renewal({ want: 0, gridUs: 20_000 }), charge(20)]
  },
  'a bucket that is ready': { before: READY },
  'a bucket with leases': { before: LEASED },
  'a bucket with leases of this slot': { before: { hex: leasesOf({ apart: 3 }) + tokens() } },
  'a bucket with leases of the next slot': { before: { hex: leasesOf({ apartNext: 3 }) + tokens() } },
  'a request beside a charge': { before: LEASED, checks: [request(), charge()] },
  'a request of a bucket that is ready, after a charge': { before: READY, checks: [charge(), request(), charge()] },
  'a renewal': { before: LEASED, checks: [renewal()] },
  'a renewal, and a charge of another bucket': { before: LEASED, checks: [renewal(), { bucket: 1, cost: 1 }] },
  'a renewal of an absent bucket, and a charge': { before: ABSENT, checks: [renewal(), charge()] },
  'a renewal with another grid, and a charge': { before: LEASED, checks: [renewal({ gridUs: 20_000 }), charge()] },
  'a renewal before the slots are open, and a charge': {
    before: { hex: leasesOf({ slotEndUs: NOW_US + GRID_US + 1 }) + tokens() }, checks: [renewal(), charge()]
  },
  'a renewal of a bucket in debt, and a charge': {
    before: { hex: leasesOf() + tokens(NOW_US + capacityUs + 1) }, checks: [renewal(), charge()]
  },
  'a renewal of leases with another mark, and a charge': {
    before: { hex: `${LEASED.hex.slice(0, 30)}01${LEASED.hex.slice(32)}` }, checks: [renewal(), charge()]
  },
  'a renewal after a charge': { before: LEASED, checks: [charge(), renewal(), charge()] }
}

const overOfOwn = packOveruse(NOW_US) + tokens()
const SLOW: Readonly<Record<string, Row>> = {
  'a bucket at its ceiling': { before: { hex: tokens(NOW_US + ceilingUs) } },
  'a look': { checks: [charge(0)] },
  'a check of two charges': { checks: [[charge(), { bucket: 1, cost: 1 }]] },
  'two limits': { limits: [limit, limit], checks: [charge(), { bucket: 1, cost: 1, limit: 1 }] },
  'two limits, with as many bytes of checks as one limit has': { limits: [limit, limit], checks: [charge(), charge(), renewal()] },
  'a limit with a fraction of a microsecond': { limits: [limitOf({ max: 7, windowUs: SECOND_US })], before: ABSENT },
  'a limit without units': { limits: [limitOf({ max: 0 })], before: ABSENT },
  'a limit in shadow mode': { limits: [limitOf({ mode: 'shadow' })], before: ABSENT },
  'a limit with a delay': { limits: [limitOf({ maxDelayUs: SECOND_US })], before: ABSENT },
  'a fixed window': { limits: [limitOf({ algorithm: 'fixed-window' })], before: ABSENT },
  'a sliding window': { limits: [limitOf({ algorithm: 'sliding-window' })], before: ABSENT },
  'a bucket of other numbers': { before: { hex: tokens(NOW_US, limitOf({ max: 20, windowUs: 4 * SECOND_US })) } },
  'a bucket of another burst': { before: { hex: tokens(NOW_US, limitOf({ max: 20, windowUs: 2 * SECOND_US, burst: 30 })) } },
  'leases of other numbers': { before: { hex: leasesOf() + tokens(NOW_US, limitOf({ max: 20, windowUs: 4 * SECOND_US })) } },
  'leases of another version': { before: { hex: leasesOf({ version: 2 }) + tokens() } },
  'leases without a grid': { before: { hex: leasesOf({ gridUs: 0 }) + tokens() } },
  'leases without a grid, of a slot that is over': { before: { hex: leasesOf({ gridUs: 0, slotEndUs: NOW_US - 1 }) + tokens() } },
  'leases without a slot': { before: { hex: leasesOf({ slotEndUs: 0 }) + tokens() } },
  overuse: { before: { hex: overOfOwn } },
  'leases and overuse': { before: { hex: leasesOf() + overOfOwn } },
  'a text of the same length': { before: { hex: '56' + leasesOf().slice(2) + tokens() } },
  'a renewal of a text of the same length': { before: { hex: `56${LEASED.hex.slice(2)}` }, checks: [renewal()] },
  'a longer text': { before: { hex: `${tokens()}00` } },
  'leases and a longer text': { before: { hex: `${leasesOf()}${tokens()}00` } },
  'leases and a shorter text': { before: { hex: leasesOf() + tokens().slice(2) } },
  'a key of another type': { before: { hex: null, isList: true } },
  'a renewal of a key of another type': { before: { hex: null, isList: true }, checks: [renewal()] },
  'a refusal of a bucket without a TTL': { before: PERSISTENT, checks: [charge(20)] },
  'a renewal of a bucket at its ceiling that gives back much': {
    before: { hex: leasesOf({ apart: 20 }) + tokens(NOW_US + ceilingUs) },
    checks: [renewal({ reports: [{ slotEndUs: SLOT_END_US, spent: 0, returned: 20 }, { slotEndUs: 0, spent: 0, returned: 0 }] })]
  },
  'a renewal without units of a bucket without a TTL': { before: PERSISTENT, checks: [renewal({ want: 0 })] },
  'a charge after a renewal': { before: LEASED, checks: [renewal(), charge()] },
  'a charge after a renewal that frees no unit': {
    before: { hex: leasesOf() + tokens(NOW_US + capacityUs) }, checks: [renewal(), charge()]
  },
  'a charge after a renewal at the start of a slot': { before: LEASED, nowUs: SLOT_END_US - GRID_US, checks: [renewal(), charge()] },
  'a charge after a renewal at the end of a slot': { before: LEASED, nowUs: SLOT_END_US, checks: [renewal(), charge()] },
  'a charge after a renewal long after a slot': { before: LEASED, nowUs: SLOT_END_US + SECOND_US, checks: [renewal(), charge()] },
  'a charge after a renewal of a grid of a microsecond': {
    before: { hex: leasesOf({ gridUs: 1 }) + tokens() }, nowUs: SLOT_END_US, checks: [renewal({ gridUs: 1 }), charge()]
  },
  'a charge after a renewal of a bucket of long ago': {
    before: { hex: leasesOf({ slotEndUs: 1 }) + tokens(1) }, checks: [renewal(), charge()]
  },
  'two renewals': { before: LEASED, checks: [renewal(), renewal()] }
}

for (const [isFast, rows] of [[true, FAST], [false, SLOW]] as const) {
  t.test(isFast ? 'the fast path answers' : 'take.lua answers', async (t) => {
    const both = await BesideTake.load(redis)
    for (const [title, row] of Object.entries(rows)) {
      const { limits = [limit], before = { hex: tokens() }, checks = [charge()], nowUs = NOW_US } = row
      const [one, other] = await both.run({ limits, checks, nowUs, fast: [before, ABSENT], slow: [before, ABSENT] })
      t.equal(one.isFast, isFast, title)
      t.equal(one.reply, other.reply, title)
      t.equal(one.error, other.error, title)
    }
  })
}

/** Of a slot, and of a grid. */
const READY_US: ReadonlyArray<readonly [number, number]> = [
  [SLOT_END_US - GRID_US, GRID_US], [1, GRID_US], [SLOT_END_US - GRID_US, 1], [SLOT_END_US, GRID_US], [NOW_US - SECOND_US, 3 * SECOND_US]
]

t.test('a charge keeps the slots of a bucket that is ready', async (t) => {
  const both = await BesideTake.load(redis)
  for (const [slotEndUs, gridUs] of READY_US) {
    const [leases, tatUs] = [leasesOf({ slotEndUs, gridUs }), NOW_US + 3 * intervalUs]
    const before = { hex: leases + tokens(tatUs) }
    const [outcome] = await both.run({ limits: [limit], checks: [charge()], nowUs: NOW_US, fast: [before], slow: [before] })
    const { hex, ttlMs } = outcome.kept[0]
    t.equal(hex, leases + tokens(tatUs + intervalUs))
    t.equal(ttlMs, Math.ceil((Math.max(tatUs + intervalUs, slotEndUs + 2 * gridUs) - NOW_US) / 1000) + 3_600_000)
  }
})

t.test('a charge resets a slot that is more than three grids away', async (t) => {
  const both = await BesideTake.load(redis)
  for (const [us, isReset] of [[3 * GRID_US, false], [3 * GRID_US + 1, true], [4 * GRID_US, true]] as const) {
    const before = { hex: leasesOf({ slotEndUs: NOW_US + us }) + tokens() }
    const [outcome] = await both.run({ limits: [limit], checks: [charge()], nowUs: NOW_US, fast: [before], slow: [before] })
    t.equal(outcome.kept[0].hex.slice(0, 54), leasesOf({ slotEndUs: isReset ? SLOT_END_US + 2 * GRID_US : NOW_US + us }), String(us))
  }
})

t.test('a renewal leases no more than three bytes hold', async (t) => {
  const both = await BesideTake.load(redis)
  const [large, apartNext] = [limitOf({ max: 20_000_000, windowUs: 200_000_000 }), 16_777_210]
  const before = { hex: leasesOf({ apartNext }) + tokens(NOW_US + 10 * apartNext, large) }
  const outcomes = await both.run({ limits: [large], checks: [renewal({ want: 1000 })], nowUs: NOW_US, fast: [before], slow: [before] })
  for (const { kept } of outcomes) t.equal(kept[0].hex, leasesOf({ apartNext: 16_777_215 }) + tokens(NOW_US + 10 * 16_777_215, large))
})

t.test('the time is that of Redis, which may replicate effects unasked', async (t) => {
  const both = await BesideTake.load(redis)
  for (const server of ['clock', 'clock replicate'] as const) {
    const before = { hex: tokens(1_790_000_000_654_321 + intervalUs) }
    const outcomes = await both.run({ limits: [limit], checks: [charge()], nowUs: null, fast: [before], slow: [before], server })
    t.equal(outcomes[0].isFast, true)
    for (const { reply, isReplicating, kept } of outcomes) {
      t.equal(parseInt(reply.slice(0, 14), 16), 1_790_000_000_654_321)
      t.equal(isReplicating, server !== 'clock')
      t.strictSame(kept, [{ hex: tokens(1_790_000_000_654_321 + 2 * intervalUs), ttlMs: 201 }])
    }
  }
})
