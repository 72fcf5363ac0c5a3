// What the store learns about past leases: of two slots, each in one report.
import t, { type Test } from 'tap'
import { LeaseReports } from '../../../lib/stores/lease/lease-reports.js'

const NOTHING = { slotEndUs: 0, spent: 0, returned: 0 }

/** The reports after some were added: of a slot, units that were spent, and units that will not be. */
function collect (t: Test, ...added: ReadonlyArray<readonly [slotEndUs: number, spent: number, returned: number]>) {
  const reports = new LeaseReports()
  for (const [slotEndUs, spent, returned] of added) reports.add(slotEndUs, spent, returned)
  const { isEmpty } = reports
  const removed = reports.remove()
  t.strictSame([reports.isEmpty, reports.remove()], [true, [NOTHING, NOTHING]], 'each is sent once')
  return [isEmpty, ...removed.map(({ slotEndUs, spent, returned }) => [slotEndUs, spent, returned])]
}

t.test('units of one slot are one report', async (t) => {
  t.strictSame(collect(t), [true, [0, 0, 0], [0, 0, 0]])
  t.strictSame(collect(t, [10, 0, 0]), [true, [0, 0, 0], [0, 0, 0]], 'nothing is no report')
  t.strictSame(collect(t, [10, 3, 0]), [false, [0, 0, 0], [10, 3, 0]])
  t.strictSame(collect(t, [10, 0, 2]), [false, [0, 0, 0], [10, 0, 2]])
  t.strictSame(collect(t, [10, 3, 1], [10, 4, 2]), [false, [0, 0, 0], [10, 7, 3]])
})

t.test('two slots have a report each, whichever comes first', async (t) => {
  t.strictSame(collect(t, [10, 3, 0], [20, 4, 1]), [false, [10, 3, 0], [20, 4, 1]])
  t.strictSame(collect(t, [20, 4, 1], [10, 3, 0]), [false, [10, 3, 0], [20, 4, 1]])
  t.strictSame(collect(t, [10, 3, 1], [20, 4, 0], [10, 1, 1], [20, 2, 2]), [false, [10, 4, 2], [20, 6, 2]])
})

t.test('of three slots the earliest is dropped', async (t) => {
  t.strictSame(collect(t, [10, 3, 0], [20, 4, 0], [30, 5, 0]), [false, [20, 4, 0], [30, 5, 0]])
  t.strictSame(collect(t, [10, 3, 0], [30, 5, 0], [20, 4, 0]), [false, [20, 4, 0], [30, 5, 0]])
  t.strictSame(collect(t, [20, 4, 0], [30, 5, 0], [10, 3, 0]), [false, [20, 4, 0], [30, 5, 0]])
})

t.test('only the earlier slot has a report', async (t) => {
  const reports = new LeaseReports()
  reports.add(20, 1, 0)
  reports.remove()
  t.equal(reports.isEmpty, true)
})
