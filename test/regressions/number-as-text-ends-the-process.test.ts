// A timer of ioredis threw outside any promise, because the query of a URL had given it a text as its time.
import t from 'tap'
import Fastify from 'fastify'
import { rateLimitPlugin } from '../../lib/index.js'
import { startRedis } from '../fixtures/redis-server.js'

const server = await startRedis(t)

for (const redis of [
  `${server.url}?connectTimeout=5000&commandTimeout=5000&keepAlive=1000&tls=false`,
  { host: '127.0.0.1', port: server.port, connectTimeout: '5000', socketTimeout: '5000' } as object
]) {
  t.test(`numbers and booleans as text: ${JSON.stringify(redis).slice(0, 12)}`, async (t) => {
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(rateLimitPlugin, { max: 1, redis, deadline: 5000, failureMode: 'closed' })
    app.get('/', async () => 'hello')
    t.strictSame([(await app.inject('/')).statusCode, (await app.rateLimit.health()).lastError], [200, null])
    await app.rateLimit.reset('ip:127.0.0.1')
  })
}
