// Requests that wait in line for a slot.
import type { FastifyRequest } from 'fastify'
import t from 'tap'
import { SlotUsage } from '../../lib/concurrency/slot-usage.js'
import type { Metrics } from '../../lib/observability/metrics/metrics.js'
import type { Concurrency } from '../../lib/policies/policy.js'
import type { RequestDecision } from '../../lib/request/decision.js'
import { isBehindOthers, leaveLine, mayWait, refuseSlot, waitForSlot, type SlotWait } from '../../lib/request/wait-for-slot.js'
import { ADDRESS, createDecisionOf, createPolicy, createReceipt, createSlotLimit, createStanding } from '../fixtures/decisions.js'
import { limitOf } from '../fixtures/limits.js'
import { ManualClock } from '../fixtures/manual-clock.js'
import { sleep } from '../fixtures/until.js'

const QUEUE = { maxWaiting: 2, maxWaitMs: 5000 }

function line (queue: Concurrency['queue'] = QUEUE) {
  const clock = new ManualClock()
  const usage = new SlotUsage('default', clock)
  const concurrency: Concurrency = { limit: createSlotLimit(), scope: 'default', usage, queue }
  const policy = createPolicy({ concurrency })
  const slot = (granted: boolean) => createStanding(concurrency.limit, { granted, charged: granted ? 1 : 0 })
  const decide = (granted: boolean) => createDecisionOf(createReceipt([createStanding(), slot(granted)]), { policy })
  const delays: number[] = []
  const metrics = { observeDelay: (seconds: number) => { delays.push(seconds) } } as unknown as Metrics
  /** A request that waits: `attempts` has its decisions in turn. */
  const wait = (attempts: RequestDecision[], more: Partial<SlotWait> = {}) => waitForSlot({
    concurrency, partition: ADDRESS, request: null, metrics, attempt: async () => attempts.shift() ?? decide(false), refuse: () => decide(false), ...more
  })
  return { clock, usage, policy, concurrency, decide, delays, wait }
}

const requestWith = (handlerTimeout: number) => ({ routeOptions: { handlerTimeout } }) as FastifyRequest

t.test('a request waits until a slot is free, and the time of its wait is measured', async (t) => {
  const { clock, usage, decide, delays, wait } = line()
  const granted = decide(true)
  const waiting = wait([decide(false), granted])
  t.equal(usage.waiting, 1)
  clock.advance(250_000)
  usage.wake(ADDRESS)
  await sleep(1)
  clock.advance(250_000)
  usage.wake(ADDRESS)
  t.equal(await waiting, granted)
  t.strictSame(delays, [0.5])
  t.equal(usage.waiting, 0)
})

t.test('a decision that a rate refuses ends the wait, which is not measured', async (t) => {
  const { usage, policy, delays, wait } = line()
  const refused = createDecisionOf(createReceipt([createStanding(limitOf(), { granted: false, retryUs: 1 })]), { policy })
  const waiting = wait([refused])
  usage.wake(ADDRESS)
  t.equal(await waiting, refused)
  t.strictSame(delays, [])
  t.equal(usage.waiting, 0)
})

t.test('a request without a place in the line, or without a line, is refused at once', async (t) => {
  const { usage, decide, wait } = line({ maxWaiting: 1, maxWaitMs: 5000 })
  const first = wait([decide(true)])
  const refused = decide(false)
  t.equal(await wait([decide(true)], { refuse: () => refused }), refused)
  t.equal(usage.waiting, 1)
  usage.wake(ADDRESS)
  await first
  const without = line(null)
  t.equal(await without.wait([without.decide(true)], { refuse: () => refused }), refused)
})

t.test('a wait without a slot ends in a refusal', async (t) => {
  const { usage, decide, wait } = line({ maxWaiting: 1, maxWaitMs: 5 })
  const refused = decide(false)
  t.equal(await wait([], { refuse: () => refused }), refused)
  t.equal(usage.waiting, 0)
})

t.test('a handler that has a time limit gets a tenth of it', async (t) => {
  const { usage, wait } = line()
  const waits: number[] = []
  usage.enterLine = (_, { maxWaitMs }) => {
    waits.push(maxWaitMs)
    return null
  }
  for (const handlerTimeout of [100, 0, 20_000]) await wait([], { request: requestWith(handlerTimeout) })
  await wait([])
  t.strictSame(waits, [90, 5000, 5000, 5000])
})

t.test('without metrics a request waits too', async (t) => {
  const { usage, decide, wait } = line()
  const granted = decide(true)
  const waiting = wait([granted], { metrics: null })
  usage.wake(ADDRESS)
  t.equal(await waiting, granted)
})

t.test('a client that leaves, leaves the line', async (t) => {
  const { usage, decide, wait } = line()
  const request = requestWith(0)
  let isOver = false
  wait([decide(true)], { request }).then(() => { isOver = true }, t.error)
  t.equal(usage.waiting, 1)
  leaveLine(requestWith(0))
  t.equal(usage.waiting, 1, 'another one')
  leaveLine(request)
  t.equal(usage.waiting, 0)
  usage.wake(ADDRESS)
  await sleep(5)
  t.equal(isOver, false)
})

t.test('a failed attempt leaves the line', async (t) => {
  const { usage, wait } = line()
  const waiting = wait([], { attempt: async () => { throw new Error('broken') } })
  usage.wake(ADDRESS)
  await t.rejects(waiting, { message: 'broken' })
  t.equal(usage.waiting, 0)
})

t.test('only a refusal for a slot may wait, and where there is a queue', async (t) => {
  const { decide, policy } = line()
  t.equal(mayWait(decide(false)), true)
  t.equal(mayWait(decide(true)), false)
  t.equal(mayWait(line(null).decide(false)), false)
  t.equal(mayWait(createDecisionOf(createReceipt([createStanding(limitOf(), { granted: false })]), { policy })), false)
})

t.test('a request is behind others that wait for the same slot', async (t) => {
  const { concurrency, decide, policy, usage, wait } = line()
  const rate = { limit: limitOf(), partition: ADDRESS, cost: 1 }
  const charges = [rate, { limit: concurrency.limit, partition: ADDRESS, cost: 1 }]
  t.equal(isBehindOthers(policy, charges), false)
  const waiting = wait([decide(true)])
  t.equal(isBehindOthers(policy, charges), true)
  t.equal(isBehindOthers(policy, [rate, { ...charges[1], partition: 'user:42' }]), false)
  t.equal(isBehindOthers(policy, [rate]), false)
  t.equal(isBehindOthers(createPolicy(), charges), false)
  t.equal(isBehindOthers(createPolicy({ concurrency: { ...concurrency, queue: null } }), charges), false)
  usage.wake(ADDRESS)
  await waiting
})

t.test('a slot that was not asked for is refused beside the rates', async (t) => {
  const limit = createSlotLimit()
  const receipt = createReceipt()
  t.strictSame(refuseSlot({ limit, partition: ADDRESS, cost: 1 }, receipt), {
    ...receipt,
    granted: false,
    standings: [...receipt.standings, { limit, partition: ADDRESS, charged: 0, granted: false, remaining: 0, resetUs: 0, delayUs: 0, retryUs: 0, blockedUs: 0 }]
  })
  const away = { unavailable: 'deadline' } as const
  t.equal(refuseSlot({ limit, partition: ADDRESS, cost: 1 }, away), away)
})
