import t from 'tap'
import Fastify from 'fastify'
import { rateLimitPlugin } from '../../lib/index.js'

t.test('what register takes for itself is no unknown option', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(rateLimitPlugin, { max: 1, timeWindow: '1 minute', prefix: '/v1', logLevel: 'warn' })
  t.equal((await app.inject('/')).headers['x-ratelimit-limit'], '1')
})

t.test('two registrations of one name cannot share their keys in Redis', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const redis = 'redis://127.0.0.1:1'
  app.register(async (scope) => { await scope.register(rateLimitPlugin, { max: 1, redis }) })
  app.register(async (scope) => { await scope.register(rateLimitPlugin, { max: 2, redis }) })
  await t.rejects(async () => { await app.ready() }, { code: 'FST_SLUICE_CONTRADICTION', message: /^rateLimit\.name: another registration has the name "app" already/ })
})

t.test('a prefix or a name tells two registrations apart', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const redis = 'redis://127.0.0.1:1'
  app.register(async (scope) => { await scope.register(rateLimitPlugin, { max: 1, redis }) }, { prefix: '/a' })
  app.register(async (scope) => { await scope.register(rateLimitPlugin, { max: 2, redis, name: 'second' }) })
  await app.ready()
})
