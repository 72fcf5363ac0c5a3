// The fast path of batches answers and writes as take.lua does. The bytes of a bucket that is ready for leases may differ until
// its slot is brought to now.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import type { LeaseReport, LeaseRequest } from '../../../lib/algorithms/lease.js'
import type { Limit } from '../../../lib/stores/store.js'
import { limitOf, SECOND_US } from '../../fixtures/limits.js'
import { assertPropertyAsync } from '../../fixtures/property.js'
import { BesideTake, type BatchCharge, type Before, type Kept, type Outcome } from './beside-take.js'
import { packLeases, packTokens, toHex } from './packed-buckets.js'
import { openBench } from './open-store.js'

const { redis } = await openBench(t)

/** The hex of the type of a key that is a list. */
const LIST = Buffer.from('list').toString('hex')
const NOW_US = 1_790_000_000_123_456
/** Of a key whose test sets the time. */
const MARGIN_MS = 3_600_000
const GRID_US = 50_000
const NEXT_END_US = 1_790_000_000_150_000

const LIMITS: readonly Limit[] = [
  limitOf({ max: 100, windowUs: 10 * SECOND_US }),
  limitOf({ max: 20, windowUs: 2 * SECOND_US }),
  limitOf({ max: 10, windowUs: SECOND_US, burst: 40 }),
  limitOf({ max: 1000, windowUs: 10 * SECOND_US })
]
const OTHERS: readonly Limit[] = [
  limitOf({ max: 7, windowUs: SECOND_US }),
  limitOf({ max: 0 }),
  limitOf({ max: 20, windowUs: 2 * SECOND_US, mode: 'shadow' }),
  limitOf({ max: 20, windowUs: 2 * SECOND_US, maxDelayUs: SECOND_US }),
  limitOf({ max: 20, windowUs: 2 * SECOND_US, algorithm: 'fixed-window' })
]

const mostly = <Value>(value: fc.Arbitrary<Value>, other: fc.Arbitrary<Value>, weight = 9) =>
  fc.oneof({ weight, arbitrary: value }, { weight: 1, arbitrary: other })
const slotEndUs = fc.integer({ min: -3, max: 4 }).map((slots) => NEXT_END_US + slots * GRID_US)

function beforeOf (limit: Limit): fc.Arbitrary<Before> {
  const { capacityUs, ceilingUs, intervalUs } = limit
  const tatUs = fc.oneof(
    fc.integer({ min: -2, max: 2 }),
    fc.integer({ min: 0, max: limit.capacity }).map((units) => units * intervalUs),
    fc.constantFrom(-SECOND_US, capacityUs, capacityUs + 1, ceilingUs - 1, ceilingUs, ceilingUs + 1, 3 * ceilingUs)
  ).map((us) => NOW_US + us)
  const written = fc.record({
    limit: mostly(fc.constant(limit), fc.constantFrom(...LIMITS, ...OTHERS)),
    tatUs,
    isPersistent: mostly(fc.constant(false), fc.constant(true))
  })
  const tokens = written.map(({ limit, tatUs, isPersistent }): Before => ({ hex: packTokens(limit, tatUs), isPersistent }))
  const apart = mostly(fc.integer({ min: 0, max: 30 }), fc.constant(0), 2)
  const leases = fc.record({
    slotEndUs: mostly(slotEndUs, fc.constantFrom(0, 1, NOW_US - SECOND_US, NEXT_END_US + 60 * SECOND_US)),
    gridUs: mostly(fc.constant(GRID_US), fc.constantFrom(0, 1, 20_000, 300_000)),
    apart,
    apartNext: apart,
    version: mostly(fc.constant(1), fc.constantFrom(0, 2))
  })
  const withLeases = (fields: typeof leases) => fc.tuple(fields, tokens)
    .map(([fields, before]): Before => ({ ...before, hex: packLeases(fields) + String(before.hex) }))
  const leased = withLeases(leases)
  const ready = withLeases(leases.map((fields) => ({ ...fields, apart: 0, apartNext: 0 })))
  const damaged = fc.oneof(
    fc.tuple(fc.oneof(tokens, leased), fc.constantFrom('00', 'ff')).map(([{ hex }, rest]): Before => ({ hex: String(hex) + rest })),
    leased.map(({ hex }): Before => ({ hex: String(hex).slice(0, -2) })),
    leased.map(({ hex }): Before => ({ hex: '54' + String(hex).slice(2) })),
    leased.map(({ hex }): Before => ({ hex: String(hex).slice(0, 16) + '40' + String(hex).slice(18) })),
    fc.constant<Before>({ hex: null, isList: true })
  )
  return fc.oneof(leased, leased, leased, ready, ready, ready, tokens, tokens, tokens, damaged, fc.constant<Before>({ hex: null }))
}

const report: fc.Arbitrary<LeaseReport> = fc.record({
  slotEndUs: fc.oneof(fc.constant(0), slotEndUs), spent: fc.integer({ min: 0, max: 30 }), returned: fc.integer({ min: 0, max: 20 })
})

