// What a process reports about its slots, and when.
import t, { type Test } from 'tap'
import { createQuota } from '../../../lib/algorithms/quota.js'
import { InFlightCounts } from '../../../lib/stores/memory/in-flight-counts.js'
import { HeldSlots, type BatchReport, type HoldingReport } from '../../../lib/stores/redis/held-slots.js'
import { limitOf } from '../../fixtures/limits.js'
import { sleep } from '../../fixtures/until.js'

const slotsOfLease = (leaseUs: number) => ({ ...limitOf({ bucket: 'app/slots' }), ...createQuota('concurrency', 10, leaseUs) })
/** No heartbeat comes in between. */
const limit = slotsOfLease(60_000_000)
/** A heartbeat comes each 100 ms. */
const brief = slotsOfLease(300_000)

interface Reporting {
  readonly held: HeldSlots
  readonly counts: InFlightCounts
  /** The slots of each report, by call. */
  readonly sent: ReadonlyArray<readonly HoldingReport[]>
  /** Take slots as a batch of checks does. */
  take (slots: number, granted?: number, partition?: string): BatchReport
}

function report (t: Test, answer: () => boolean | Promise<boolean> = () => true, one = limit): Reporting {
  const sent: Array<readonly HoldingReport[]> = []
  const counts = new InFlightCounts()
  const held = new HeldSlots({
    counts,
    formatKey: (_, partition) => partition,
    async send (reports) {
      sent.push(reports)
      return answer()
    }
  })
  t.teardown(() => held.end())
  return {
    held,
    counts,
    sent,
    take (slots, granted = slots, partition = 'a') {
      const batch = held.open(one, partition)
      for (let i = 0; i < slots; i++) held.ask(batch, 1)
      for (let i = 0; i < slots; i++) held.settle(batch, i < granted ? 1 : 0, i < granted)
      held.close(batch, true)
      return batch
    }
  }
}

const slotsOf = (sent: Reporting['sent']) => sent.map((reports) => reports.map(({ partition, slots, isKept }) => `${partition} ${slots}${isKept ? ' kept' : ''}`))

t.test('a check that is granted or refused needs no further report', async (t) => {
  const { take, sent } = report(t)
  t.match(take(3, 2), { slots: 0 })
  t.match(take(1), { slots: 2 })
  await sleep(20)
  t.strictSame(slotsOf(sent), [])
})

t.test('slots that are given back together are one report', async (t) => {
  const { take, held, sent, counts } = report(t)
  take(5)
  for (let i = 0; i < 3; i++) held.release(limit, 'a', 1)
  t.equal(counts.get(limit, 'a'), 2)
  await sleep(20)
  t.strictSame(slotsOf(sent), [['a 2']])
})

t.test('a check that leaves earlier carries the release', async (t) => {
  const { take, held, sent } = report(t)
  take(2)
  held.release(limit, 'a', 1)
  t.match(take(1), { slots: 1 })
  await sleep(20)
  t.strictSame(slotsOf(sent), [])
})

t.test('pending checks count until they are decided, and what they overstated is corrected', async (t) => {
  const { take, held, sent } = report(t)
  const pending = held.open(limit, 'a')
  held.ask(pending, 1)
  t.match(take(1), { slots: 1 })
  held.settle(pending, 0, false)
  held.close(pending, true)
  await sleep(20)
  t.strictSame(slotsOf(sent), [['a 1']])
})

t.test('a check without an answer is taken back, and its process stays known until the lease is over', async (t) => {
  const { held, sent } = report(t)
  const lost = held.open(limit, 'a')
  held.ask(lost, 1)
  held.close(lost, false)
  await sleep(20)
  t.strictSame(slotsOf(sent), [['a 0 kept']])
  t.ok(sent[0][0].sequence > lost.sequence, 'a later execution is stale')
})

t.test('the answer to an earlier report does not end the doubt about a check without an answer', async (t) => {
  let answer = (_isTaken: boolean): void => {}
  const { take, held, sent } = report(t, () => sent.length > 1 || new Promise((resolve) => { answer = resolve }))
  take(1)
  const lost = held.open(limit, 'a')
  held.ask(lost, 1)
  held.release(limit, 'a', 1)
  await sleep(20)
  held.close(lost, false)
  answer(true)
  await sleep(20)
  t.strictSame(slotsOf(sent), [['a 1'], ['a 0 kept']])
})

