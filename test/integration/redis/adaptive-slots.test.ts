// Limits that follow latency, beside rates in Redis: each process counts by itself, also while Redis cannot answer.
import fastify, { type FastifyInstance } from 'fastify'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { rateLimitPlugin } from '../../../lib/index.js'
import { startRedis } from '../../fixtures/redis-server.js'
import { until } from '../../fixtures/until.js'

interface Instance {
  readonly app: FastifyInstance
  readonly finish: () => void
  readonly inHandler: () => number
}

async function instance (t: Test, url: string): Promise<Instance> {
  const app = fastify()
  const waiting: Array<() => void> = []
  t.teardown(() => app.close())
  await app.register(rateLimitPlugin, { name: 'adaptive', redis: url, deadline: 1000, max: 100, timeWindow: '1 hour', concurrency: { max: 'adaptive', limit: 2 } })
  app.get('/', () => new Promise((resolve) => { waiting.push(() => { resolve('done') }) }))
  await until('Redis decides', 30_000, async () => (await app.rateLimit.health()).status === 'ok')
  return { app, inHandler: () => waiting.length, finish: () => { for (const finish of waiting.splice(0)) finish() } }
}

/** Send three requests at once and let the handlers return. Returns the statuses. */
async function sendThree ({ app, inHandler, finish }: Instance): Promise<number[]> {
  const pending = Array.from({ length: 3 }, () => app.inject('/'))
  const [first] = await Promise.all([Promise.race(pending), until('two in the handler', 30_000, async () => inHandler() === 2)])
  t.equal(first.statusCode, 503)
  finish()
  return (await Promise.all(pending)).map(({ statusCode }) => statusCode).sort()
}

t.test('two processes have slots of their own and share the rate; an outage changes no count', async (t) => {
  const server = await startRedis(t)
  const [one, other] = [await instance(t, server.url), await instance(t, server.url)]
  t.strictSame(await sendThree(one), [200, 200, 503])
  t.strictSame(await sendThree(other), [200, 200, 503])
  t.match(await one.app.rateLimit.peek('ip:127.0.0.1'), [{ remaining: 96 }], 'a refusal for a slot charges no rate')
  const client = new Redis(server.url)
  t.strictSame((await client.keys('*')).filter((key) => key.includes('concurrency')), [], 'Redis knows nothing of the slots')
  client.disconnect()
  await server.stop()
  t.strictSame(await sendThree(one), [200, 200, 503])
  t.strictSame(await sendThree(one), [200, 200, 503], 'every slot was given back')
})
