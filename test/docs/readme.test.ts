import { spawnSync } from 'node:child_process'
import t, { type Test } from 'tap'
import Fastify, { type FastifyInstance, type InjectOptions } from 'fastify'
import { buildRateLimitPlugin } from '../../lib/plugin.js'
import { statuses } from '../fixtures/app.js'
import { token } from '../fixtures/tokens.js'
import { appBy, pageAt, root, run, snippetsIn } from './snippets.js'

const readme = pageAt('README.md')

/** Time stands still, so that the refusal is the README's however slow the machine. */
const clock = { nowUs: () => 0 }

/** The headings whose snippets are run by a test below. */
const RUN = new Set<string>()

function appUnder (t: Test, heading: string, given = {}) {
  RUN.add(heading)
  return appBy(t, readme, heading, given)
}

async function capacity (app: FastifyInstance, request: InjectOptions | string): Promise<unknown> {
  return (await app.inject(request)).headers['x-ratelimit-limit']
}

t.test('the options tables are those of the schemas', async (t) => {
  const check = spawnSync('node', ['docs/options-table.js', '--check'], { cwd: root, encoding: 'utf8' })
  t.equal(check.status, 0, check.stderr)
})

t.test('the quick start answers its sixth login with the refusal that the README shows', async (t) => {
  RUN.add('Quick start')
  const [{ code }] = snippetsIn(readme).filter(({ heading }) => heading === 'Quick start')
  const app = await run(code, undefined, {}, clock)
  t.teardown(() => app.close())
  const address = app.server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
  t.equal((await fetch(url)).headers.get('x-ratelimit-limit'), '100')
  let response = await fetch(`${url}/login`, { method: 'POST' })
  for (let i = 0; i < 5; i++) response = await fetch(`${url}/login`, { method: 'POST' })
  const [, head, body] = /```http\n([\s\S]*?)\n\n([\s\S]*?)\n```/.exec(readme) ?? []
  const [status, ...headers] = head.split('\n')
  t.equal(`HTTP/1.1 ${response.status} ${response.statusText}`, status)
  for (const line of headers) {
    const [name, value] = line.split(': ')
    t.equal(response.headers.get(name), value, name)
  }
  const shown = JSON.parse(body)
  t.match(await response.json(), { ...shown, instance: /^req-/ })
})

t.test('routes have the limits that they name', async (t) => {
  const app = await appUnder(t, 'Limits')
  t.equal(await capacity(app, '/search'), '20')
  t.equal((await app.inject('/report')).headers['x-ratelimit-remaining'], '90')
  await app.inject('/v1/feed')
  t.equal((await app.inject('/v2/feed')).headers['x-ratelimit-remaining'], '98')
  t.equal((await app.inject('/closed')).statusCode, 429)
  t.equal(await capacity(app, '/free'), undefined)
})

t.test('keys go before tokens and tokens before addresses, each with the limits of its tier', async (t) => {
  const customers: Readonly<Record<string, object>> = { k1: { id: 'ada', tier: 'premium' }, k2: { id: 'cron', tier: 'internal' }, k3: { id: 'monitoring' } }
  const app = await appUnder(t, 'Who is asking', { customerOf: (key: string) => customers[key] ?? null })
  const shown = (payload: object) => `Bearer ${token(payload, { secret: 'a secret of at least 32 characters' })}`
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
  const [tokens] = (await app.rateLimit.peek('ip:127.0.0.1')).filter(({ scope }) => scope === 'group:tokens')
  t.equal(tokens.remaining, 98_500)
})

t.test('a check decides now', async (t) => {
  const app = await appUnder(t, 'In code')
  t.equal((await app.inject('/chat')).body, 'sent')
})

t.test('each member of a decision that is shown is there, and each outcome is told', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(buildRateLimitPlugin(clock), { max: 1 })
  app.get('/', async (request) => {
    const [, table] = /\| member \| meaning \|\n([\s\S]*?)\n\n/.exec(readme) ?? []
    const members = table.split('\n').slice(1).flatMap((row) => [...row.split('|')[1].matchAll(/`(\w+)/g)].map(([, name]) => name))
    return members.filter((name) => request.rateLimit === null || !(name in request.rateLimit))
  })
  t.strictSame((await app.inject('/')).json(), [])
  for (const outcome of ['allowed', 'delayed', 'rejected', 'blocked', 'exempt', 'unavailable']) t.match(readme, `\`'${outcome}'\``)
})

t.test('each heading with a snippet has a test', async (t) => {
  t.strictSame(new Set(snippetsIn(readme).map(({ heading }) => heading)), RUN)
})