t.test('a heartbeat repeats what is held three times in a lease, also what was not taken', async (t) => {
  let isTaken = false
  const { take, held, sent } = report(t, () => isTaken, brief)
  take(2)
  held.release(brief, 'a', 1)
  await sleep(30)
  t.strictSame(slotsOf(sent), [['a 1']])
  isTaken = true
  await sleep(250)
  t.ok(sent.length >= 2, `${sent.length} reports`)
  t.ok(slotsOf(sent).every(([one]) => one === 'a 1'))
  held.release(brief, 'a', 1)
  await sleep(20)
  const { length } = sent
  await sleep(250)
  t.equal(sent.length, length, 'nothing is held, nothing is sent')
})

t.test('slots that Redis counts for a request that does not go on are given back', async (t) => {
  const { held, sent, counts } = report(t)
  const batch = held.open(limit, 'a')
  held.ask(batch, 1)
  held.settle(batch, 1, false)
  held.close(batch, true)
  t.equal(counts.get(limit, 'a'), 0)
  await sleep(20)
  t.strictSame(slotsOf(sent), [['a 0']])
})

t.test('an earlier batch says nothing of what a later one has reported', async (t) => {
  const { take, held, sent, counts } = report(t)
  const earlier = held.open(limit, 'a')
  held.ask(earlier, 1)
  take(1)
  held.settle(earlier, 1, true)
  held.close(earlier, true)
  t.equal(counts.get(limit, 'a'), 2)
  await sleep(20)
  t.strictSame(slotsOf(sent), [])
})

t.test('nor does the answer to an earlier report', async (t) => {
  let answer = (_isTaken: boolean): void => {}
  const { take, held, sent } = report(t, () => sent.length > 1 || new Promise((resolve) => { answer = resolve }))
  take(2)
  held.release(limit, 'a', 1)
  await sleep(20)
  take(1)
  answer(true)
  await sleep(20)
  t.strictSame(slotsOf(sent), [['a 1']])
})

t.test('a process that ends reports once that it holds nothing', async (t) => {
  const { take, held, sent } = report(t, undefined, brief)
  take(2)
  take(1, 1, 'b')
  held.release(brief, 'a', 1)
  await held.end()
  t.strictSame(slotsOf(sent), [['a 0', 'b 0']])
  await sleep(250)
  t.equal(sent.length, 1)
})

t.test('more than 64 partitions are several calls', async (t) => {
  const { take, held, sent } = report(t)
  for (let i = 0; i < 130; i++) take(1, 1, `user:${i}`)
  await held.end()
  t.strictSame(sent.map((reports) => reports.length), [64, 64, 2])
})

t.test('slots that are only held are repeated too, and new partitions delay no heartbeat', async (t) => {
  const { take, held, sent } = report(t, undefined, brief)
  take(2)
  const slow = { ...limitOf({ bucket: 'app/slow' }), ...createQuota('concurrency', 10, 60_000_000) }
  for (let i = 0; i < 10; i++) {
    take(1, 1, `user:${i}`)
    held.close(held.open(slow, `slow:${i}`), true)
    await sleep(25)
  }
  t.ok(sent.some((reports) => reports.some(({ partition, slots, leaseMs }) => partition === 'a' && slots === 2 && leaseMs === 300)))
})

t.test('a limit with a shorter lease beats more often', async (t) => {
  const { held, sent, take } = report(t, undefined, brief)
  const slow = { ...limitOf({ bucket: 'app/slow' }), ...createQuota('concurrency', 10, 60_000_000) }
  held.ask(held.open(slow, 'slow'), 1)
  take(2)
  await sleep(250)
  t.ok(sent.length >= 1, `${sent.length} reports`)
})

t.test('a heartbeat that had nothing to repeat begins again with the next slot', async (t) => {
  const { take, held, sent } = report(t, undefined, brief)
  take(1)
  held.release(brief, 'a', 1)
  await sleep(250)
  const { length } = sent
  take(2)
  await sleep(250)
  t.ok(slotsOf(sent.slice(length)).some(([one]) => one === 'a 2'))
})
