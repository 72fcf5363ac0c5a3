// Requests in flight in this process, by limit and partition.
import t from 'tap'
import { createQuota } from '../../../lib/algorithms/quota.js'
import { InFlightCounts } from '../../../lib/stores/memory/in-flight-counts.js'
import type { Charge, Limit, SlotRoom } from '../../../lib/stores/store.js'
import { limitOf } from '../../fixtures/limits.js'

const slotsOf = (max: number, bucket = 'app/slots', mode: Limit['mode'] = 'enforce'): Limit => ({ ...limitOf({ bucket, mode }), ...createQuota('concurrency', max, 60_000_000) })
const limit = slotsOf(2)
const chargeOf = (one: Limit, cost = 1, partition = 'a'): Charge => ({ limit: one, partition, cost })
const GRANTED = { granted: true, blocks: [] }
const REFUSED = { granted: false, blocks: [] }
const BLOCKED = { granted: false, blocks: [{ partition: 'a', blockedUs: 1, began: false }] }

t.test('slots are counted by limit and partition, and never below 0', async (t) => {
  const counts = new InFlightCounts()
  const other = slotsOf(2, 'app/other')
  t.equal(counts.get(limit, 'a'), 0)
  counts.take(limit, 'a', 2)
  counts.take(limit, 'b', 1)
  counts.take(other, 'a', 1)
  t.strictSame([counts.get(limit, 'a'), counts.get(limit, 'b'), counts.get(other, 'a'), counts.get(other, 'b')], [2, 1, 1, 0])
  counts.release(limit, 'a', 1)
  counts.release(limit, 'b', 5)
  counts.release(limit, 'c', 5)
  t.strictSame([counts.get(limit, 'a'), counts.get(limit, 'b'), counts.get(limit, 'c'), counts.get(other, 'a')], [1, 0, 0, 1])
  counts.take(limit, 'b', 0)
  counts.take(limit, 'c', 1)
  t.strictSame([counts.get(limit, 'b'), counts.get(limit, 'c')], [0, 1])
})

t.test('a partition whose name is empty has slots of its own', async (t) => {
  const counts = new InFlightCounts()
  t.equal(counts.get(slotsOf(2, ''), ''), 0)
  counts.take(slotsOf(2, ''), '', 1)
  counts.take(limit, '', 2)
  t.strictSame([counts.get(slotsOf(2, ''), ''), counts.get(limit, '')], [1, 2])
})

t.test('a request finds slots while there are some', async (t) => {
  const counts = new InFlightCounts()
  t.strictSame([0, 1, 2, 3].map((cost) => counts.hasSlots(chargeOf(limit, cost))), [true, true, true, false])
  counts.take(limit, 'a', 2)
  t.strictSame([0, 1].map((cost) => counts.hasSlots(chargeOf(limit, cost))), [true, false])
  t.equal(counts.hasSlots(chargeOf(limit, 1, 'b')), true)
})

for (const [why, mode, hasRoom, receipt, charged] of [
  ['a granted request takes its slots', 'enforce', true, GRANTED, 1],
  ['a refused one takes none', 'enforce', true, REFUSED, 0],
  ['nor does one without a free slot', 'enforce', false, GRANTED, 0],
  ['a limit in shadow mode is charged by itself', 'shadow', true, REFUSED, 1],
  ['if it has a free slot', 'shadow', false, REFUSED, 0],
  ['and no block refuses the request', 'shadow', true, BLOCKED, 0]
] as const) {
  t.test(why, async (t) => {
    const counts = new InFlightCounts()
    const one = slotsOf(2, 'app/slots', mode)
    t.strictSame(counts.settle(chargeOf(one), hasRoom, receipt), {
      limit: one, partition: 'a', charged, granted: hasRoom, remaining: 2 - charged, resetUs: 0, delayUs: 0, retryUs: 0, blockedUs: 0
    })
    t.equal(counts.get(one, 'a'), charged)
  })
}

