import fc from 'fast-check'
import t from 'tap'
import { assessReported, dropEndedHolders, enterReport, takeReported, type SlotHolder } from '../../lib/algorithms/concurrency.js'
import { assertProperty } from '../fixtures/property.js'
import { answerReport } from '../fixtures/reported-slots.js'
import { loadConcurrencyVectors } from '../fixtures/vectors.js'

t.test('the table', async (t) => {
  const rows = loadConcurrencyVectors()
  t.ok(rows.length >= 20)
  for (const { title, expect, ...row } of rows) t.strictSame(answerReport(row), expect, title)
})

const MAX = 4
const LEASE_US = 10
const instances = ['a', 'b', 'c']

const step = fc.record({
  instance: fc.constantFrom(...instances),
  act: fc.constantFrom('take', 'take', 'release', 'lost', 'late', 'twice', 'wait'),
  us: fc.integer({ min: 1, max: 4 })
})

t.test('never more than max, whatever is lost, late or doubled, while every process reports within its lease', async () => {
  assertProperty(fc.array(step, { maxLength: 60 }), 2000, (steps) => {
    let holders: SlotHolder[] = []
    let nowUs = 1000
    let sequence = 0
    const held = new Map(instances.map((instance) => [instance, 0]))
    const late: Array<{ readonly instance: string, readonly sequence: number, readonly slots: number }> = []
    const send = (report: { readonly instance: string, readonly sequence: number, readonly slots: number }, cost: number) => {
      holders = dropEndedHolders(holders, nowUs)
      const reported = enterReport(holders, { ...report, leaseUs: LEASE_US }, nowUs)
      const isGranted = cost > 0 && assessReported({ max: MAX }, reported, cost)
      if (isGranted) takeReported(reported, cost)
      holders = holders.filter((holder) => holder.slots > 0)
      return isGranted
    }
    const count = (instance: string) => held.get(instance) ?? 0
    for (const { instance, act, us } of steps) {
      const report = { instance, sequence: ++sequence, slots: count(instance) }
      if (act === 'wait') {
        nowUs += us
        for (const one of instances) if (count(one) > 0) send({ instance: one, sequence: ++sequence, slots: count(one) }, 0)
      } else if (act === 'release') {
        held.set(instance, Math.max(0, count(instance) - 1))
        if (us > 2) send({ ...report, slots: count(instance) }, 0)
      } else if (act === 'late') {
        late.push(report)
      } else {
        const isGranted = send(report, 1)
        if (act === 'twice') send(report, 1)
        // The reply was lost: the process goes on without the slot, and says so with its next report.
        if (isGranted && act !== 'lost') held.set(instance, count(instance) + 1)
      }
      if (us === 1) for (const one of late.splice(0)) if (holders.some((holder) => holder.instance === one.instance && holder.sequence > one.sequence)) send(one, 1)
      const total = instances.reduce((sum, one) => sum + count(one), 0)
      if (total > MAX) throw new Error(`${total} of ${MAX} slots are held`)
    }
    nowUs += LEASE_US
    holders = dropEndedHolders(holders, nowUs)
    if (holders.length > 0) throw new Error('slots outlive the lease')
  })
})
