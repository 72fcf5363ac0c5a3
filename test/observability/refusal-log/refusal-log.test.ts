import fastify from 'fastify'
import t from 'tap'
import { toLogSettings } from '../../../lib/config/schema/log-schema.js'
import { resolveOptions } from '../../../lib/config/schema/resolve-options.js'
import { RefusalLog } from '../../../lib/observability/refusal-log/refusal-log.js'
import type { Decision } from '../../../lib/model/decision.js'
import { SECOND } from '../../fixtures/app.js'
import { ManualClock } from '../../fixtures/manual-clock.js'
import { createDecision, createIpClient, createRefusalLog, createRefusal } from '../../fixtures/refusal-log.js'
import { until } from '../../fixtures/until.js'

const client = createIpClient('203.0.113.9')
const user = { kind: 'user', id: '42', tier: 'premium', partition: 'user:42' } as const
const policy = { scope: 'rule:reports' }
const common = { client: 'ip:203.0.113.9', tier: 'anonymous', method: 'GET', route: '/reports/:id', scope: 'rule:reports', limit: 'default', mode: 'enforce' }

/** Refusals, and what the first line of each says. */
const table: ReadonlyArray<readonly [why: string, decision: Decision, level: string, fields: object, message: string]> = [
  ['a refusal', createRefusal(client), 'info', { ...common, outcome: 'rejected', retryAfterMs: 3000 }, 'rate limit: rejected'],
  ['a refusal of a user', createRefusal(user, { limit: 'hourly' }), 'info', { ...common, client: 'user:42', tier: 'premium', limit: 'hourly', outcome: 'rejected', retryAfterMs: 3000 }, 'rate limit: rejected'],
  ['a refusal that no wait helps', createRefusal(client, { retry: 'never' }), 'info', { ...common, outcome: 'rejected', retryAfterMs: null }, 'rate limit: rejected'],
  ['a block that goes on', createRefusal(client, { blocks: [{ began: false }] }), 'info', { ...common, outcome: 'blocked', retryAfterMs: 60_000 }, 'rate limit: blocked'],
  ['the beginning of a block', createRefusal(client, { blocks: [{ began: true }] }), 'warn', { ...common, outcome: 'blocked', retryAfterMs: 60_000 }, 'rate limit: block began'],
  ['a refusal for want of the store', createDecision(client, 'unavailable'), 'info', { ...common, limit: null, outcome: 'unavailable', retryAfterMs: 5000 }, 'rate limit: store unavailable, refused']
]

for (const [why, decision, level, fields, message] of table) {
  t.test(`a line tells ${why}`, async (t) => {
    const { log, lines, request } = createRefusalLog(t)
    if (decision.outcome === 'unavailable') log.logRefusal(request(), policy, decision, 5000)
    else log.logRefusal(request(), policy, decision)
    t.strictSame(lines, [{ level, fields, message, by: 'request' }])
  })
}

t.test('a line tells what a limit in shadow mode would have refused', async (t) => {
  const { log, lines, request } = createRefusalLog(t, { level: 'debug' })
  log.logShadowRefusal(request(), policy, createDecision(client, 'exempt'), { name: 'tighter', retryAfterMs: 200 })
  t.strictSame(lines, [{
    level: 'debug', fields: { ...common, limit: 'tighter', mode: 'shadow', outcome: 'rejected', retryAfterMs: 200 }, message: 'rate limit: would be rejected', by: 'request'
  }])
})

t.test('what is no refusal has no line', async (t) => {
  const { log, lines, request } = createRefusalLog(t)
  log.logRefusal(request(), policy, createDecision(client, 'exempt'))
  log.close()
  t.strictSame(lines, [])
})

t.test('repeats within the interval are one line at its end, of what all of them share', async (t) => {
  const { log, lines, request, clock } = createRefusalLog(t)
  log.logRefusal(request(), policy, createRefusal(client))
  for (let i = 0; i < 500; i++) log.logRefusal(request('POST', '/reports'), policy, createRefusal(client))
  clock.advance(10 * SECOND - 1)
  log.flushIfDue()
  t.equal(lines.length, 1)
  clock.advance(1)
  log.flushIfDue()
  t.strictSame(lines.slice(1), [{
    level: 'info',
    fields: { client: 'ip:203.0.113.9', tier: 'anonymous', scope: 'rule:reports', limit: 'default', mode: 'enforce', outcome: 'rejected', repeats: 500, withinMs: 10_000 },
    message: 'rate limit: rejected again',
    by: 'application'
  }])
})

t.test('a first refusal without repeats has no second line', async (t) => {
  const { log, lines, request, clock } = createRefusalLog(t)
  log.logRefusal(request(), policy, createRefusal(client))
  clock.advance(10 * SECOND)
  log.flushIfDue()
  t.equal(lines.length, 1)
})