const lease: fc.Arbitrary<LeaseRequest> = fc.record({
  gridUs: mostly(fc.constant(GRID_US), fc.constant(20_000)),
  want: fc.constantFrom(0, 1, 4, 8, 64, 1000),
  soon: fc.constantFrom(0, 1, 3, 8, 64),
  reports: fc.tuple(report, report)
})

function chargeOf (limit: Limit): fc.Arbitrary<BatchCharge> {
  const bucket = fc.integer({ min: 0, max: 2 })
  const cost = fc.constantFrom(1, 1, 5, limit.capacity, limit.capacity + 1)
  const plain = fc.record({ bucket, cost: mostly(cost, fc.constant(0), 30) })
  return fc.oneof(plain, fc.record({ bucket, cost: fc.constant(0), lease }), fc.record({ bucket, cost, lease }))
}

const parseHex = (hex: string) => parseInt(hex, 16)

/** A bucket as the first request for a lease sees it: a time that is over is now, and so is the slot if nothing is leased. */
function bringToNow ({ hex, ttlMs }: Kept, nowUs: number): Kept {
  if (hex.length !== 108 || !/^55.{14}80{15}/.test(hex)) return { hex, ttlMs }
  const tatUs = parseHex(hex.slice(86, 100))
  const later = { hex: hex.slice(0, 86) + toHex(Math.max(tatUs, nowUs), 7) + hex.slice(100), ttlMs }
  const [slotEndUs, gridUs] = [parseHex(hex.slice(2, 16)), parseHex(hex.slice(32, 40))]
  if (!hex.startsWith('01000000000000', 40) || slotEndUs > nowUs || slotEndUs === 0 || gridUs === 0) return later
  if (ttlMs > 0) assert.equal(ttlMs, Math.ceil((Math.max(tatUs, slotEndUs + 2 * gridUs) - nowUs) / 1000) + MARGIN_MS, 'its life')
  const endUs = (Math.floor(nowUs / gridUs) + 1) * gridUs
  return { hex: '55' + toHex(endUs, 7) + later.hex.slice(16), ttlMs: -3 }
}

/** A bucket that a call left, for the next call. */
function toBefore ({ hex, ttlMs }: Kept): Before {
  if (hex === LIST) return { hex: null, isList: true }
  return ttlMs === -2 ? { hex: null } : { hex, isPersistent: ttlMs === -1 }
}

function assertSame (fast: Outcome, slow: Outcome, nowUs: number): void {
  assert.equal(fast.reply, slow.reply)
  assert.equal(fast.error, slow.error)
  for (const [i, kept] of fast.kept.entries()) {
    const [one, other] = [bringToNow(kept, nowUs), bringToNow(slow.kept[i], nowUs)]
    assert.equal(one.hex, other.hex)
    if (one.ttlMs !== -3) assert.equal(one.ttlMs, other.ttlMs)
  }
}

const sideBySide = fc.record({
  limit: mostly(fc.constantFrom(...LIMITS), fc.constantFrom(...OTHERS)),
  second: mostly(fc.constant<Limit | null>(null), fc.constantFrom(...LIMITS), 15)
}).chain(({ limit, second }) => fc.record({
  limits: fc.constant(second === null ? [limit] : [limit, second]),
  before: fc.array(beforeOf(limit), { minLength: 3, maxLength: 3 }),
  refused: mostly(fc.constant<number | undefined>(undefined), fc.integer({ min: 0, max: 2 })),
  calls: fc.array(fc.record({
    stepUs: fc.constantFrom(0, 1, 10_000, 26_544, 50_000, 76_544, 126_544, SECOND_US),
    checks: fc.array(chargeOf(limit), { minLength: 1, maxLength: 4 }),
    isTogether: mostly(fc.constant(false), fc.constant(true), 15)
  }), { minLength: 1, maxLength: 4 })
}))

t.test('random batches are answered and written as by take.lua alone', async (t) => {
  const both = await BesideTake.load(redis)
  const met = { fast: 0, calls: 0 }
  await assertPropertyAsync(sideBySide, 2400, async ({ limits, before, refused, calls }) => {
    let [fast, slow]: Array<readonly Before[]> = [before, before]
    let nowUs = NOW_US
    for (const { stepUs, checks, isTogether } of calls) {
      nowUs += stepUs
      const charges = checks.map((charge, i) => ({ ...charge, limit: i % limits.length }))
      const batch = { limits, checks: isTogether ? [charges] : charges, nowUs, fast, slow }
      const [one, other] = await both.run(refused === undefined ? batch : { ...batch, refused })
      assertSame(one, other, nowUs)
      fast = one.kept.map(toBefore)
      slow = other.kept.map(toBefore)
      met.calls++
      if (one.isFast) met.fast++
    }
  })
  t.ok(met.fast > met.calls / 3, JSON.stringify(met))
})
