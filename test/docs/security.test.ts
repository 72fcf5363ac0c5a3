import { createHmac } from 'node:crypto'
import t, { type Test } from 'tap'
import Fastify from 'fastify'
import { rateLimitPlugin } from '../../lib/plugin/plugin.js'
import { createSnippetApp, readPage, parseSnippets } from './snippets.js'

const page = readPage('docs/security.md')

/** The headings whose snippets are run by a test below. */
const RUN = new Set<string>()

function appUnder (t: Test, heading: string, given = {}) {
  RUN.add(heading)
  return createSnippetApp(t, page, heading, given)
}

t.test('a key that is hashed is in no partition', async (t) => {
  process.env.KEY_HASH_SECRET = 'a secret for the test'
  t.teardown(() => { delete process.env.KEY_HASH_SECRET })
  const app = await appUnder(t, 'To obtain information', { createHmac })
  const { body } = await app.inject({ url: '/', headers: { 'x-api-key': 'sk-secret' } })
  t.match(body, /^key:[\w-]{43}$/)
  t.notMatch(body, 'sk-secret')
  t.equal((await app.inject('/')).body, 'ip:127.0.0.1', 'without a key, the address')
})

t.test('the health route answers as it is told', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(rateLimitPlugin)
  const ask = async (remoteAddress: string, headers = {}) => (await app.inject({ url: '/health/rate-limit', remoteAddress, headers })).statusCode
  t.strictSame([await ask('127.0.0.1'), await ask('10.0.0.1'), await ask('203.0.113.9'), await ask('127.0.0.1', { 'x-forwarded-for': '203.0.113.9' })], [200, 200, 404, 404])
})

t.test('a refusal tells nothing but limits, numbers and the request\'s id', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(rateLimitPlugin, { max: 0 })
  t.strictSame(Object.keys((await app.inject('/')).json()), ['type', 'title', 'status', 'detail', 'instance', 'violated-policies', 'limit', 'remaining'])
})

t.test('each heading with a snippet has a test', async (t) => {
  t.strictSame(new Set(parseSnippets(page).map(({ heading }) => heading)), RUN)
})
