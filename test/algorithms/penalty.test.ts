import assert from 'node:assert/strict'
import t from 'tap'
import fc from 'fast-check'
import { isExactPenalty, type PenaltyRule } from '../../lib/algorithms/penalty.js'
import { PenalizedPartition } from '../fixtures/offender.js'
import { assertProperty } from '../fixtures/property.js'
import { scaleToLane } from '../fixtures/lane.js'

const SECOND_US = 1_000_000
const DAY_US = 86_400 * SECOND_US

const rules: fc.Arbitrary<PenaltyRule> = fc.record({
  strikes: fc.integer({ min: 1, max: 6 }),
  withinUs: fc.constantFrom(1, 1000, 10 * SECOND_US, 600 * SECOND_US, DAY_US),
  cooldownUs: fc.constantFrom(1, 999, 7 * SECOND_US, 60 * SECOND_US),
  factor: fc.constantFrom(1, 1.1, 1.5, 2, 3.7, 100),
  maxCooldownUs: fc.constantFrom(1, 1000, 20 * SECOND_US, 3600 * SECOND_US)
})

interface Event {
  readonly waits: 'none' | 'some' | 'half within' | 'within' | 'block' | 'life'
  readonly us: number
  readonly strikes: number
}

const histories = fc.record({
  rule: rules,
  events: fc.array(fc.record<Event>({
    waits: fc.constantFrom('none', 'none', 'some', 'half within', 'within', 'block', 'life'),
    us: fc.integer({ min: 0, max: 2000 }),
    strikes: fc.constantFrom(0, 1, 1, 1, 2, 9)
  }), { minLength: 1, maxLength: 60, size: 'max' })
})

function waitOf ({ waits, us }: Event, offender: PenalizedPartition, nowUs: number): number {
  const look = offender.inspect(nowUs)
  switch (waits) {
    case 'none': return 0
    case 'some': return us
    case 'half within': return Math.ceil(offender.rule.withinUs / 2)
    case 'within': return offender.rule.withinUs
    case 'block': return Math.max(0, look.blockedUs - us % 2)
    case 'life': return Math.max(0, look.lifeUs - us % 2)
    default: return waits satisfies never
  }
}

/** Let an offender live through a history; `look` hears of each event, once its strikes were counted. */
function liveThrough ({ rule, events }: { rule: PenaltyRule, events: readonly Event[] }, look: (offender: PenalizedPartition, nowUs: number, began: boolean, strikes: number) => void): void {
  const offender = new PenalizedPartition(rule)
  let nowUs = 1_790_000_000_000_000
  for (const event of events) {
    nowUs += waitOf(event, offender, nowUs)
    const began = offender.strike(event.strikes, nowUs)
    look(offender, nowUs, began, event.strikes)
  }
}

function copyOf ({ rule, state }: PenalizedPartition): PenalizedPartition {
  return new PenalizedPartition(rule, state)
}

t.test('a block ends exactly when stated', async () => {
  assertProperty(histories, 500, (history) => {
    liveThrough(history, (offender, nowUs) => {
      const { blockedUs } = offender.inspect(nowUs)
      if (blockedUs === 0) return
      assert.equal(copyOf(offender).inspect(nowUs + blockedUs - 1).blockedUs, 1)
      assert.equal(copyOf(offender).inspect(nowUs + blockedUs).blockedUs, 0)
    })
  })
})

t.test('a block begins once, after enough strikes in their time, and is no longer than the longest', async () => {
  let blocks = 0
  assertProperty(histories, 500, (history) => {
    let untilUs = 0
    let counted = 0
    let sinceUs = 0
    liveThrough(history, (offender, nowUs, began, strikes) => {
      const wasBlocked = nowUs < untilUs
      if (!wasBlocked && strikes > 0) {
        if (counted === 0 || nowUs - sinceUs >= offender.rule.withinUs) {
          counted = 0
          sinceUs = nowUs
        }
        counted += strikes
      }
      assert.equal(began, !wasBlocked && strikes > 0 && counted >= offender.rule.strikes)
      const { blockedUs } = offender.inspect(nowUs)
      if (began) {
        assert.ok(blockedUs > 0 && blockedUs <= offender.rule.maxCooldownUs)
        untilUs = nowUs + blockedUs
        counted = 0
        blocks++
      } else {
        assert.equal(blockedUs, Math.max(0, untilUs - nowUs))
      }
    })
  })
  assert.ok(blocks > scaleToLane(1000))
})

