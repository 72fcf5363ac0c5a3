// The settings that docs/redis.md shows. Its ACL rules are typed in by test/integration/redis-acl.test.ts; failovers, TLS and
// sizes are in test/integration too.
import { Redis } from 'ioredis'
import t from 'tap'
import type { FastifyInstance } from 'fastify'
import { checkBackendOptions } from '../../lib/config/backend/backend-options.js'
import { checkOptions } from '../../lib/config/schema/check.js'
import { RateLimitOptionsSchema } from '../../lib/config/schema/options-schema.js'
import { limiterClientOptions } from '../../lib/index.js'
import { remainders } from '../fixtures/app.js'
import { startRedis } from '../fixtures/redis-server.js'
import { until } from '../fixtures/until.js'
import { createSnippetApp, readPage, parseSnippets } from './snippets.js'

const page = readPage('docs/redis.md')

/** The headings whose snippets are run by a test below. */
const RUN = new Set<string>()

t.test('one server is one more option', async (t) => {
  const heading = 'Limits in Redis'
  RUN.add(heading)
  const server = await startRedis(t)
  const here = page.replace("redis: 'redis://127.0.0.1:6379'", `redis: '${server.url}', deadline: 5000`)
  const app = await createSnippetApp(t, here, heading)
  t.strictSame(await remainders(app, '/', '/'), [99, 98])
  t.match(await app.rateLimit.health(), { store: 'redis', status: 'ok' })
})

for (const [heading, fields] of [['TLS', ['tls']], ['Passwords that expire', ['tls', 'username', 'password']], ['Sentinel', ['sentinels', 'name']], ['Cluster', ['cluster', 'redisOptions']]] as const) {
  t.test(`nothing is wrong with the settings under "${heading}"`, async (t) => {
    RUN.add(heading)
    const given: object[] = []
    await createSnippetApp(t, page, heading, { createIamToken: null, rateLimitPlugin: async (_: FastifyInstance, options: object) => { given.push(options) }, readFileSync: () => 'an authority' })
    t.equal(given.length, 1)
    const [options]: unknown[] = given
    checkOptions(RateLimitOptionsSchema, options, 'rateLimit')
    t.doesNotThrow(() => checkBackendOptions(options))
    for (const field of fields) t.hasProp(Object(options.redis), field)
  })
}

t.test('a client of one\'s own is used, and stays open for its owner to close', async (t) => {
  const heading = 'A client of your own'
  RUN.add(heading)
  const server = await startRedis(t)
  // With time enough for a busy machine, so that it is Redis that decides.
  const here = page.replaceAll('port: 6379, ...limiter', `port: ${server.port}, ...limiter`).replaceAll("'1 minute', redis }", "'1 hour', deadline: 5000, redis }")
  const app = await createSnippetApp(t, here, heading, { Redis, limiterClientOptions })
  await until('Redis decides', 5000, async () => (await app.rateLimit.health()).status === 'ok')
  t.strictSame(await remainders(app, '/', '/'), [99, 98])
  const reader = new Redis(server.url)
  t.teardown(() => reader.disconnect())
  t.equal((await reader.keys('sluice:*')).length, 1)
})

t.test('the codes and modes are named alike on both pages', async (t) => {
  for (const word of ["'local'", "'open'", "'closed'", 'NOREPLICAS']) {
    t.match(page, word)
    t.match(readPage('docs/failure-modes.md'), word)
  }
})

t.test('each heading with a snippet has a test', async (t) => {
  t.strictSame(new Set(parseSnippets(page).map(({ heading }) => heading)), RUN)
})
