import t from 'tap'
import Fastify from 'fastify'
import { rateLimitPlugin } from '../../lib/index.js'

t.test('what register takes for itself is no unknown option', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(rateLimitPlugin, { max: 1, timeWindow: '1 minute', prefix: '/v1', logLevel: 'warn' })
  t.equal((await app.inject('/')).headers['x-ratelimit-limit'], '1')
})
