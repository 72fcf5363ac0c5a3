// Which limit the headers describe, and what clients see of a standing.
import t from 'tap'
import { bindsBefore, formatBucket, selectBinding, toLimitStanding, toRetryAfterMs } from '../../lib/request/standing.js'
import type { Standing } from '../../lib/stores/store.js'
import { createSlotLimit, createStanding } from '../fixtures/decisions.js'
import { limitOf } from '../fixtures/limits.js'

t.test('a bucket is its limit and its partition', async (t) => {
  t.equal(formatBucket(createStanding()), 'app/default 203.0.113.9')
})

const ten = (fields: Partial<Standing>) => createStanding(limitOf({ bucket: 'ten' }), fields)
const hundred = (fields: Partial<Standing>) => createStanding(limitOf({ bucket: 'hundred', max: 100 }), fields)
const shadow = (fields: Partial<Standing>) => createStanding(limitOf({ bucket: 'shadow', mode: 'shadow' }), fields)
const refused = { granted: false, remaining: 0 }

const pairs: ReadonlyArray<readonly [first: Standing, second: Standing, why: string]> = [
  [ten({ remaining: 9 }), shadow({ remaining: 0 }), 'an enforced limit, whatever is left of one in shadow mode'],
  [ten({ granted: false, remaining: 5, retryUs: 1 }), hundred({ remaining: 0 }), 'a limit that refuses'],
  [ten({ ...refused, retryUs: 2 }), hundred({ ...refused, retryUs: 1 }), 'the longer wait'],
  [ten({ ...refused, retryUs: 'never' }), hundred({ ...refused, retryUs: 1 }), 'a wait without end'],
  [ten({ remaining: 4 }), hundred({ remaining: 41 }), 'the lower share'],
  [hundred({ remaining: 39 }), ten({ remaining: 4 }), 'the lower share, of more units'],
  [hundred({ remaining: 40 }), ten({ remaining: 5, delayUs: 1 }), 'the lower share, although the other one delays'],
  [ten({ remaining: 4, delayUs: 1 }), hundred({ remaining: 40 }), 'the longer delay of two equal shares']
]
for (const [first, second, why] of pairs) {
  t.test(`what binds: ${why}`, async (t) => {
    t.equal(bindsBefore(first, second), true)
    t.equal(bindsBefore(second, first), false)
    t.equal(selectBinding([second, first]), first)
    t.equal(selectBinding([first, second]), first)
  })
}

t.test('of two equal standings the first one binds', async (t) => {
  t.equal(bindsBefore(ten({}), ten({})), false)
  t.equal(bindsBefore(ten(refused), ten(refused)), false)
  t.equal(bindsBefore(ten({ ...refused, retryUs: 'never' }), ten({ ...refused, retryUs: 'never' })), false)
  const first = ten({})
  t.equal(selectBinding([first, hundred({ remaining: 90 })]), first)
})

t.test('a concurrency limit never binds', async (t) => {
  const rate = ten({})
  t.equal(selectBinding([rate, createStanding(createSlotLimit(), refused)]), rate)
  const scarce = hundred({ remaining: 1 })
  t.equal(selectBinding([rate, scarce, createStanding(createSlotLimit(), refused)]), scarce)
})

t.test('waits are rounded up to milliseconds', async (t) => {
  t.equal(toRetryAfterMs(ten({ ...refused, retryUs: 1001 })), 2)
  t.equal(toRetryAfterMs(ten({ ...refused, retryUs: 'never' })), 'never')
})

t.test('a standing as clients see it', async (t) => {
  t.strictSame(toLimitStanding(ten({ resetUs: 1_000_001, blockedUs: 5001 })), {
    name: 'ten', limit: 10, max: 10, windowMs: 10_000, remaining: 9, resetAfterMs: 1001, retryAfterMs: 0, blockedMs: 6, mode: 'enforce', isExceeded: false
  })
  const burst = createStanding(limitOf({ burst: 20, mode: 'shadow' }), { ...refused, retryUs: 'never' })
  t.match(toLimitStanding(burst), { limit: 20, max: 10, retryAfterMs: 'never', mode: 'shadow', isExceeded: true })
  t.match(toLimitStanding(ten({}), 400_000, 3), { remaining: 3, resetAfterMs: 600 }, 'of a delayed request, which has charged more since')
  t.equal(toLimitStanding(ten({}), 2_000_000).resetAfterMs, 0)
})

t.test('a limit of a period has it, and a concurrency limit its kind', async (t) => {
  t.equal(toLimitStanding(createStanding(limitOf({ algorithm: 'calendar-window' }))).period, 'hour')
  t.notOk('period' in toLimitStanding(ten({})))
  t.notOk('kind' in toLimitStanding(ten({})))
  t.match(toLimitStanding(createStanding(createSlotLimit())), { kind: 'concurrency', windowMs: 0, max: 2 })
  const room = { max: 7, min: 1, left: 3, hasSlot: () => true, change () {} }
  t.equal(toLimitStanding(createStanding(createSlotLimit({ room }))).max, 7, 'one that follows latency')
})
