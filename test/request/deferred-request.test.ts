// A request that a later hook limits: what ends it, and once.
import type { FastifyReply } from 'fastify'
import t from 'tap'
import type { Policy } from '../../lib/policies/policy.js'
import { DeferredRequest, findDeferred } from '../../lib/request/deferred-request.js'
import { CorrectedStore, createDecisionOf, createPolicy, createReceipt } from '../fixtures/decisions.js'

function defer (fields: Partial<Policy> = {}, statusCode = 401) {
  const events: string[] = []
  const policy = createPolicy(fields)
  const reply = { request: {}, statusCode } as unknown as FastifyReply
  const limiter = {
    limit: (given: Policy, request: unknown, answered: unknown) => {
      events.push(given === policy && request === reply.request && answered === reply ? 'limit' : 'wrong')
    }
  }
  const deferred = new DeferredRequest(policy, 'route', reply, limiter)
  const watch = () => { deferred.watch({ release: () => { events.push('release') }, end: ({ payload }) => { events.push(`end ${String(payload)}`) } }) }
  return { deferred, events, reply, watch, end: () => { deferred.end({ payload: 'body', pass: () => { events.push('pass') } }) } }
}

t.test('a request is known as deferred', async (t) => {
  const { deferred, reply } = defer()
  t.equal(findDeferred(reply.request), deferred)
  t.equal(findDeferred({} as typeof reply.request), null)
  t.match(deferred, { place: 'route', reply, isReached: false, hasEnded: false, charged: null })
})

t.test('the first hook limits it, and the others pass', async (t) => {
  const { deferred, events, watch } = defer()
  watch()
  const next = () => { events.push('next') }
  deferred.limit(next)
  t.equal(deferred.isReached, true)
  deferred.limit(next)
  t.strictSame(events, ['release', 'limit', 'next'])
})

t.test('a request that was charged before its hook gets its units back in it', async (t) => {
  const { deferred, events } = defer()
  const store = new CorrectedStore()
  deferred.charged = createDecisionOf(createReceipt(), { store })
  deferred.limit(() => {})
  t.strictSame(store.units, [{ 'app/default': -1 }])
  t.strictSame(events, ['limit'])
})

t.test('it ends once, and is released once', async (t) => {
  const { deferred, events, end, watch } = defer()
  watch()
  end()
  t.equal(deferred.hasEnded, true)
  end()
  deferred.release()
  deferred.release()
  t.strictSame(events, ['end body', 'pass', 'release'])
})

t.test('a response passes that is not watched, that comes after the hook, or that may be refunded', async (t) => {
  const unwatched = defer()
  unwatched.end()
  t.strictSame(unwatched.events, ['pass'])
  const reached = defer()
  reached.watch()
  reached.deferred.limit(() => {})
  reached.watch()
  reached.end()
  t.strictSame(reached.events, ['release', 'limit', 'pass'])
  for (const [status, events] of [[401, ['pass']], [403, ['end body']]] as const) {
    const refunded = defer({ refundOn: { isEmpty: false, has: (code) => code === 401 } }, status)
    refunded.watch()
    refunded.end()
    t.strictSame(refunded.events, events)
    t.equal(refunded.deferred.hasEnded, status === 403)
  }
})
