import t from 'tap'
import fc from 'fast-check'
import { createRetryStrategy, retryDelayMs } from '../../../lib/stores/redis/retry-delay.js'
import { ManualClock } from '../../fixtures/manual-clock.js'

const MS = 1000

t.test('delays double up to less than a second, and half of each is random', async (t) => {
  const attempts = [1, 2, 3, 4, 5, 6, 100, 10_000]
  t.strictSame(attempts.map((attempt) => retryDelayMs(attempt, () => 0)), [50, 100, 200, 400, 400, 400, 400, 400])
  t.strictSame(attempts.map((attempt) => retryDelayMs(attempt, () => 1)), [100, 200, 400, 800, 800, 800, 800, 800])
})

t.test('instances that lost Redis together come back apart', async (t) => {
  const delays = new Set(Array.from({ length: 1000 }, () => retryDelayMs(4)))
  t.ok(delays.size > 100)
})

t.test('the time of an attempt counts: attempts begin less than a second apart, and never at once', async () => {
  const tookMs = fc.array(fc.integer({ min: 0, max: 700 }), { minLength: 1, maxLength: 30 })
  fc.assert(fc.property(tookMs, fc.double({ min: 0, max: 1, noNaN: true }), (all, randomNumber) => {
    const clock = new ManualClock()
    const strategy = createRetryStrategy(clock, () => randomNumber)
    for (const [index, took] of all.entries()) {
      clock.advance(took * MS)
      const delayMs = strategy(index + 1)
      if (delayMs < 50 || took + delayMs > 800 + 1) return false
      clock.advance(delayMs * MS)
    }
    return true
  }))
})

t.test('the time of an attempt is taken off the next delay', async (t) => {
  const clock = new ManualClock()
  const strategy = createRetryStrategy(clock, () => 0)
  clock.advance(30 * MS + 999)
  t.equal(strategy(3), 170)
  clock.advance((170 + 40) * MS)
  t.equal(strategy(4), 360, 'which begins after the delay')
  clock.advance(360 * MS - 1)
  t.equal(strategy(4), 400)
})

t.test('a connection that lasted is retried soon', async (t) => {
  const clock = new ManualClock()
  const strategy = createRetryStrategy(clock, () => 0)
  for (let attempt = 1; attempt < 10; attempt++) clock.advance(strategy(attempt) * MS)
  clock.advance(3600 * 1000 * MS)
  t.equal(strategy(1), 50)
})