t.test('the interval begins with a refusal, and every interval anew', async (t) => {
  const { log, lines, request, clock } = createRefusalLog(t, { interval: '1s' })
  clock.advance(100 * SECOND)
  for (let i = 0; i < 3; i++) {
    log.logRefusal(request(), policy, createRefusal(client))
    log.logRefusal(request(), policy, createRefusal(client))
    log.flushIfDue()
    t.equal(lines.length, 2 * i + 1)
    clock.advance(SECOND)
    log.flushIfDue()
    t.equal(lines.length, 2 * i + 2)
  }
})

t.test('each client, limit, scope and kind of refusal is folded by itself', async (t) => {
  const { log, lines, request } = createRefusalLog(t)
  const refusals: ReadonlyArray<readonly [scope: string, decision: Decision]> = [
    ['default', createRefusal(client)],
    ['default', createRefusal(createIpClient('203.0.113.10'))],
    ['default', createRefusal(client, { limit: 'hourly' })],
    ['rule:reports', createRefusal(client)],
    ['default', createRefusal(client, { blocks: [{ began: true }] })],
    ['default', createRefusal(client, { blocks: [{ began: false }] })],
    ['default', createDecision(client, 'unavailable')]
  ]
  for (let round = 0; round < 3; round++) {
    for (const [scope, decision] of refusals) log.logRefusal(request(), { scope }, decision)
    log.logShadowRefusal(request(), policy, createRefusal(client), { name: 'default', retryAfterMs: 0 })
  }
  t.equal(lines.length, 8)
  log.close()
  t.equal(lines.length, 16)
  t.ok(lines.slice(8).every(({ fields }) => fields.repeats === 2))
})

t.test('what was folded is told without a further refusal, by a timer that keeps no process alive', async (t) => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
  const before = timers()
  const { log, lines, request, clock } = createRefusalLog(t)
  t.equal(timers(), before)
  for (let i = 0; i < 3; i++) log.logRefusal(request(), policy, createRefusal(client))
  clock.advance(10 * SECOND)
  await until('the timer fires', 10_000, () => lines.length === 2)
  t.match(lines[1], { fields: { repeats: 2 } })
})

t.test('closing tells what was folded', async (t) => {
  const { log, lines, request } = createRefusalLog(t)
  for (let i = 0; i < 3; i++) log.logRefusal(request(), policy, createRefusal(client))
  log.close()
  t.match(lines, [{ message: 'rate limit: rejected' }, { message: 'rate limit: rejected again', fields: { repeats: 2 } }])
  log.close()
  t.equal(lines.length, 2)
})

t.test('a logger that throws, or whose promise rejects, harms nothing', async (t) => {
  for (const write of [() => { throw new Error('disk full') }, () => Promise.reject(new Error('disk full'))]) {
    const { log, request, lines } = createRefusalLog(t, {}, write)
    t.doesNotThrow(() => {
      log.logRefusal(request(), policy, createRefusal(client))
      log.logRefusal(request(), policy, createRefusal(client))
      log.close()
    })
    t.equal(lines.length, 2)
  }
})

t.test("a line goes through the application's pino, with the request's id and the route's pattern", async (t) => {
  const written: string[] = []
  const app = fastify({ logger: { stream: { write: (line: string) => { if (line.includes('rate limit')) written.push(line) } } } })
  const settings = toLogSettings(resolveOptions({}).log)
  t.not(settings, null)
  if (settings === null) return
  const log = new RefusalLog({ logger: app.log, clock: new ManualClock(), settings })
  app.addHook('onRequest', async (request) => log.logRefusal(request, policy, createRefusal(client, { limit: request.method })))
  app.addHook('onClose', async () => log.close())
  app.get('/reports/:id', async () => '')
  for (const url of ['/reports/7', '/reports/8']) await app.inject({ url })
  await app.inject({ url: '/reports/9', method: 'POST' })
  await app.close()
  const expected = { ...common, limit: 'GET', level: 30, reqId: 'req-1', outcome: 'rejected', retryAfterMs: 3000, msg: 'rate limit: rejected' }
  t.match(written.map((line) => JSON.parse(line)), [
    expected,
    { ...expected, reqId: 'req-3', method: 'POST', limit: 'POST', route: null },
    { msg: 'rate limit: rejected again', level: 30, limit: 'GET', repeats: 1 }
  ])
  t.equal(typeof JSON.parse(written[0]).time, 'number')
})

t.test('the application may log nothing about clients', async (t) => {
  t.equal(toLogSettings(false), null)
})