t.test('each block is longer by the factor than the last one, less a level for each full quiet time', async () => {
  assertProperty(histories, 500, (history) => {
    let level = 0
    let quietFromUs = 0
    liveThrough(history, (offender, nowUs, began, strikes) => {
      const { rule } = offender
      const isBlocked = nowUs < quietFromUs
      for (; level > 0 && nowUs - quietFromUs >= rule.withinUs; quietFromUs += rule.withinUs) level--
      if (isBlocked || strikes === 0) return
      quietFromUs = nowUs
      if (!began) return
      const { blockedUs } = offender.inspect(nowUs)
      const ideal = Math.min(rule.maxCooldownUs, rule.cooldownUs * rule.factor ** level)
      assert.ok(Math.abs(blockedUs - ideal) <= 1 + ideal / 1e12, `${blockedUs} of ${ideal} us`)
      quietFromUs += blockedUs
      if (rule.factor > 1 && blockedUs < rule.maxCooldownUs && level < 100) level++
    })
  })
})

t.test('looking changes nothing that anyone could see', async () => {
  assertProperty(histories, 300, (history) => {
    liveThrough(history, (offender, nowUs) => {
      const unseen = copyOf(offender)
      const seen = copyOf(offender)
      const { withinUs } = offender.rule
      for (const aheadUs of [0, Math.floor(withinUs / 2), withinUs, withinUs + 1, 5 * withinUs]) {
        seen.inspect(nowUs + aheadUs)
        const late = copyOf(unseen)
        assert.deepEqual(late.inspect(nowUs + aheadUs), copyOf(seen).inspect(nowUs + aheadUs))
        assert.equal(late.strike(3, nowUs + aheadUs), copyOf(seen).strike(3, nowUs + aheadUs))
      }
    })
  })
})

t.test('after its life a conduct cannot be told from none, and its numbers stay whole and bounded', async () => {
  assertProperty(histories, 500, (history) => {
    liveThrough(history, (offender, nowUs) => {
      const { rule } = offender
      assert.ok(isExactPenalty(rule))
      const { lifeUs } = offender.inspect(nowUs)
      assert.ok(lifeUs <= rule.maxCooldownUs + 100 * rule.withinUs)
      assert.ok(Object.values(offender.state).every((number) => Number.isSafeInteger(number) && number >= 0))
      assert.ok(offender.state.level <= 100 && offender.state.strikes < rule.strikes)
      const forgotten = copyOf(offender)
      const none = new PenalizedPartition(rule)
      const atUs = nowUs + lifeUs
      assert.deepEqual([forgotten.strike(1, atUs), forgotten.inspect(atUs + 1)], [none.strike(1, atUs), none.inspect(atUs + 1)])
    })
  })
})

t.test('no clock that steps back lengthens a block, and none blocks who was not blocked', async () => {
  assertProperty(fc.tuple(histories, fc.integer({ min: 1, max: 400 * DAY_US })), 400, ([history, stepUs]) => {
    liveThrough(history, (offender, nowUs) => {
      const { blockedUs } = offender.inspect(nowUs)
      const { blockUs } = offender.state
      const stepped = copyOf(offender)
      const atUs = nowUs - stepUs
      const look = stepped.inspect(atUs)
      assert.ok(blockedUs === 0 ? look.blockedUs === 0 : look.blockedUs <= blockUs)
      assert.equal(stepped.inspect(atUs + look.blockedUs).blockedUs, 0)
    })
  })
})

t.test('under a changed rule who is blocked stays so, for its longest time at most, and keeps the level', async () => {
  assertProperty(fc.tuple(histories, rules), 400, ([history, rule]) => {
    liveThrough(history, (offender, nowUs) => {
      const { blockedUs } = offender.inspect(nowUs)
      const changed = copyOf(offender)
      changed.rule = rule
      assert.equal(changed.inspect(nowUs).blockedUs, Math.min(blockedUs, rule.maxCooldownUs))
      if (blockedUs > 0) assert.equal(changed.state.level, offender.state.level)
    })
  })
})

t.test('a rule whose times would leave 2^53 is refused', async (t) => {
  const rule = { strikes: 5, withinUs: 600 * SECOND_US, cooldownUs: 60 * SECOND_US, factor: 2, maxCooldownUs: 3600 * SECOND_US }
  t.ok(isExactPenalty(rule))
  t.ok(isExactPenalty({ ...rule, withinUs: 100 * DAY_US, maxCooldownUs: 365 * DAY_US }))
  t.notOk(isExactPenalty({ ...rule, withinUs: 365 * DAY_US }))
  const longest = { ...rule, maxCooldownUs: 2 ** 50 - 100 * rule.withinUs }
  t.ok(isExactPenalty(longest))
  t.notOk(isExactPenalty({ ...longest, maxCooldownUs: longest.maxCooldownUs + 1 }))
  t.notOk(isExactPenalty({ ...rule, maxCooldownUs: 36 * 365 * DAY_US }))
  t.notOk(isExactPenalty({ ...rule, cooldownUs: 36 * 365 * DAY_US }))
})
