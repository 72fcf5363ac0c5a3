// Who hears of a decision: metrics, the operator page, the recording and the log of refusals.
import type { FastifyReply, FastifyRequest } from 'fastify'
import t from 'tap'
import { Responder } from '../../lib/request/answer.js'
import type { RequestDecision } from '../../lib/request/decision.js'
import type { LimiterContext } from '../../lib/request/limiter-context.js'
import { ADDRESS, createDecisionOf, createPolicy, createReceipt, createStanding, IP_CLIENT } from '../fixtures/decisions.js'
import { limitOf } from '../fixtures/limits.js'

const ROUTE = { url: '/reports' }

type Listener = 'metrics' | 'traffic' | 'recorder' | 'refusals'

/** A responder whose services note what they are told. */
function listen (...listeners: Listener[]) {
  const heard: unknown[][] = []
  const note = (name: string) => (...told: unknown[]) => { heard.push([name, ...told]) }
  const has = <Service>(name: Listener, service: Service) => listeners.includes(name) ? service : null
  const context = {
    registration: 'app',
    identifier: { deadlineMs: 100, identifyByAddress: () => IP_CLIENT, getAddress: () => ADDRESS },
    metrics: has('metrics', { countDecision: note('metrics') }),
    traffic: has('traffic', { record: note('traffic') }),
    recorder: has('recorder', { nowUs: 5, record: note('recorder'), recordWithId: note('recorder') }),
    refusals: has('refusals', { logRefusal: note('refusal'), logShadowRefusal: note('shadow') }),
    getRouteConfig: (request: FastifyRequest) => {
      heard.push(['route'])
      return request.routeOptions.config
    },
    writeHeaders: () => {}
  }
  return { responder: new Responder(context as unknown as LimiterContext), heard, names: () => heard.map(([name]) => name) }
}

function createRequest (): { request: FastifyRequest, reply: FastifyReply } {
  const request = { method: 'GET', url: '/reports?page=2', is404: false, routeOptions: { url: '/reports', config: ROUTE }, rateLimit: null } as unknown as FastifyRequest
  return { request, reply: { request } as FastifyReply }
}

const granted = () => createDecisionOf(createReceipt())
const refused = () => createDecisionOf(createReceipt([createStanding(limitOf(), { granted: false, charged: 0 })]))
const inShadow = () => {
  const shadow = limitOf({ bucket: 'shadow', mode: 'shadow' })
  const standings = [createStanding(shadow, { granted: false }), createStanding(limitOf({ bucket: 'other', mode: 'shadow' })), createStanding()]
  return createDecisionOf(createReceipt(standings), { policy: createPolicy({ hasShadowLimits: true }) })
}

t.test('the route is looked up only if metrics or the page count it', async (t) => {
  for (const [listeners, heard] of [[[], []], [['metrics'], ['route', 'metrics']], [['traffic'], ['route', 'traffic']], [['metrics', 'traffic'], ['route', 'metrics', 'traffic']]] as const) {
    const { responder, names } = listen(...listeners)
    responder.record(granted(), createRequest().request)
    t.strictSame(names(), heard)
  }
})

t.test('what counts a decision knows the route and the standings', async (t) => {
  const { responder, heard } = listen('metrics', 'traffic')
  const decision = granted()
  responder.record(decision, createRequest().request)
  t.strictSame(heard.slice(1), [['metrics', ROUTE, decision, decision.storeStandings], ['traffic', ROUTE, decision, decision.storeStandings]])
})

t.test('a decision without a request is counted without a route, and its refusal is logged', async (t) => {
  const { responder, heard } = listen('metrics', 'traffic', 'refusals')
  const decision = refused()
  responder.recordWithoutRequest(decision)
  t.strictSame(heard, [
    ['metrics', {}, decision, decision.storeStandings], ['traffic', {}, decision, decision.storeStandings], ['refusal', null, decision.policy, decision]
  ])
})

t.test('without a request, what passed is not logged, and no log is no error', async (t) => {
  const { responder, names } = listen('refusals')
  responder.recordWithoutRequest(granted())
  t.strictSame(names(), [])
  const silent = listen()
  for (const decision of [refused(), inShadow()]) silent.responder.recordWithoutRequest(decision)
  t.strictSame(silent.names(), [])
})

t.test('each refusal of a limit in shadow mode is logged', async (t) => {
  const { responder, heard } = listen('refusals')
  const decision = inShadow()
  responder.recordWithoutRequest(decision)
  t.match(heard, [['shadow', null, decision.policy, decision, { name: 'shadow', isExceeded: true }]])
  t.equal(heard.length, 1)
})

t.test('a refusal by an enforced limit is none of a limit in shadow mode', async (t) => {
  const { responder, names } = listen('refusals')
  const standings = [createStanding(limitOf({ mode: 'shadow' })), createStanding(limitOf(), { granted: false, charged: 0 })]
  responder.recordWithoutRequest(createDecisionOf(createReceipt(standings), { policy: createPolicy({ hasShadowLimits: true }) }))
  t.strictSame(names(), ['refusal'])
})

t.test('a request that passes is logged where a limit in shadow mode would refuse it', async (t) => {
  const { responder, heard } = listen('refusals')
  const { request, reply } = createRequest()
  const decision = inShadow()
  responder.answer(decision, reply, () => {})
  t.match(heard, [['shadow', request, decision.policy, decision, { name: 'shadow' }]])
})

t.test('the first decision of a request is recorded, and no later one', async (t) => {
  const { responder, names } = listen('recorder')
  const { request, reply } = createRequest()
  let passed = 0
  const answer = (decision: RequestDecision) => { responder.answer(decision, reply, () => { passed++ }) }
  const first = createDecisionOf('exempt')
  answer(first)
  t.equal(request.rateLimit, first)
  t.strictSame(names(), ['recorder'])
  answer(createDecisionOf('exempt', { previous: first }))
  t.strictSame(names(), ['recorder'])
  t.equal(passed, 2)
})
