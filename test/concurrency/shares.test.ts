// Which requests of which priority are shed first: for every state, and for every order of requests.
import fc from 'fast-check'
import t from 'tap'
import { countKept, mayStart, type Level } from '../../lib/concurrency/shares.js'
import { assertProperty } from '../fixtures/property.js'

const limits = fc.integer({ min: 1, max: 60 })

/** Levels with distinct priorities, and some requests in flight. */
const states = fc.record({
  limit: limits,
  levels: fc.uniqueArray(fc.record({ priority: fc.integer({ min: 0, max: 9 }), inFlight: fc.integer({ min: 0, max: 30 }) }), {
    minLength: 1, maxLength: 5, selector: ({ priority }) => priority
  })
})

const sum = (levels: readonly Level[]) => levels.reduce((sum, { inFlight }) => sum + inFlight, 0)

t.test('one level has all slots', async () => {
  assertProperty(fc.record({ limit: limits, inFlight: fc.integer({ min: 0, max: 80 }) }), 200, ({ limit, inFlight }) => {
    const level = { priority: 0, inFlight }
    t.equal(mayStart(level, [level], limit), inFlight < limit)
  })
})

t.test('a higher level is never refused while a lower one may use more than what is kept for it', async (t) => {
  let compared = 0
  assertProperty(states, 1000, ({ limit, levels }) => {
    const kept = countKept(limit, levels.length)
    for (const low of levels) {
      if (low.inFlight < kept || !mayStart(low, levels, limit)) continue
      for (const high of levels) {
        if (high.priority <= low.priority) continue
        compared++
        t.ok(mayStart(high, levels, limit))
      }
    }
  })
  t.ok(compared > 0)
})

t.test('in every order of requests the sum stays within the limit, and each level finds what is kept for it', async (t) => {
  const steps = fc.array(fc.record({ level: fc.nat(4), isEnd: fc.boolean() }), { maxLength: 200 })
  assertProperty(fc.record({ limit: limits, count: fc.integer({ min: 2, max: 5 }), steps }), 500, ({ limit, count, steps }) => {
    const levels = Array.from({ length: count }, (_, priority) => ({ priority, inFlight: 0 }))
    const kept = countKept(limit, count)
    for (const { level, isEnd } of steps) {
      const one = levels[level % count]
      if (isEnd) {
        one.inFlight = Math.max(0, one.inFlight - 1)
      } else if (mayStart(one, levels, limit)) {
        one.inFlight++
      }
      if (sum(levels) > limit) t.fail(`${sum(levels)} of ${limit}`)
      for (const other of levels) if (other.inFlight < kept && !mayStart(other, levels, limit)) t.fail(`level ${other.priority} is starved`)
    }
  })
})

t.test('of many requests of each level, the lowest keeps its share and the highest has the rest', async (t) => {
  const levels = [{ priority: 0, inFlight: 20 }, { priority: 1, inFlight: 0 }, { priority: 5, inFlight: 0 }]
  // The lowest came first and has all slots. Each round, the oldest requests end, and every level asks as often as it may.
  for (let round = 0; round < 200; round++) {
    const one = levels[round % 3]
    one.inFlight = Math.max(0, one.inFlight - 1)
    for (let i = 0; i < 3; i++) for (const level of levels) if (mayStart(level, levels, 20)) level.inFlight++
  }
  t.strictSame(levels.map(({ inFlight }) => inFlight), [2, 2, 16])
})

t.test('the smallest limits keep nothing', async (t) => {
  t.strictSame([1, 3, 4, 19, 20, 40, 200].map((limit) => countKept(limit, 2)), [0, 0, 1, 1, 2, 4, 20])
  t.equal(countKept(30, 5), 3)
  t.equal(countKept(12, 5), 1)
})
