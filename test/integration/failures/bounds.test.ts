// What is bounded: calls while the breaker is open, requests that wait, operators' calls while Redis hangs.
import { once } from 'node:events'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { FastifyInstance } from 'fastify'
import { startRedis, type RedisServer } from '../../fixtures/redis-server.js'
import { DEADLINE_MS, MARGIN_MS, newClient, SOON_MS, startService, until } from './outage.js'

async function scriptCalls (redis: Redis): Promise<number> {
  const stats = await redis.info('commandstats')
  return [...stats.matchAll(/cmdstat_(?:evalsha|eval):calls=(\d+)/g)].reduce((total, [, calls]) => total + Number(calls), 0)
}

async function watched (t: Test, server: RedisServer): Promise<Redis> {
  const redis = new Redis(server.url, { maxRetriesPerRequest: 0 })
  t.teardown(() => redis.disconnect())
  await once(redis, 'ready')
  return redis
}

async function allowed (app: FastifyInstance): Promise<boolean> {
  return (await app.inject({ url: '/open', headers: newClient() })).body === 'allowed'
}

t.test('no call is made while the breaker is open, and then one probe', async (t) => {
  const server = await startRedis(t, ['--maxmemory-policy', 'noeviction'])
  const redis = await watched(t, server)
  const { app, log } = await startService(t, { redis: server.url, breaker: { failures: 3, within: '1 minute', openFor: '4s' } })
  await until(t, 'Redis decides', SOON_MS, () => allowed(app))
  await redis.config('SET', 'maxmemory', '1')
  await until(t, 'the breaker opens', SOON_MS, async () => {
    await allowed(app)
    return log.some(({ breaker }) => breaker === 'open')
  })
  const opened = performance.now()
  const before = await scriptCalls(redis)
  while (performance.now() - opened < 700) await Promise.all(Array.from({ length: 20 }, () => allowed(app)))
  t.equal(await scriptCalls(redis), before, 'while it is open')
  await until(t, 'a probe', SOON_MS, async () => {
    await Promise.all(Array.from({ length: 50 }, () => allowed(app)))
    return log.filter(({ breaker }) => breaker === 'open').length === 2
  })
  const probed = await scriptCalls(redis) - before
  t.equal(probed, 1, 'of 50 requests at once one call leaves')
  t.strictSame(log.flatMap(({ breaker }) => breaker ?? []), ['open', 'half-open', 'open'], 'every change is logged')
})

t.test('past maxPending the failure mode applies at once', async (t) => {
  const server = await startRedis(t)
  const { app } = await startService(t, { redis: server.url, maxPending: 5, deadline: 3000 })
  await until(t, 'Redis decides', SOON_MS, () => allowed(app))
  server.signal('SIGSTOP')
  const waiting = Array.from({ length: 5 }, () => allowed(app))
  let answered = 0
  for (const one of waiting) one.then(() => { answered++ }, t.threw)
  const refused = await Promise.all(Array.from({ length: 100 }, () => app.inject({ url: '/closed', headers: newClient() })))
  t.equal(refused.filter(({ statusCode }) => statusCode === 503).length, 100)
  t.equal(answered, 0, 'before the first deadline')
  t.strictSame(await Promise.all(waiting), Array(5).fill(false))
  server.signal('SIGCONT')
  await until(t, 'the room is given back', SOON_MS, async () => (await Promise.all(Array.from({ length: 5 }, () => allowed(app)))).every(Boolean))
})

t.test('peek and reset reject with a code within the deadline while Redis hangs, and health tells of it', async (t) => {
  const server = await startRedis(t)
  const { app, url } = await startService(t, { redis: server.url })
  await until(t, 'Redis decides', SOON_MS, () => allowed(app))
  server.signal('SIGSTOP')
  for (const ask of [() => app.rateLimit.peek('key:a'), () => app.rateLimit.reset('key:a')]) {
    const began = performance.now()
    const error = await ask().then(() => null, (error) => error)
    t.equal(error?.code, 'FST_SLUICE_STORE')
    t.equal(error?.statusCode, 503)
    const ms = performance.now() - began
    t.ok(ms < DEADLINE_MS + MARGIN_MS, `after ${ms.toFixed(0)} ms`)
  }
  const began = performance.now()
  const response = await fetch(`${url}/health/rate-limit`)
  const ms = performance.now() - began
  t.equal(response.status, 503)
  t.match(await response.json(), { status: 'degraded', store: 'redis', pingMs: null })
  t.ok(ms < DEADLINE_MS + MARGIN_MS, `after ${ms.toFixed(0)} ms`)
})
