import t from 'tap'
import { QueueCapacity } from '../../lib/throttle/capacity.js'

const LIMITS = { maxQueued: 5, maxQueuedPerClient: 2 }

t.test('a limit is what may be taken, in all and by one partition', async (t) => {
  const slots = new QueueCapacity()
  const taken = ['a', 'a', 'a', 'b', 'b', 'c', 'd'].filter((partition) => slots.take(partition, LIMITS))
  t.strictSame(taken, ['a', 'a', 'b', 'b', 'c'])
})

t.test('a limit of 0 lets nobody wait', async (t) => {
  const slots = new QueueCapacity()
  t.notOk(slots.take('a', { maxQueued: 0, maxQueuedPerClient: 2 }))
  t.notOk(slots.take('a', { maxQueued: 2, maxQueuedPerClient: 0 }))
})

t.test('limits of others are compared with the same places', async (t) => {
  const slots = new QueueCapacity()
  slots.take('a', LIMITS)
  slots.take('b', LIMITS)
  t.notOk(slots.take('c', { maxQueued: 2, maxQueuedPerClient: 2 }))
  t.ok(slots.take('c', { maxQueued: 3, maxQueuedPerClient: 2 }))
})

t.test('a partition without a place is forgotten', async (t) => {
  const slots = new QueueCapacity()
  for (let i = 0; i < 1000; i++) {
    slots.take(`ip:${i}`, LIMITS)
    slots.take(`ip:${i}`, LIMITS)
    slots.free(`ip:${i}`)
    if (i > 0) slots.free(`ip:${i}`)
  }
  t.equal(slots.partitions, 1)
})
