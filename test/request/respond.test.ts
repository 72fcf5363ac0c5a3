// What the answer to a decision is: a refusal, a wait, or the handler.
import fastify from 'fastify'
import type { FastifyReply, FastifyRequest, LightMyRequestResponse } from 'fastify'
import t, { type Test } from 'tap'
import { SlotUsage } from '../../lib/concurrency/slot-usage.js'
import type { Policy } from '../../lib/policies/policy.js'
import { Responder } from '../../lib/request/answer.js'
import type { RequestDecision } from '../../lib/request/decision.js'
import { saveReservation } from '../../lib/request/hold.js'
import type { LimiterContext } from '../../lib/request/limiter-context.js'
import type { DelayedRequest } from '../../lib/throttle/delay-queue.js'
import { ADDRESS, CorrectedStore, createDecisionOf, createPolicy, createReceipt, createSlotLimit, createStanding } from '../fixtures/decisions.js'
import { limitOf } from '../fixtures/limits.js'
import { ManualClock } from '../fixtures/manual-clock.js'
import { until } from '../fixtures/until.js'

interface Answered {
  readonly response: LightMyRequestResponse
  readonly events: string[]
  /** What the headers were written of. */
  readonly written: unknown[][]
}

interface Listeners {
  readonly hasLog?: boolean
  readonly hasMetrics?: boolean
  /** Of the handler. */
  readonly status?: number
}

/** Answer a request by a decision. */
async function answer (t: Test, decision: RequestDecision, { hasLog = true, hasMetrics = true, status = 200 }: Listeners = {}): Promise<Answered> {
  const events: string[] = []
  const written: unknown[][] = []
  const context = {
    registration: 'app',
    retryUnavailableSeconds: 90,
    identifier: { deadlineMs: 100 },
    metrics: hasMetrics ? { countDecision: () => {}, observeDelay: (seconds: number) => { events.push(`delay ${seconds}`) } } : null,
    traffic: null,
    recorder: null,
    refusals: hasLog ? { logRefusal: (...[, , , retryMs]: unknown[]) => { events.push(`log${retryMs === undefined ? '' : ` ${String(retryMs)}`}`) } } : null,
    faults: { report: (source: string, error: unknown) => { events.push(`${source} failed: ${(error as Error).message}`) }, reportLazy: () => {} },
    getRouteConfig: () => ({}),
    writeHeaders: (_: FastifyReply, ...of: unknown[]) => { written.push(of) }
  }
  const responder = new Responder(context as unknown as LimiterContext)
  const app = fastify()
  t.teardown(() => app.close())
  app.decorateRequest('rateLimit', null)
  app.addHook('onRequest', (_, reply, done) => { responder.answer(decision, reply, done) })
  app.get('/', async (_: FastifyRequest, reply) => await reply.code(status).send('hello'))
  return { response: await app.inject('/'), events, written }
}

const refusedStanding = createStanding(limitOf(), { granted: false, charged: 0, remaining: 0, retryUs: 2_000_000 })

function refusal (policy: Partial<Policy> = {}, blocks: Array<{ readonly began: boolean }> = [], previous: RequestDecision | null = null): RequestDecision {
  const receipt = createReceipt([refusedStanding], { blocks: blocks.map(({ began }) => ({ began, partition: ADDRESS, blockedUs: 1000 })) })
  return createDecisionOf(receipt, { policy: createPolicy(policy), previous })
}

t.test('a refusal is answered and logged', async (t) => {
  const { response, events } = await answer(t, refusal())
  t.equal(response.statusCode, 429)
  t.match(response.json(), { detail: 'Limit \'app/default\' of 10 per 10 seconds exceeded. Retry in 2 seconds.' })
  t.strictSame(events, ['log'])
  t.equal((await answer(t, refusal(), { hasLog: false })).response.statusCode, 429, 'without a log too')
})

t.test('a block is a refusal, and its begin is told once', async (t) => {
  const calls: string[] = []
  const callbacks = { onExceeded: () => { calls.push('exceeded') }, onBlocked: () => { calls.push('blocked') } }
  t.match((await answer(t, refusal(callbacks, [{ began: false }, { began: true }]))).response, { statusCode: 429 })
  t.match((await answer(t, refusal(callbacks, [{ began: false }]))).response, { statusCode: 429 })
  t.strictSame(calls, ['exceeded', 'blocked', 'exceeded'])
  const { response, events } = await answer(t, refusal({}, [{ began: true }]))
  t.equal(response.statusCode, 429)
  t.strictSame(events, ['log'], 'without a callback')
})

t.test('a callback that fails, or fails later, is reported', async (t) => {
  const { events } = await answer(t, refusal({
    onExceeded: () => { throw new Error('at once') },
    onBlocked: async () => { throw new Error('later') }
  }, [{ began: true }]))
  t.strictSame(events, ['log', 'onExceeded failed: at once', 'onBlocked failed: later'])
})

t.test('the headers of one decision are its own, and those of several are combined', async (t) => {
  const decision = createDecisionOf(createReceipt())
  const one = await answer(t, decision)
  t.equal(one.response.body, 'hello')
  t.equal(one.written.length, 1)
  t.equal(one.written[0][0], decision.policy)
  t.equal(one.written[0][1], decision)
  const refused = refusal()
  t.equal((await answer(t, refused)).written[0][1], refused)
  const previous = createDecisionOf(createReceipt([createStanding(limitOf({ bucket: 'other' }), { remaining: 1 })]))
  const two = await answer(t, createDecisionOf(createReceipt(), { previous }))
  t.match(two.written, [[{ isEnforced: true, policyField: null }, { remaining: 1, standings: [{ name: 'other' }, { name: 'app/default' }] }]])
})

