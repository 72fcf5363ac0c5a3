// From a hook to an answer, and checks without one.
import { EventEmitter } from 'node:events'
import type { FastifyReply, FastifyRequest } from 'fastify'
import t from 'tap'
import type { Policy } from '../../lib/policies/policy.js'
import { findDeferred } from '../../lib/request/deferred-request.js'
import { RequestLimiter } from '../../lib/request/limit.js'
import type { LimiterContext } from '../../lib/request/limiter-context.js'
import { createDecisionOf, createPolicy, createReceipt, IP_CLIENT, USER } from '../fixtures/decisions.js'
import { limitOf } from '../fixtures/limits.js'
import { answerWith, createConcurrency, createDecider, createRequest, grant, refuse, refuseSlotOnly } from './deciding.js'

function createLimiter (parts: Parameters<typeof createDecider>[0] = {}) {
  const { context, store } = createDecider(parts)
  const heard: string[] = []
  const limiter = new RequestLimiter({
    ...context,
    registration: 'app',
    retryUnavailableSeconds: 1,
    writeHeaders: () => { heard.push('headers') },
    refusals: { logRefusal: (request: FastifyRequest | null) => { heard.push(request === null ? 'refusal' : 'refusal of a request') } },
    metrics: { countDecision: () => { heard.push('counted') }, countFallback: () => {}, observeDelay: () => {} },
    traffic: null,
    getRouteConfig: () => ({})
  } as unknown as LimiterContext)
  return { limiter, store, heard }
}

function createReply (request: FastifyRequest, fields: object = {}) {
  const raw = Object.assign(new EventEmitter(), { socket: {}, destroyed: false, writableFinished: false, headersSent: false })
  return Object.assign({ raw, request, elapsedTime: 0, ...fields }) as unknown as FastifyReply & { raw: EventEmitter }
}

function run (limiter: RequestLimiter, policy: Policy, request = createRequest()) {
  const nexts: Array<Error | undefined> = []
  const reply = createReply(request)
  limiter.limit(policy, request, reply, (error) => { nexts.push(error) })
  return { request, reply, nexts }
}

const turns = async () => { for (let i = 0; i < 20; i++) await null }

t.test('a request is answered at once, once for each policy', async (t) => {
  const { limiter, store, heard } = createLimiter()
  const policy = createPolicy()
  const { request, nexts } = run(limiter, policy)
  t.strictSame(nexts, [undefined])
  t.match(request.rateLimit, { outcome: 'allowed' })
  t.strictSame(run(limiter, policy, request).nexts, [undefined])
  t.equal(store.taken.length, 1)
  t.strictSame(heard, ['counted', 'headers'])
  run(limiter, createPolicy(), request)
  t.equal(store.taken.length, 2, 'another policy')
})

t.test('an answer that comes later, or fails', async (t) => {
  const { limiter, store } = createLimiter()
  store.answer = async (charges) => grant(charges)
  const late = run(limiter, createPolicy())
  t.strictSame(late.nexts, [])
  await turns()
  t.strictSame(late.nexts, [undefined])
  const error = new Error('broken')
  store.answer = async () => { throw error }
  const failing = run(limiter, createPolicy())
  await turns()
  t.strictSame(failing.nexts, [error])
})

t.test('a request is held only under a policy that throttles, and for less than its handler may take', async (t) => {
  const delays: number[] = []
  const { limiter, store } = createLimiter()
  store.answer = (charges) => {
    delays.push(charges[0].limit.maxDelayUs)
    return grant(charges)
  }
  const limits = [limitOf({ maxDelayUs: 5_000_000 })]
  const throttled = createPolicy({ throttle: { maxQueued: 1, maxQueuedPerClient: 1 }, delayableLimits: limits })
  run(limiter, throttled, createRequest({ routeOptions: { handlerTimeout: 1000 } }))
  run(limiter, throttled, createRequest({ routeOptions: { handlerTimeout: 0 } }))
  run(limiter, createPolicy({ delayableLimits: limits }))
  t.strictSame(delays, [900_000, 5_000_000, 0])
})

t.test('a client that leaves, leaves the line for a slot', async (t) => {
  for (const mayQueue of [true, false]) {
    const { limiter, store } = createLimiter()
    const concurrency = createConcurrency({ maxWaiting: 5, maxWaitMs: 1000 })
    store.answer = refuseSlotOnly
    const { reply, nexts } = run(limiter, createPolicy({ concurrency, mayQueue }), createRequest({ routeOptions: { handlerTimeout: 0 }, raw: { socket: { destroyed: false, remoteAddress: '203.0.113.9' } } }))
    await turns()
    t.equal(concurrency.usage.waiting, 1)
    reply.raw.emit('close')
    t.equal(concurrency.usage.waiting, mayQueue ? 0 : 1)
    store.answer = (charges) => answerWith(charges, () => ({ charged: 0 }))
    concurrency.usage.wake('203.0.113.9')
    await turns()
    t.equal(nexts.length, mayQueue ? 0 : 1)
  }
})

t.test('a request of a later hook is asked for', async (t) => {
  const { limiter, store } = createLimiter()
  const request = createRequest()
  const policy = createPolicy()
  let passed = 0
  limiter.defer(policy, 'route', createReply(request), () => { passed++ })
  t.equal(passed, 1)
  t.match(findDeferred(request), { policy, place: 'route' })
  t.strictSame(store.taken, [['app/default 203.0.113.9 0']])
  findDeferred(request)?.limit(() => { passed++ })
  t.equal(passed, 2)
  t.strictSame(store.taken[1], ['app/default 203.0.113.9 1'])
})

t.test('a check and consume are counted, and take a slot only if they hold it', async (t) => {
  const { limiter, store, heard } = createLimiter()
  const policy = createPolicy({ concurrency: createConcurrency() })
  for (const holdsSlot of [true, false]) {
    t.equal((await limiter.check(policy, createRequest(), holdsSlot)).hasSlot, holdsSlot)
    t.equal((await limiter.consume(policy, IP_CLIENT, null, holdsSlot)).hasSlot, holdsSlot)
  }
  t.strictSame(store.taken.map((charges) => charges.length), [2, 2, 1, 1])
  t.strictSame(heard, ['counted', 'counted', 'counted', 'counted'])
  store.answer = refuse
  t.equal((await limiter.check(policy, createRequest(), false)).outcome, 'rejected')
  t.equal((await limiter.consume(policy, USER, null, false)).outcome, 'rejected')
  t.strictSame(heard.slice(4), ['counted', 'counted', 'refusal'])
})

t.test('consume knows the address of a client', async (t) => {
  const { limiter } = createLimiter({ exemptions: { hasAddress: (address: string) => address === '203.0.113.9', isExemptRequest: () => false, hasUser: () => false } })
  t.equal((await limiter.consume(createPolicy(), IP_CLIENT, '203.0.113.9', false)).outcome, 'exempt')
})

t.test('a check is not held, and knows what was decided before', async (t) => {
  const { limiter } = createLimiter({ delayQueue: null })
  const previous = createDecisionOf(createReceipt())
  const decision = await limiter.check(createPolicy({ throttle: { maxQueued: 1, maxQueuedPerClient: 1 } }), createRequest({ rateLimit: previous }), false)
  t.match(decision, { outcome: 'allowed', previous })
})
