import t from 'tap'
import { SlotUsage } from '../../lib/concurrency/slot-usage.js'
import { ManualClock } from '../../lib/testing/manual-clock.js'

const MAX_WAITING = 10_000

t.test('requests of many clients do not wait without bound', async (t) => {
  const usage = new SlotUsage('default', new ManualClock())
  const limits = { maxWaiting: 2, maxWaitMs: 60_000 }
  const places = Array.from({ length: MAX_WAITING }, (_, i) => usage.enterLine(`user:${i}`, limits))
  t.equal(usage.waiting, MAX_WAITING)
  t.notOk(places.includes(null))
  t.equal(usage.enterLine('user:new', limits), null)
  t.equal(usage.enterLine('user:0', limits), null)
  t.notOk(usage.hasLine('user:new'), 'a refused request leaves no line')

  places[0]?.leave()
  places[0]?.leave()
  t.equal(usage.waiting, MAX_WAITING - 1, 'a request leaves once')
  t.notOk(usage.hasLine('user:0'))
  places.push(usage.enterLine('user:1', limits))
  t.equal(usage.waiting, MAX_WAITING, 'and leaves room for one')
  for (const place of places) place?.leave()
  t.equal(usage.waiting, 0)
  t.notOk(usage.hasLine('user:1'))
})
