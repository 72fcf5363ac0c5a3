import { once } from 'node:events'
import { createServer } from 'node:http'
import t, { type Test } from 'tap'
import type { FastifyInstance } from 'fastify'
import { statuses } from '../fixtures/app.js'
import { createSnippetApp, readPage, parseSnippets } from './snippets.js'

const page = readPage('docs/responses.md')

/** The headings whose snippets are run by a test below. */
const RUN = new Set<string>()

function appUnder (t: Test, heading: string, given = {}) {
  RUN.add(heading)
  return createSnippetApp(t, page, heading, given)
}

t.test('the headers of the draft are those that are shown', async (t) => {
  const app = await appUnder(t, 'Headers')
  const { headers } = await app.inject('/')
  const [, shown] = /```http\n([^]*?)```/.exec(page) ?? []
  const lines = shown.trim().split('\n')
  t.equal(lines.length, 2)
  for (const line of lines) {
    const [name, ...value] = line.split(': ')
    t.equal(headers[name], value.join(': '), name)
  }
  t.equal(headers['x-ratelimit-limit'], undefined)
})

t.test('a client that waits as it is told gets its answer', async (t) => {
  RUN.add('Refusals')
  const asked: string[] = []
  const answers: Array<readonly [status: number, headers: Record<string, string>]> = [[429, { 'retry-after': '1' }], [200, {}], [429, {}], [503, { 'retry-after': '5' }]]
  const server = createServer((request, response) => {
    const [status, headers] = answers[asked.push(request.url ?? '') - 1]
    response.writeHead(status, headers).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/`
  const given: { fetchInTurn?: (url: string) => Promise<Response> } = {}
  const [{ code }] = parseSnippets(page).filter(({ heading }) => heading === 'Refusals')
  await createSnippetApp(t, `# x\n\`\`\`js\n${code}given.fetchInTurn = fetchInTurn\n\`\`\`\n`, 'x', { given })
  t.equal((await given.fetchInTurn?.(url))?.status, 200, 'after the wait')
  t.equal((await given.fetchInTurn?.(url))?.status, 429, 'where no wait helps')
  t.equal((await given.fetchInTurn?.(url))?.status, 503, 'and no other answer is asked for twice')
})

async function refused (app: FastifyInstance, url: string) {
  await app.inject(url)
  return app.inject(url)
}

t.test('a body of one\'s own keeps the status and the headers', async (t) => {
  const app = await appUnder(t, 'A body of your own')
  const quotes = await refused(app, '/quotes')
  t.equal(quotes.statusCode, 429)
  t.equal(quotes.headers['retry-after'], '60')
  t.strictSame(quotes.json(), { code: 'slow_down', limit: 'default', waitMs: 60_000 })
  const orders = await refused(app, '/orders')
  t.equal(orders.statusCode, 429)
  t.equal(orders.headers['cache-control'], 'no-store')
  t.strictSame(orders.json(), { problem: 'too fast', waitMs: 60_000 })
  const shop = await refused(app, '/shop')
  t.equal(shop.statusCode, 429)
  t.match([shop.headers['content-type'], shop.body], ['text/html; charset=utf-8', '<h1>Please wait 60 seconds</h1>'])
  const kiosk = await app.inject({ url: '/shop', headers: { 'x-kiosk': 'yes' } })
  t.match([kiosk.statusCode, kiosk.headers.location], [302, '/busy'])
})

t.test('a browser may read a refusal, and its preflights are not counted', async (t) => {
  const app = await appUnder(t, 'Browsers')
  const headers = { origin: 'https://shop.example', 'access-control-request-method': 'GET' }
  t.strictSame(await statuses(app, 5, { method: 'OPTIONS', url: '/cart', headers }), Array(5).fill(204))
  t.strictSame(await statuses(app, 2, { url: '/cart', headers }), [200, 200])
  const answer = await app.inject({ url: '/cart', headers })
  t.equal(answer.statusCode, 429)
  t.equal(answer.headers['access-control-allow-origin'], 'https://shop.example')
  t.match(answer.headers['access-control-expose-headers'], /Retry-After, X-RateLimit-Limit/)
})

t.test('each heading with a snippet has a test', async (t) => {
  t.strictSame(new Set(parseSnippets(page).map(({ heading }) => heading)), RUN)
})
