import t from 'tap'
import fc from 'fast-check'
import { isExact, createQuota } from '../../lib/algorithms/quota.js'
import { assertProperty } from '../fixtures/property.js'
import { quotas } from '../fixtures/schedules.js'

const SECOND_US = 1_000_000
const DAY_US = 86_400 * SECOND_US
const YEAR_US = 365 * DAY_US

t.test('the emission interval is the reduced fraction windowUs / max', async (t) => {
  const parts = (max: number, windowUs: number) => {
    const { intervalUs, intervalNum, intervalDen } = createQuota('token-bucket', max, windowUs)
    return [intervalUs, intervalNum, intervalDen]
  }
  t.strictSame(parts(10, SECOND_US), [100_000, 0, 1])
  t.strictSame(parts(3, SECOND_US), [333_333, 1, 3])
  t.strictSame(parts(700_000, SECOND_US), [1, 3, 7])
  t.strictSame(parts(1_000_000, SECOND_US), [1, 0, 1])
  t.strictSame(parts(3_000_000, SECOND_US), [0, 1, 3], 'a rate above one unit in a microsecond')
  t.strictSame(parts(1_234_567, DAY_US), [69_984, 63_072, 1_234_567], 'nothing to reduce')
})

t.test('a burst is a matter of the token bucket only', async (t) => {
  t.equal(createQuota('token-bucket', 10, SECOND_US).capacity, 10, 'max where there is no burst')
  t.equal(createQuota('token-bucket', 10, SECOND_US, 50).capacity, 50)
  t.equal(createQuota('fixed-window', 10, SECOND_US, 50).capacity, 10)
  t.equal(createQuota('sliding-window', 10, SECOND_US, 50).capacity, 10)
})

t.test('max 0 has no capacity, whatever the burst, and its numbers are exact', async (t) => {
  const quota = createQuota('token-bucket', 0, SECOND_US, 50)
  t.equal(quota.capacity, 0)
  t.equal(quota.capacityUs, 0)
  t.ok(isExact(quota))
})

t.test('the newest entry of a sliding window absorbs for 1/128 of the window, rounded up', async (t) => {
  t.equal(createQuota('sliding-window', 10, 128 * SECOND_US).mergeUs, SECOND_US)
  t.equal(createQuota('sliding-window', 10, 129).mergeUs, 2, 'rounded down there would be 130 entries')
  t.equal(createQuota('sliding-window', 10, 1).mergeUs, 1)
})

t.test('the capacity and the ceiling are exact, and the ceiling is the last whole microsecond', async () => {
  assertProperty(quotas('token-bucket'), 2000, (quota) => {
    const [max, windowUs, capacity] = [quota.max, quota.windowUs, quota.capacity].map(BigInt)
    const capacityParts = BigInt(quota.capacityUs) * BigInt(quota.intervalDen) + BigInt(quota.capacityNum)
    if (capacityParts * max !== capacity * windowUs * BigInt(quota.intervalDen)) throw new Error('capacity')
    if (quota.capacityNum < 0 || quota.capacityNum >= quota.intervalDen) throw new Error('capacity is not reduced')
    if (BigInt(quota.ceilingUs) !== (capacity * windowUs + (max - 1n) * windowUs) / max) throw new Error('ceiling')
  })
})

t.test('everyday and extreme rates are exact', async (t) => {
  for (const [max, windowUs, burst] of [
    [1, 1], [1, 1000], [100, 60 * SECOND_US], [2_000_000, SECOND_US], [1_999_993, 30 * DAY_US],
    [1_234_567, DAY_US], [1, 35 * YEAR_US], [10, SECOND_US, 1_000_000], [1_999_993, DAY_US, 1_000_000_000]
  ]) t.ok(isExact(createQuota('token-bucket', max, windowUs, burst)), `${max} per ${windowUs} us, burst ${burst}`)
})

t.test('what would leave 2^53 is refused', async (t) => {
  for (const [reason, max, windowUs, burst] of [
    ['a window of 36 years', 1, 36 * YEAR_US],
    ['a backlog of 36 years', 1, DAY_US, 36 * 365],
    ['a burst whose sum of fractions is too long', 1_999_993, DAY_US, 5_000_000_000],
    ['a prime number of units in an odd window', 94_906_267, DAY_US + 1],
    ['a burst beyond every number', 10, SECOND_US, Number.MAX_SAFE_INTEGER]
  ] as const) t.notOk(isExact(createQuota('token-bucket', max, windowUs, burst)), reason)
})

t.test('the longest queue fits below the ceiling, with its last microsecond rounded up', async (t) => {
  t.equal(createQuota('token-bucket', 3, SECOND_US, 1, 10 * SECOND_US).ceilingUs, 333_333 + 10 * SECOND_US + 1)
  t.equal(createQuota('token-bucket', 3, SECOND_US, 3, 10 * SECOND_US).ceilingUs, SECOND_US + 10 * SECOND_US, 'nothing to round')
})

t.test('the longest time is an eighth of 2^53 microseconds', async (t) => {
  t.ok(isExact(createQuota('token-bucket', 1, 2 ** 50)))
  t.notOk(isExact(createQuota('token-bucket', 1, 2 ** 50 + 1)))
  t.notOk(isExact(createQuota('token-bucket', 0, 2 ** 50 + 1)), 'also where no unit is granted')
})

t.test('the numerator of the largest backlog and one unit more is at most 2^53 - 1', async (t) => {
  // 2^53 - 1 is this product, and the denominator of the interval is `max`.
  const [max, units] = [6361, 69_431 * 20_394_401]
  const isExactWith = (burst: number, maxDelayUs?: number) => isExact(createQuota('token-bucket', max, 1, burst, maxDelayUs))
  t.ok(isExactWith(units - max - 1), 'with a debt of a window')
  t.notOk(isExactWith(units - max))
  t.ok(isExactWith(units - (10 * max + 1) - 1, 9), 'with a queue of 9 µs, the last one rounded up, and a unit rounded up')
  t.notOk(isExactWith(units - (10 * max + 1), 9))
})

t.test('an exact quota keeps every product and sum of the algorithms below 2^53', async () => {
  const limits = fc.tuple(
    fc.integer({ min: 1, max: 2 ** 40 }),
    fc.integer({ min: 1, max: 2 ** 51 }),
    fc.integer({ min: 1, max: 2 ** 40 })
  ).map(([max, windowUs, burst]) => createQuota('token-bucket', max, windowUs, burst))
  const latestUs = 2n ** 52n
  assertProperty(fc.oneof(quotas('token-bucket'), limits), 5000, (quota) => {
    if (!isExact(quota)) return
    const units = BigInt(quota.capacity + quota.max)
    const num = units * BigInt(quota.intervalNum) + BigInt(quota.intervalDen)
    const wholeUs = latestUs + BigInt(quota.ceilingUs) + units * BigInt(quota.intervalUs) + num / BigInt(quota.intervalDen)
    if (num >= 2n ** 53n || wholeUs >= 2n ** 53n) throw new Error('a charge at the ceiling leaves 2^53')
    if (2 * quota.max >= 2 ** 53) throw new Error('a window in debt leaves 2^53')
  })
})

t.test('a window counts units only, so any max is exact where a token bucket refuses it', async (t) => {
  t.notOk(isExact(createQuota('token-bucket', 999_999_937, DAY_US)))
  t.ok(isExact(createQuota('sliding-window', 999_999_937, DAY_US)))
  t.ok(isExact(createQuota('fixed-window', 999_999_937, DAY_US)))
})
