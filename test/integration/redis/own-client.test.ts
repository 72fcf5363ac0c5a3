// A client of the user's: what it was set to holds for our calls too.
import { once } from 'node:events'
import { Redis } from 'ioredis'
import t from 'tap'
import Fastify from 'fastify'
import { rateLimitPlugin } from '../../../lib/index.js'
import { shareRedis } from '../../fixtures/redis-server.js'

const { url } = await shareRedis()

for (const keyPrefix of ['', 'shop:', 'lädchen:']) {
  t.test(`a client that puts "${keyPrefix}" before every key`, async (t) => {
    const client = new Redis(url, { keyPrefix })
    const reader = new Redis(url)
    const app = Fastify()
    t.teardown(async () => {
      await app.close()
      client.disconnect()
      reader.disconnect()
    })
    if (client.status !== 'ready') await once(client, 'ready')
    await reader.flushdb()
    await app.register(rateLimitPlugin, { max: 2, timeWindow: '1 hour', redis: client, keyPrefix: 'grenze:' })
    app.get('/', async () => 'hello')
    const statuses = []
    for (let sent = 0; sent < 3; sent++) statuses.push((await app.inject('/')).statusCode)
    t.strictSame(statuses, [200, 200, 429])
    t.match(await reader.keys('*'), [new RegExp(`^${keyPrefix}grenze:\\{127\\.0\\.0\\.1\\}:`)])
    t.equal(await app.rateLimit.reset('ip:127.0.0.1'), 1)
    t.equal((await app.inject('/')).statusCode, 200)
  })
}

t.test('a prefix of ours that is no ASCII', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(rateLimitPlugin, { max: 1, timeWindow: '1 hour', redis: url, deadline: 5000, keyPrefix: 'größe→' })
  app.get('/', async () => 'hello')
  t.strictSame([(await app.inject('/')).statusCode, (await app.inject('/')).statusCode], [200, 429])
})
