import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import type { FastifyInstance, FastifyRequest, InjectOptions } from 'fastify'
import { systemClock, type Clock } from '../../lib/common/clock.js'
import { statuses } from '../fixtures/app.js'
import { ManualClock } from '../fixtures/manual-clock.js'
import { readConfigText } from '../../lib/config/file/config-file.js'
import { until } from '../fixtures/until.js'
import { findErrors } from './config-files.js'
import { createSnippetApp, readPage, parseSnippets } from './snippets.js'

const page = readPage('docs/recipes.md')

/** The headings whose snippets are run by a test below. */
const RUN = new Set<string>()

function appUnder (t: Test, heading: string, given = {}, clock: Clock = new ManualClock()) {
  RUN.add(heading)
  return createSnippetApp(t, page, heading, given, clock)
}

async function header (app: FastifyInstance, request: InjectOptions | string, name = 'x-ratelimit-limit'): Promise<unknown> {
  return (await app.inject(request)).headers[name]
}

t.test('a whole application counts clients behind its proxies, and unknown URLs', async (t) => {
  const app = await appUnder(t, 'A whole application')
  const by = (address: string, url = '/') => ({ url, remoteAddress: '10.0.0.1', headers: { 'x-forwarded-for': address } })
  t.equal(await header(app, by('203.0.113.9'), 'x-ratelimit-remaining'), '99')
  t.equal(await header(app, by('203.0.113.9', '/wp-admin'), 'x-ratelimit-remaining'), '98')
  t.equal(await header(app, by('203.0.113.10'), 'x-ratelimit-remaining'), '99')
})

t.test('a login counts the failures of an account and of an address', async (t) => {
  const app = await appUnder(t, 'A login', { isPasswordRight: async ({ password }: { password: string }) => password === 'right' })
  const login = (name: string, password: string, remoteAddress = '203.0.113.9') => ({ method: 'POST', url: '/login', payload: { name, password }, remoteAddress } as const)
  t.strictSame(await statuses(app, 30, login('ada', 'right')), Array(30).fill(200))
  t.strictSame(await statuses(app, 6, login('ada', 'wrong')), [401, 401, 401, 401, 401, 429])
  t.equal((await app.inject(login(' ADA', 'wrong', '198.51.100.1'))).statusCode, 429, 'from another address, in another spelling')
  const others = []
  for (let i = 0; i < 16; i++) others.push((await app.inject(login(`bob${i}`, 'wrong'))).statusCode)
  t.strictSame(others, [...Array(15).fill(401), 429], 'one password on many accounts')
})

t.test('messages are bounded by who receives them', async (t) => {
  const app = await appUnder(t, 'What sends a message')
  const to = (mail: string) => ({ method: 'POST', url: '/password-reset', payload: { mail } } as const)
  t.strictSame(await statuses(app, 4, to('ada@example.org')), [200, 200, 200, 429])
  t.strictSame(await statuses(app, 3, to('bob@example.org')), [200, 200, 200])
  const standings = await app.rateLimit.peek('global')
  t.match(standings.find(({ name }) => name === 'bill'), { remaining: 494 })
})

t.test('a public API has a limit for bursts and one for the total', async (t) => {
  const app = await appUnder(t, 'A public API')
  t.equal(await header(app, '/api/items', 'ratelimit-policy'), '"second";q=10;w=1, "hour";q=1000;w=3600')
  t.equal(await header(app, '/api/none'), '10')
})

t.test('each plan has what is paid for', async (t) => {
  const app = await appUnder(t, 'Paid plans', {
    customerOf ({ headers: { customer } }: FastifyRequest) {
      const [id, tier] = String(customer ?? '').split(':')
      return id === '' ? null : { id, tier }
    }
  })
  const as = (customer: string) => header(app, { url: '/items', headers: { customer } })
  t.equal(await header(app, '/items'), '30')
  t.equal(await as('1'), '60')
  t.equal(await as('2:pro'), '600')
  t.equal(await as('3:internal'), undefined)
})

