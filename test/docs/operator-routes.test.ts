import fastifySwagger from '@fastify/swagger'
import type { FastifyRequest } from 'fastify'
import t from 'tap'
import { createSnippetApp, readPage, parseSnippets } from './snippets.js'

const page = readPage('docs/operator-routes.md')

async function isOperator (request: FastifyRequest): Promise<void> {
  if (request.headers.authorization !== 'Bearer of keys') throw Object.assign(new Error('not you'), { statusCode: 401 })
}

t.test('every route of the table answers as it says', async (t) => {
  const app = await createSnippetApp(t, page, 'Operator routes', { isOperator })
  const rows = [...page.matchAll(/^\| (`(?:GET|PUT|DELETE) .*?) \|/gm)].flatMap(([, row]) => [...row.matchAll(/`([A-Z]+) (\S+)`(?: with `(.*)`)?/g)])
  t.equal(rows.length, 8)
  for (const [, method, path, payload] of rows) {
    const request = {
      method: method === 'GET' ? 'GET' as const : method === 'PUT' ? 'PUT' as const : 'DELETE' as const,
      url: `/admin/rate-limit${path.replace('&cursor=…', '').replace('GET%20/login', 'GET%20/')}`,
      headers: { 'content-type': 'application/json' },
      payload
    }
    t.equal((await app.inject({ ...request, headers: payload === undefined ? {} : request.headers })).statusCode, 401)
    const headers = { authorization: 'Bearer of keys', ...payload !== undefined && request.headers }
    t.equal((await app.inject({ ...request, headers })).statusCode, 200, `${method} ${path}`)
  }
  t.equal((await app.inject('/')).headers['x-ratelimit-limit'], undefined, 'the last row switched the limits off')
})

t.test('a document tells of the limits', async (t) => {
  const app = await createSnippetApp(t, page, 'OpenAPI', { swagger: fastifySwagger })
  t.match(app.swagger(), { paths: { '/orders': { get: { 'x-rate-limit': { limits: [{ name: 'default', max: 100, windowMs: 60_000 }] }, responses: { 429: {} } } } } })
})

t.test('each heading with a snippet has a test', async (t) => {
  t.strictSame(parseSnippets(page).map(({ heading }) => heading), ['Operator routes', 'OpenAPI'])
})
