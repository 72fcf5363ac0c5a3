// What a recording keeps of a decision.
import type { FastifyReply, FastifyRequest } from 'fastify'
import t from 'tap'
import type { ClientIdentifier } from '../../lib/clients/identifier.js'
import type { RecordedDecision, Recorder } from '../../lib/observability/recording/recorder.js'
import type { Policy } from '../../lib/policies/policy.js'
import { RequestDecision } from '../../lib/request/decision.js'
import { noteCost, recordDecision } from '../../lib/request/record-decision.js'
import { ADDRESS, CorrectedStore, createDecisionOf, createPolicy, createReceipt, createStanding, IP_CLIENT, USER } from '../fixtures/decisions.js'
import { bareApp } from '../fixtures/app.js'
import { limitOf } from '../fixtures/limits.js'
import { until } from '../fixtures/until.js'

function createRecorder () {
  const records: RecordedDecision[] = []
  const statuses: Array<readonly [id: number, status: number | null]> = []
  let ids = 0
  const recorder = {
    nowUs: 7,
    record: (recorded: RecordedDecision) => { records.push(recorded) },
    recordWithId: (recorded: RecordedDecision) => {
      records.push(recorded)
      return ++ids
    },
    recordStatus: (id: number, status: number | null) => { statuses.push([id, status]) }
  } as unknown as Recorder
  const identifier = { identifyByAddress: () => IP_CLIENT, getAddress: () => ADDRESS } as unknown as ClientIdentifier
  return { records, statuses, context: { recorder, identifier } }
}

interface RequestParts {
  readonly url?: string | undefined
  readonly is404?: boolean
}

function createReply ({ url = '/reports', is404 = false }: RequestParts = {}): FastifyReply {
  const request = { method: 'GET', url: '/reports?page=2', is404, routeOptions: { url } } as unknown as FastifyRequest
  return { request } as FastifyReply
}

const refused = [createStanding(limitOf(), { granted: false, charged: 0 })]

t.test('a decision is recorded with all that it depended on', async (t) => {
  const { records, context } = createRecorder()
  recordDecision(context, createDecisionOf(createReceipt()), createReply())
  t.strictSame(records, [{
    timeUs: 7,
    method: 'GET',
    url: '/reports?page=2',
    route: '/reports',
    status: null,
    client: IP_CLIENT,
    addressClient: IP_CLIENT,
    address: ADDRESS,
    cost: 1,
    outcome: 'allowed',
    limit: null,
    scope: 'default'
  }])
})

t.test('an unknown URL has no route, and a refusal its limit', async (t) => {
  const { records, context } = createRecorder()
  const reply = createReply({ is404: true })
  Object.assign(reply.request.routeOptions, { url: undefined })
  recordDecision(context, createDecisionOf(createReceipt(refused)), reply)
  t.match(records, [{ route: null, status: 404, outcome: 'rejected', limit: 'app/default' }])
})

t.test('the cost is what was computed for the request, else that of the policy, by limit if they differ', async (t) => {
  const { records, context } = createRecorder()
  const policy = createPolicy({ cost: () => 9, limits: [limitOf({ bucket: 'a' }), limitOf({ bucket: 'b' })] })
  const decision = createDecisionOf(createReceipt(), { policy })
  recordDecision(context, decision, createReply())
  for (const cost of [5, [2, 3]]) {
    const reply = createReply()
    noteCost(reply.request, cost)
    recordDecision(context, decision, reply)
  }
  t.strictSame(records.map(({ cost }) => cost), [1, 5, { a: 2, b: 3 }])
})

const tiers: Policy['tiers'] = new Map([['standard', null], ['premium', createPolicy()]])
const outcomes: ReadonlyArray<readonly [outcome: string, client: typeof IP_CLIENT, tiers: Policy['tiers']]> = [
  ['unlimited', USER, tiers],
  ['exempt', { ...USER, tier: 'premium' }, tiers],
  ['exempt', { ...USER, tier: 'other' }, tiers],
  ['exempt', { ...IP_CLIENT, tier: 'standard' }, tiers],
  ['exempt', USER, null]
]
for (const [outcome, client, tiers] of outcomes) {
  t.test(`${outcome}: ${client.partition} of tier ${client.tier}, ${tiers === null ? 'without' : 'with'} tiers`, async (t) => {
    const { records, context } = createRecorder()
    recordDecision(context, new RequestDecision(createPolicy({ tiers }), client, 'exempt', new CorrectedStore(), null), createReply())
    t.equal(records[0].outcome, outcome)
  })
}

t.test('a limited user is not unlimited', async (t) => {
  const { records, context } = createRecorder()
  recordDecision(context, new RequestDecision(createPolicy({ tiers }), USER, createReceipt(), new CorrectedStore(), null), createReply())
  t.equal(records[0].outcome, 'allowed')
})

t.test('the status is recorded where units may be refunded, once the response was sent', async (t) => {
  const { records, statuses, context } = createRecorder()
  const policy = createPolicy({ refundOn: { isEmpty: false, has: () => false } })
  const { app } = bareApp(t)
  app.get('/:kind', async (request, reply) => {
    const receipt = createReceipt(request.url === '/refused' ? refused : undefined)
    recordDecision(context, createDecisionOf(receipt, { policy: request.url === '/plain' ? createPolicy() : policy }), reply)
    if (request.url === '/broken') request.raw.socket.destroy()
    return await reply.code(201).send('done')
  })
  const address = await app.listen({ port: 0, host: '127.0.0.1' })
  await t.rejects(fetch(`${address}/broken`))
  for (const path of ['/refused', '/plain', '/sent']) await (await fetch(address + path)).text()
  await until('the status is recorded', 10_000, () => statuses.length > 0)
  t.equal(records.length, 4)
  t.strictSame(statuses, [[2, 201]])
})
