// A route's limit and guards decide one request: the headers describe all of them, in whichever order they run.
import type { LightMyRequestResponse } from 'fastify'
import t from 'tap'
import { limitedApp } from '../fixtures/app.js'

const EXPORTS = { groupId: 'exports', max: 3, timeWindow: '1 hour' } as const

function shown ({ headers }: LightMyRequestResponse): string {
  return `${headers['x-ratelimit-remaining']} of ${headers['x-ratelimit-limit']} for ${headers['x-ratelimit-reset']}`
}

for (const phase of ['onRequest', 'preHandler'] as const) {
  for (const hook of ['onRequest', 'preHandler'] as const) {
    t.test(`plugin in ${hook}, guard in ${phase}: the limit that binds is in X-RateLimit-*`, async (t) => {
      const { app } = await limitedApp(t, { max: 100, timeWindow: '100s', hook })
      app.get('/export', { [phase]: app.rateLimit(EXPORTS) }, async () => 'rows')
      const answers: string[] = []
      for (let i = 0; i < 4; i++) {
        const response = await app.inject('/export')
        answers.push(`${response.statusCode}: ${shown(response)}`)
      }
      t.strictSame(answers, ['200: 2 of 3 for 1200', '200: 1 of 3 for 2400', '200: 0 of 3 for 3600', '429: 0 of 3 for 3600'])
    })
  }
}

t.test('the route\'s limit binds where it is the tighter one', async (t) => {
  const { app } = await limitedApp(t, {})
  app.get('/export', { config: { rateLimit: { max: 2, timeWindow: '100s' } }, preHandler: app.rateLimit(EXPORTS) }, async () => 'rows')
  t.equal(shown(await app.inject('/export')), '1 of 2 for 50')
  t.equal(shown(await app.inject('/export')), '0 of 2 for 100')
})

t.test('the draft lists every limit once, each under a name of its own', async (t) => {
  const { app } = await limitedApp(t, { max: 100, timeWindow: '100s', headers: 'both' })
  const guards = [
    EXPORTS,
    { groupId: 'other', limits: [{ name: 'minute', max: 60, timeWindow: '1 minute' }, { name: 'trial', max: 1, timeWindow: '1s', mode: 'shadow' }] },
    { groupId: 'ä"b', max: 7, timeWindow: '1s' },
    { groupId: 'ö', max: 8, timeWindow: '1s' }
  ].map((options) => app.rateLimit(options as Parameters<typeof app.rateLimit>[0]))
  app.get('/export', { preHandler: guards }, async () => 'rows')
  const { headers } = await app.inject('/export')
  t.equal(headers['ratelimit-policy'], [
    '"default";q=100;w=100', '"exports-default";q=3;w=3600', '"minute";q=60;w=60', '"default-2";q=7;w=1', '"default-3";q=8;w=1'
  ].join(', '))
  t.equal(headers.ratelimit, '"default";r=99;t=1, "exports-default";r=2;t=1200, "minute";r=59;t=1, "default-2";r=6;t=1, "default-3";r=7;t=1')
})

t.test('a refusal names the policy as the headers do', async (t) => {
  const { app } = await limitedApp(t, { max: 100, timeWindow: '100s', headers: 'ratelimit' })
  app.get('/export', { preHandler: app.rateLimit({ ...EXPORTS, max: 1 }) }, async () => 'rows')
  await app.inject('/export')
  const { headers, ...refused } = await app.inject('/export')
  t.equal(headers.ratelimit, '"default";r=98;t=2, "exports-default";r=0;t=3600')
  t.match(refused.json(), { 'violated-policies': ['exports-default'], detail: /^Limit 'exports-default' of 1 per 1 hour exceeded/, limit: 1, remaining: 0, retryAfter: 3600 })
})

t.test('two policies that share a bucket list it once, with what is left at last', async (t) => {
  const { app } = await limitedApp(t, { headers: 'both' })
  app.get('/export', { config: { rateLimit: EXPORTS }, preHandler: app.rateLimit({ ...EXPORTS, cost: 1 }) }, async () => 'rows')
  const { headers } = await app.inject('/export')
  t.equal(headers.ratelimit, '"default";r=1;t=2400')
  t.equal(headers['x-ratelimit-remaining'], '1')
})

t.test('what is exempt, uncounted or in shadow mode leaves the headers of the other policy', async (t) => {
  const { app } = await limitedApp(t, { max: 100, timeWindow: '100s', headers: 'both' })
  app.get('/shadow', { preHandler: app.rateLimit({ ...EXPORTS, mode: 'shadow' }) }, async () => 'rows')
  app.get('/off', { config: { rateLimit: false }, preHandler: app.rateLimit(EXPORTS) }, async () => 'rows')
  t.equal((await app.inject('/shadow')).headers.ratelimit, '"default";r=99;t=1')
  t.equal((await app.inject('/off')).headers.ratelimit, '"default";r=2;t=1200')
})

t.test('errorResponseBuilder gets the decision with the names of the options', async (t) => {
  const { app } = await limitedApp(t, { max: 100, timeWindow: '100s' })
  app.get('/export', {
    preHandler: app.rateLimit({ groupId: 'built', max: 0, timeWindow: '1s', errorResponseBuilder: (_request, { limitName }) => ({ limitName }) })
  }, async () => 'rows')
  t.strictSame((await app.inject('/export')).json(), { limitName: 'default' })
})
