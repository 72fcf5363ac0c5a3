import t from 'tap'
import type { FastifyBaseLogger } from 'fastify'
import { FaultLog } from '../../lib/common/log.js'
import { SECOND } from '../fixtures/app.js'
import { ManualClock } from '../fixtures/manual-clock.js'

function faultLog () {
  const lines: unknown[][] = []
  const clock = new ManualClock()
  const logger = { error: (...line: unknown[]) => { lines.push(line) } } as unknown as FastifyBaseLogger
  return { lines, clock, faults: new FaultLog(logger, clock) }
}

t.test('a fault is logged with its source', async (t) => {
  const { faults, lines } = faultLog()
  const err = new Error('broken')
  faults.report('cost', err)
  t.strictSame(lines, [[{ err, source: 'cost', suppressed: 0 }, 'rate limit: cost failed']])
})

t.test('a source is logged once a minute, with the number of faults that were not', async (t) => {
  const { faults, lines, clock } = faultLog()
  for (let i = 0; i < 100; i++) faults.report('cost', new Error('broken'))
  clock.advance(60 * SECOND - 1)
  faults.report('cost', new Error('broken'))
  t.equal(lines.length, 1)
  clock.advance(1)
  faults.report('cost', new Error('again'))
  t.equal(lines.length, 2)
  t.match(lines[1][0], { err: { message: 'again' }, suppressed: 100 })
})

t.test('each source has a minute of its own', async (t) => {
  const { faults, lines } = faultLog()
  for (const source of ['cost', 'keyGenerator', 'onExceeded', 'cost'] as const) faults.report(source, null)
  t.equal(lines.length, 3)
})

t.test('a logger that throws does not fail who reports', async (t) => {
  const logger = { error: () => { throw new Error('no room on the disk') } } as unknown as FastifyBaseLogger
  const faults = new FaultLog(logger, new ManualClock())
  t.doesNotThrow(() => { faults.report('store', new Error('broken')) })
})

t.test('each kind of a source has a minute of its own, up to a number of kinds', async (t) => {
  const { faults, lines } = faultLog()
  for (const kind of ['DEADLINE', 'DEADLINE', 'NOAUTH', 'DEADLINE']) faults.reportLazy('store', () => null, kind)
  t.equal(lines.length, 2)
  for (let i = 0; i < 1000; i++) faults.reportLazy('store', () => null, `KIND${i}`)
  t.ok(lines.length <= 52)
  faults.report('cost', null)
  t.match(lines.at(-1)?.[1], /cost failed/, 'other sources are still logged')
})