t.test('what is expensive takes more of the budget, or waits', async (t) => {
  const app = await appUnder(t, 'An expensive endpoint', {}, systemClock)
  t.equal(await header(app, '/report', 'x-ratelimit-remaining'), '80')
  const [, , third] = await Promise.all([1, 2, 3].map(() => app.inject('/render')))
  t.equal(third.statusCode, 200)
  t.equal((await app.rateLimit.peek('global')).find(({ name }) => name === 'machine')?.limit, 2)
})

t.test('a completion pays for the tokens that it used, also if the client leaves or the model fails', async (t) => {
  const leaving = new AbortController()
  async function * stream ({ prompt }: { prompt: string }) {
    for (let i = 0; i < 20; i++) {
      if (i === 10 && prompt === 'fail') throw new Error('the model failed')
      if (i === 10 && prompt === 'wait') await once(leaving.signal, 'abort')
      yield { text: 'word '.repeat(10_000) }
    }
    yield { text: '', usage: { input: 1, cached: 100, output: 30 } }
  }
  const app = await appUnder(t, 'Language models', { model: { stream }, Readable })
  await app.listen({ port: 0, host: '127.0.0.1' })
  // After an abort, `fetch` opens a connection without a request, which the application would wait for.
  t.teardown(() => { app.server.closeAllConnections() })
  const { port } = app.server.address() as AddressInfo
  const left = async () => (await app.rateLimit.peek('ip:127.0.0.1')).filter(({ scope }) => scope !== 'default').map(({ remaining }) => remaining)
  const complete = async (prompt: string, maxTokens = 8000) => await fetch(`http://127.0.0.1:${port}/complete`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ prompt, maxTokens }), signal: leaving.signal
  })
  await (await complete('whole')).text()
  t.strictSame(await left(), [59, 99_839], '1 for the input, 10 for the cached and 150 for the output')
  await t.rejects((await complete('fail')).text())
  t.strictSame(await left(), [58, 99_788], '1 for the prompt and 50 for ten parts')
  const { body } = await complete('wait')
  const reader = body?.getReader()
  let bytes = 0
  while (bytes < 500_000) bytes += (await reader?.read())?.value?.length ?? 0
  t.strictSame(await left(), [57, 59_787], 'reserved')
  leaving.abort()
  // The stream may be read a little ahead. Until it is settled, there are 59,787 left, or 99,788 when the reservation has returned.
  await until('it is settled', 10_000, async () => (await left())[1] >= 99_687 && (await left())[1] <= 99_737)
})

t.test('a sender of webhooks is one client, whatever its address', async (t) => {
  const app = await appUnder(t, 'Webhooks that others send', { senderOf: ({ headers }: FastifyRequest) => headers.signature ?? '' })
  const from = (remoteAddress: string) => ({ method: 'POST', url: '/hooks/shop', remoteAddress, headers: { signature: 'shop' } } as const)
  t.equal(await header(app, from('203.0.113.9'), 'x-ratelimit-remaining'), '199')
  t.equal(await header(app, from('203.0.113.10'), 'x-ratelimit-remaining'), '198')
  t.equal(await header(app, { method: 'POST', url: '/hooks/none' }, 'x-ratelimit-remaining'), '199', 'nobody is nobody else')
})

t.test('the file for maintenance is right, and refuses without a time', async (t) => {
  const [, file] = /^```toml\n([^]*?)^```$/m.exec(page) ?? []
  t.strictSame(findErrors(file), [])
  const read = readConfigText(file, 'rate-limit.toml')
  if ('mistakes' in read) throw read.mistakes[0]
  const app = await createSnippetApp(t, '# x\n```js\nawait app.register(rateLimitPlugin, options)\napp.get(\'/orders/:id\', { config: { rateLimit: { max: 5 } } }, async () => 1)\n```\n', 'x', { options: read.layer.options })
  const answer = await app.inject('/orders/1')
  t.equal(answer.statusCode, 429)
  t.equal(answer.headers['retry-after'], undefined)
})

t.test('each heading with a snippet has a test', async (t) => {
  t.strictSame(new Set(parseSnippets(page).map(({ heading }) => heading)), RUN)
})
