import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import t, { type Test } from 'tap'
import { DECISION_CHANNEL, type DecisionMessage, type RateLimitOptions } from '../../lib/index.js'
import { bareApp } from '../fixtures/app.js'

interface Line {
  readonly level: number
  readonly msg: string
  readonly [field: string]: unknown
}

async function loggedApp (t: Test, options: RateLimitOptions) {
  const lines: Line[] = []
  const { app, clock, plugin } = bareApp(t, { logger: { level: 'info', stream: { write: (line: string) => { lines.push(JSON.parse(line)) } } } })
  await app.register(plugin, options)
  app.get('/items/:id', async () => 'item')
  return { app, clock, refusals: () => lines.filter(({ msg }) => /^rate limit: (rejected|blocked|block began|would be)/.test(msg)) }
}

t.test('the first refusal of a client is a line, the others are one number when the interval is over', async (t) => {
  const { app, clock, refusals } = await loggedApp(t, { max: 1, timeWindow: '1 hour' })
  for (let i = 0; i < 5; i++) await app.inject('/items/7')
  t.match(refusals(), [{
    client: 'ip:127.0.0.1',
    tier: 'anonymous',
    method: 'GET',
    route: '/items/:id',
    scope: 'default',
    limit: 'default',
    mode: 'enforce',
    outcome: 'rejected',
    retryAfterMs: 3_600_000,
    reqId: 'req-2'
  }])
  clock.advance(60_000)
  await app.close()
  t.match(refusals()[1], { repeats: 3, client: 'ip:127.0.0.1' })
  t.equal(refusals().length, 2)
})

t.test('what a limit in shadow mode would have refused is told as such, and passes', async (t) => {
  const { app, refusals } = await loggedApp(t, { limits: [{ name: 'trial', max: 1, timeWindow: '1 hour', mode: 'shadow' }, { name: 'real', max: 100, timeWindow: '1 hour' }] })
  for (let i = 0; i < 3; i++) t.equal((await app.inject('/items/7')).statusCode, 200)
  t.match(refusals(), [{ limit: 'trial', mode: 'shadow', msg: 'rate limit: would be rejected' }])
})

t.test('the beginning of a block is a warning', async (t) => {
  const { app, refusals } = await loggedApp(t, { max: 1, timeWindow: '1 hour', penalty: { strikes: 1 } })
  for (let i = 0; i < 3; i++) await app.inject('/items/7')
  t.match(refusals()[0], { level: 40, outcome: 'blocked', msg: 'rate limit: block began' })
})

t.test('log: false tells nothing of clients', async (t) => {
  const { app, refusals } = await loggedApp(t, { max: 1, timeWindow: '1 hour', log: false })
  for (let i = 0; i < 3; i++) await app.inject('/items/7')
  t.strictSame(refusals(), [])
})

t.test('a secret for hashes is refused without being shown', async (t) => {
  const { app, plugin } = bareApp(t)
  await t.rejects(async () => { await app.register(plugin, { log: { hashSecret: 'sesame' } }) }, {
    message: 'rateLimit.log.hashSecret: expected a string of 16 or more characters, got a string of 6 (not shown)'
  })
})

t.test('subscribers hear of each decision, also of one by check', async (t) => {
  const heard: DecisionMessage[] = []
  const hear = (message: unknown) => { heard.push(message as DecisionMessage) }
  subscribe(DECISION_CHANNEL, hear)
  t.teardown(() => { unsubscribe(DECISION_CHANNEL, hear) })
  const { app } = await loggedApp(t, { max: 2, timeWindow: '1 hour', name: 'heard' })
  app.get('/checked', { config: { rateLimit: false } }, async (request) => { await app.rateLimit.check(request) })
  for (const url of ['/items/7', '/checked', '/items/7']) await app.inject(url)
  t.strictSame(heard.map(({ registration, scope, mode, decision }) => [registration, scope, mode, decision.outcome]), [
    ['heard', 'default', 'enforce', 'allowed'], ['heard', 'default', 'enforce', 'allowed'], ['heard', 'default', 'enforce', 'rejected']
  ])
})