t.test('a look takes none, and sees no less than 0', async (t) => {
  const counts = new InFlightCounts()
  counts.take(limit, 'a', 1)
  t.match(counts.peek(limit, 'a'), { charged: 0, granted: true, remaining: 1 })
  counts.take(limit, 'a', 5)
  t.match(counts.peek(limit, 'a'), { charged: 0, granted: true, remaining: 0 })
  t.equal(counts.get(limit, 'a'), 6)
})

t.test('a limit that follows latency counts its slots itself', async (t) => {
  const changes: number[] = []
  const room: SlotRoom = { max: 3, min: 1, left: 2, hasSlot: () => changes.length > 0, change: (count) => { changes.push(count) } }
  const counts = new InFlightCounts()
  const following = { ...limit, room }
  t.strictSame([counts.hasSlots(chargeOf(following, 0)), counts.hasSlots(chargeOf(following, 1))], [true, false])
  counts.take(following, 'a', 2)
  counts.release(following, 'a', 1)
  t.equal(counts.hasSlots(chargeOf(following)), true)
  t.match(counts.settle(chargeOf(following), true, GRANTED), { charged: 1, remaining: 2 })
  t.match([counts.settle(chargeOf(following), true, REFUSED), counts.peek(following, 'a')], [{ charged: 0, remaining: 2 }, { charged: 0 }])
  t.strictSame([changes, counts.get(limit, 'a')], [[2, -1, 1], 0])
  t.equal(counts.hasSlots(chargeOf({ ...limit, room: null }, 3)), false, 'a limit without such a room does not')
})

t.test('partitions without slots are forgotten, and no others', async (t) => {
  const counts = new InFlightCounts()
  const held = Array.from({ length: 10 }, (_, i) => `held:${i}`)
  for (const partition of held) counts.take(limit, partition, 1)
  for (let i = 0; i < 3000; i++) {
    counts.take(limit, `idle:${i}`, 1)
    counts.release(limit, `idle:${i}`, 1)
    // The one that was forgotten last comes back.
    counts.take(limit, `idle:${i}`, 1)
    if (counts.get(limit, 'held:0') !== 1 || counts.get(limit, `idle:${i}`) !== 1) t.fail(`${i}`)
    counts.release(limit, `idle:${i}`, 1)
  }
  t.strictSame(held.map((partition) => counts.get(limit, partition)), held.map(() => 1))
})

/** Take a slot for each of so many partitions, and give it back. */
function visit (counts: InFlightCounts, count: number, name = 'idle'): void {
  for (let i = 0; i < count; i++) {
    counts.take(limit, `${name}:${i}`, 1)
    counts.release(limit, `${name}:${i}`, 1)
  }
}

t.test('at most 1024 partitions without slots are kept', async (t) => {
  const counts = new InFlightCounts()
  for (let i = 0; i < 10; i++) counts.take(limit, `held:${i}`, 1)
  visit(counts, 1024)
  t.equal(counts.size, 1034)
  visit(counts, 1, 'another')
  t.equal(counts.size, 10)
  visit(counts, 1025)
  t.equal(counts.size, 10)
})

t.test('or as many as there are with slots', async (t) => {
  const counts = new InFlightCounts()
  for (let i = 0; i < 2000; i++) counts.take(limit, `held:${i}`, 1)
  visit(counts, 2000)
  t.equal(counts.size, 4000)
  visit(counts, 1, 'another')
  t.equal(counts.size, 2000)
})

t.test('a partition that comes back is idle once', async (t) => {
  const counts = new InFlightCounts()
  visit(counts, 500)
  for (let i = 0; i < 3000; i++) visit(counts, 1)
  t.equal(counts.size, 500)
})

t.test('nothing is kept of a partition that never had a slot', async (t) => {
  const counts = new InFlightCounts()
  counts.release(limit, 'a', 1)
  counts.take(limit, 'a', 0)
  t.equal(counts.get(limit, 'a'), 0)
  t.equal(counts.size, 0)
})
