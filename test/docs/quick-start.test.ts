import t, { type Test } from 'tap'
import type { FastifyInstance, InjectOptions } from 'fastify'
import { statuses } from '../fixtures/app.js'
import { createToken } from '../fixtures/tokens.js'
import { assertRefusal } from './quick-start.js'
import { createSnippetApp, readPage, parseSnippets } from './snippets.js'

const page = readPage('docs/quick-start.md')

/** The headings whose snippets are run by a test below. */
const RUN = new Set<string>()

function appUnder (t: Test, heading: string) {
  RUN.add(heading)
  return createSnippetApp(t, page, heading)
}

async function capacity (app: FastifyInstance, request: InjectOptions | string): Promise<unknown> {
  return (await app.inject(request)).headers['x-ratelimit-limit']
}

t.test('the first server answers its sixth login with the refusal that is shown', async (t) => {
  RUN.add('One limit for everything')
  await assertRefusal(t, page, 'One limit for everything')
})

t.test('routes have the limits that they name', async (t) => {
  const app = await appUnder(t, 'Limits')
  t.equal(await capacity(app, '/search'), '20')
})

t.test('routes inherit what they do not name', async (t) => {
  const app = await appUnder(t, 'Routes')
  t.equal((await app.inject('/report')).headers['x-ratelimit-remaining'], '90')
  await app.inject('/v1/feed')
  t.equal((await app.inject('/v2/feed')).headers['x-ratelimit-remaining'], '98')
  t.equal((await app.inject('/closed')).statusCode, 429)
  t.equal(await capacity(app, '/free'), undefined)
})

t.test('keys go before tokens and tokens before addresses, each with the limits of its tier', async (t) => {
  const app = await appUnder(t, 'Users and tiers')
  const shown = (payload: object) => `Bearer ${createToken(payload, { secret: 'a secret of at least 32 characters' })}`
  const rows: ReadonlyArray<readonly [headers: Record<string, string>, limit: string | undefined, why: string]> = [
    [{}, '20', 'anonymous'],
    [{ 'x-api-key': 'k1' }, '1000', 'premium'],
    [{ 'x-api-key': 'k2' }, undefined, 'unlimited'],
    [{ 'x-api-key': 'k3' }, undefined, 'exempt'],
    [{ 'x-api-key': 'no such' }, '20', 'counts by the address'],
    [{ authorization: shown({ sub: '42' }) }, '100', 'standard'],
    [{ authorization: shown({ sub: '42', app: { plan: 'premium' } }) }, '1000', 'the claim'],
    [{ authorization: 'Bearer nonsense' }, '20', 'not valid']
  ]
  for (const [headers, limit, why] of rows) t.equal(await capacity(app, { url: '/', headers }), limit, why)
  t.equal(await capacity(app, { url: '/', remoteAddress: '192.0.2.7' }), undefined, 'exempt by its network')
  t.equal(await capacity(app, { url: '/', remoteAddress: '10.0.0.1', headers: { 'x-forwarded-for': '192.0.2.7' } }), undefined, 'behind a trusted proxy too')
  t.equal(await capacity(app, { url: '/', remoteAddress: '198.51.100.1', headers: { 'x-forwarded-for': '192.0.2.7' } }), '20', 'and not behind another')
})

t.test('the most specific rule decides', async (t) => {
  const app = await appUnder(t, 'Rules by pattern')
  t.equal(await capacity(app, '/api/v1/users'), '50')
  t.equal(await capacity(app, '/api/v1/reports'), '5')
  t.equal(await capacity(app, { method: 'POST', url: '/api/v1/reports' }), '50')
  t.equal(await capacity(app, '/'), '100')
  t.equal((await app.inject('/legacy/anything')).statusCode, 429)
})

t.test('logins cost what fails, thumbnails wait, and completions what they took', async (t) => {
  const app = await appUnder(t, 'Costs, refunds, throttling, penalties')
  const session = (password: string) => ({ method: 'POST', url: '/session', headers: { password } } as const)
  t.strictSame(new Set(await statuses(app, 10, session('right'))), new Set([200]))
  t.strictSame(await statuses(app, 6, session('wrong')), [401, 401, 401, 401, 401, 429])
  await statuses(app, 3, session('wrong'))
  t.match((await app.inject(session('wrong'))).json(), { type: /#abnormal-usage-detected$/ })
  t.strictSame(await statuses(app, 5, '/thumbnail'), [200, 200, 200, 200, 200])
  await app.inject({ method: 'POST', url: '/complete' })
  const completions = (await app.rateLimit.peek('ip:127.0.0.1')).filter(({ scope }) => scope === 'route:POST /complete')
  t.strictSame(completions.map(({ remaining }) => remaining), [59, 98_500])
})

t.test('each heading with a snippet has a test', async (t) => {
  t.strictSame(new Set(parseSnippets(page).map(({ heading }) => heading)), RUN)
})
