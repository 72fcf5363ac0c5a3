// Limits with the periods of a client.
import t from 'tap'
import { loadTemporal } from '../../lib/calendar/temporal.js'
import { ZoneCalendar } from '../../lib/calendar/zone-calendar.js'
import { anchorLimit } from '../../lib/request/anchored-limit.js'
import { createGrid, limitOf } from '../fixtures/limits.js'

const RULE = { unit: 'month', timeZone: 'UTC', anchorMs: null } as const
const ANCHOR_MS = Date.UTC(2026, 0, 15)

function monthly (isPerClient: boolean) {
  return limitOf({ algorithm: 'calendar-window', calendar: new ZoneCalendar(RULE, { isPerClient, keepsEnd: isPerClient }) })
}

t.test('a limit whose periods are not those of a client stays as it is', async (t) => {
  const others = [limitOf(), monthly(false), limitOf({ algorithm: 'calendar-window', calendar: { ...createGrid(1000), isPerClient: true } })]
  for (const limit of others) t.equal(anchorLimit(limit, ANCHOR_MS), limit)
})

t.test('the periods of a client begin at its anchor, and are known', async (t) => {
  await loadTemporal()
  const limit = monthly(true)
  const anchored = anchorLimit(limit, ANCHOR_MS)
  t.match(anchored, { ...limit, calendar: { unit: 'month', isPerClient: true, keepsEnd: false, description: 'month of the client' } })
  t.strictSame(anchored.calendar?.periodAt(Date.UTC(2026, 4, 1) * 1000), { startUs: Date.UTC(2026, 3, 15) * 1000, endUs: Date.UTC(2026, 4, 15) * 1000 })
})

t.test('one limit and anchor are one object', async (t) => {
  const [limit, other] = [monthly(true), monthly(true)]
  const anchored = anchorLimit(limit, ANCHOR_MS)
  t.not(anchorLimit(limit, ANCHOR_MS + 1), anchored)
  t.equal(anchorLimit(limit, ANCHOR_MS), anchored)
  t.not(anchorLimit(other, ANCHOR_MS), anchored)
})