t.test('without a store, closed answers 503 in the words of the application, and open passes', async (t) => {
  const closed = await answer(t, createDecisionOf('unavailable', { policy: createPolicy({ failureMode: 'closed' }) }))
  t.equal(closed.response.statusCode, 503)
  t.equal(closed.response.headers['retry-after'], '90')
  t.strictSame(closed.events, ['log 90000'])
  t.strictSame(closed.written, [])
  const errorResponseBuilder = (_: unknown, { outcome }: { readonly outcome: string }) => ({ outcome })
  const silent = await answer(t, createDecisionOf('unavailable', { policy: createPolicy({ failureMode: 'closed', errorResponseBuilder }) }), { hasLog: false })
  t.equal(silent.response.statusCode, 503)
  t.strictSame(silent.response.json(), { outcome: 'unavailable' })
  const open = await answer(t, createDecisionOf('unavailable', { policy: createPolicy({ failureMode: 'open' }) }))
  t.match(open, { response: { statusCode: 200, body: 'hello' }, events: [], written: [] })
})

function delayed (leave: 'onDue' | 'onClose'): RequestDecision {
  const decision = createDecisionOf(createReceipt())
  decision.delayBy(250_000)
  const hold = (entry: DelayedRequest) => {
    setImmediate(entry[leave])
    return { cancel: () => false }
  }
  saveReservation(decision, { hold, release: () => {} })
  return decision
}

t.test('a delayed request goes on when it is due, and its delay is measured', async (t) => {
  t.match(await answer(t, delayed('onDue')), { response: { body: 'hello' }, events: ['delay 0.25'] })
  t.match(await answer(t, delayed('onDue'), { hasMetrics: false }), { response: { body: 'hello' } })
})

t.test('a delayed request is refused if the queue closes', async (t) => {
  t.match(await answer(t, delayed('onClose')), { response: { statusCode: 503 }, events: ['log 90000'] })
})

t.test('a slot that follows latency is released with whether the work was done, any other one at the end', async (t) => {
  const room = { max: 2, min: 1, left: 1, hasSlot: () => true, change: () => {} }
  for (const [slotRoom, status, isWhole] of [[room, 499, true], [room, 500, false], [null, 500, true]] as const) {
    const limit = createSlotLimit({ room: slotRoom })
    const usage = new SlotUsage('default', new ManualClock())
    const wholes: boolean[] = []
    usage.end = (_, isWhole) => { wholes.push(isWhole) }
    const policy = createPolicy({ concurrency: { limit, scope: 'default', usage, queue: null } })
    const { response } = await answer(t, createDecisionOf(createReceipt([createStanding(), createStanding(limit)]), { policy }), { status })
    t.equal(response.statusCode, status)
    await until('the slot is released', 10_000, () => wholes.length > 0)
    t.strictSame(wholes, [isWhole])
  }
})

t.test('the callback of a request that passes is called, and reported if it fails', async (t) => {
  const outcomes: string[] = []
  const onExceeding = (_: unknown, { outcome }: { readonly outcome: string }) => {
    outcomes.push(outcome)
    throw new Error('broken')
  }
  const { response, events } = await answer(t, createDecisionOf(createReceipt(), { policy: createPolicy({ onExceeding }) }))
  t.equal(response.body, 'hello')
  t.strictSame(outcomes, ['allowed'])
  t.strictSame(events, ['onExceeding failed: broken'])
})

t.test('a response gives back its units by its status', async (t) => {
  for (const status of [200, 404]) {
    const store = new CorrectedStore()
    const policy = createPolicy({ refundOn: { isEmpty: false, has: (code) => code === 404 } })
    await answer(t, createDecisionOf(createReceipt(), { policy, store }), { status })
    t.strictSame(store.units, status === 404 ? [{ 'app/default': -1 }] : [])
  }
})

t.test('limits that were not settled are refunded at the end', async (t) => {
  const store = new CorrectedStore()
  const limits = [limitOf(), limitOf({ bucket: 'tokens' })]
  const policy = createPolicy({ limits, refundsUnsettled: new Set(['tokens']) })
  await answer(t, createDecisionOf(createReceipt(limits.map((limit) => createStanding(limit))), { policy, store }))
  t.strictSame(store.units, [{ tokens: -1 }])
})

t.test('a refusal for a slot says so, in the words of the application', async (t) => {
  const refuseSlot = async (fields: Partial<Policy> = {}) => {
    const concurrency = { limit: createSlotLimit({ by: 'ip' }), scope: 'default', usage: new SlotUsage('default', new ManualClock()), queue: null }
    const standings = [createStanding(limitOf(), { charged: 0 }), createStanding(concurrency.limit, { granted: false, charged: 0, remaining: 0 })]
    return (await answer(t, createDecisionOf(createReceipt(standings), { policy: createPolicy({ concurrency, ...fields }) }))).response
  }
  const refused = await refuseSlot()
  t.equal(refused.statusCode, 429)
  t.match(refused.json(), { detail: /in flight|concurrent|at once/ })
  t.strictSame((await refuseSlot({ errorResponseBuilder: (_, { limitName }) => ({ limitName }) })).json(), { limitName: 'concurrency' })
})
