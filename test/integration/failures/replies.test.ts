// Redis answers, but not what was asked for.
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { Redis } from 'ioredis'
import type { RateLimitOptions } from '../../../lib/index.js'
import { startRedis } from '../../fixtures/redis-server.js'
import { startProxy } from '../../fixtures/tcp-proxy.js'
import { countStatus, newClient, SOON_MS, startService, until, type Service } from './outage.js'

/** For a Redis that answers all the while: a busy machine must not make it one that does not. */
const AMPLE_MS = 5000

/** A client that looks at the server from aside. */
async function sideClient (t: Test, url: string): Promise<Redis> {
  const redis = new Redis(url, { maxRetriesPerRequest: 0 })
  t.teardown(() => redis.disconnect())
  await once(redis, 'ready')
  return redis
}

/** A service that Redis decides for, and a client aside. */
async function serviceAtWork (t: Test, args: readonly string[] = [], options: RateLimitOptions = {}): Promise<{ service: Service, redis: Redis }> {
  const server = await startRedis(t, args)
  const redis = await sideClient(t, server.url)
  const service = await startService(t, { redis: server.url, ...options })
  await redisDecides(t, service)
  return { service, redis }
}

async function redisDecides (t: Test, service: Service): Promise<void> {
  await until(t, 'Redis decides', SOON_MS, async () => (await service.visits(1, '/open', newClient()))[0].outcome === 'allowed')
}

async function redisFails (t: Test, service: Service, code: string): Promise<void> {
  await until(t, 'Redis fails', SOON_MS, async () => (await service.visits(1, '/open', newClient()))[0].outcome === 'unavailable')
  const local = await service.visits(15, '/', newClient())
  t.equal(countStatus(local, 200), 10, 'local limits hold')
  const closed = await service.visits(1, '/closed', newClient())
  t.equal(closed[0].status, 503)
  const line = service.log.find(({ source }) => source === 'store')
  t.equal(line?.err?.message, `the store did not answer: error (${code})`)
}

t.test('a connection that is cut in the middle of a reply costs one call, which is not made twice', async (t) => {
  const server = await startRedis(t)
  const proxy = await startProxy(t, server.port)
  const service = await startService(t, { redis: proxy.url, deadline: AMPLE_MS })
  const somebody = newClient()
  for (let i = 0; i < 3; i++) {
    await redisDecides(t, service)
    proxy.faults.resetNextReply = true
    const visits = await service.visits(1, '/open', somebody)
    t.equal(visits[0].outcome, 'unavailable')
  }
  await redisDecides(t, service)
  const left = await service.visits(10, '/open', somebody)
  t.equal(countStatus(left, 200), 7, 'each of the three was charged once')
  t.strictSame(service.log.filter(({ breaker }) => breaker !== undefined), [])
})

t.test('SCRIPT FLUSH costs no request, whenever it comes', async (t) => {
  const { service, redis } = await serviceAtWork(t, [], { max: 1000, deadline: AMPLE_MS })
  for (let i = 0; i < 10; i++) {
    const [, visits] = await Promise.all([redis.script('FLUSH'), service.visits(20, '/closed')])
    t.equal(countStatus(visits, 200), 20)
  }
  const [visit] = await service.visits(1, '/closed')
  t.equal(visit.headers.get('x-ratelimit-remaining'), '799')
})

t.test('FLUSHALL gives new buckets, and no error', async (t) => {
  const { service, redis } = await serviceAtWork(t)
  const somebody = newClient()
  await service.visits(15, '/closed', somebody)
  await redis.flushall()
  await until(t, 'the refusal is forgotten', SOON_MS, async () => (await service.visits(1, '/closed', somebody))[0].status === 200)
})

t.test('Redis out of memory: the failure modes hold, and Redis decides again once there is room', async (t) => {
  const { service, redis } = await serviceAtWork(t, ['--maxmemory-policy', 'noeviction'])
  await redis.config('SET', 'maxmemory', '1mb')
  await redisFails(t, service, 'OOM')
  await redis.config('SET', 'maxmemory', '0')
  await redisDecides(t, service)
})

t.test('Redis a read-only replica of a dead primary: the failure modes hold until it is promoted', async (t) => {
  const { service, redis } = await serviceAtWork(t)
  await redis.replicaof('127.0.0.1', 1)
  await redisFails(t, service, 'READONLY')
  await redis.replicaof('NO', 'ONE')
  await redisDecides(t, service)
})

t.test('a wrong password: the failure modes hold, the log names it, and it is not printed', async (t) => {
  const server = await startRedis(t, ['--requirepass', 'right'])
  const service = await startService(t, { redis: `redis://:wrong-password@127.0.0.1:${server.port}` })
  const [open] = await service.visits(1, '/open')
  t.equal(open.outcome, 'unavailable')
  t.equal(countStatus(await service.visits(15, '/', newClient()), 200), 10)
  t.equal((await service.visits(1, '/closed'))[0].status, 503)
  await until(t, 'the breaker opens', SOON_MS, async () => {
    await service.visits(1, '/open', newClient())
    return service.log.some(({ breaker }) => breaker === 'open')
  })
  t.equal(service.log.find(({ source }) => source === 'store')?.err?.message, 'the store did not answer: deadline (WRONGPASS)')
  t.notMatch(JSON.stringify(service.log), /wrong-password/)
})

t.test('CLIENT PAUSE: the failure modes hold, and late charges are the only trace', async (t) => {
  const { service, redis } = await serviceAtWork(t)
  await redis.client('PAUSE', 3000)
  await until(t, 'Redis fails', SOON_MS, async () => (await service.visits(1, '/open', newClient()))[0].outcome === 'unavailable')
  t.equal(countStatus(await service.visits(15, '/', newClient()), 200), 10)
  await redisDecides(t, service)
})

t.test('a key of a wrong type fails alone: the breaker stays closed, and other clients are counted', async (t) => {
  const { service, redis } = await serviceAtWork(t, [], { keyPrefix: 'wrong-type:', deadline: AMPLE_MS })
  const victim = newClient()
  await service.visits(1, '/open', victim)
  const [key] = await redis.keys(`wrong-type:*:${victim.client}}*`)
  await redis.del(key)
  await redis.lpush(key, 'not a bucket')
  for (let i = 0; i < 20; i++) await service.visits(1, '/open', victim)
  const [other] = await service.visits(1, '/open', newClient())
  t.equal(other.outcome, 'allowed')
  t.strictSame(service.log.filter(({ breaker }) => breaker !== undefined), [])
})

t.test('a damaged value is replaced and logged: its client is counted from there, and the breaker stays closed', async (t) => {
  const { service, redis } = await serviceAtWork(t, [], { keyPrefix: 'damaged:', deadline: AMPLE_MS })
  const victim = newClient()
  await service.visits(1, '/open', victim)
  const [key] = await redis.keys(`damaged:*:${victim.client}}*`)
  for (let i = 0; i < 20; i++) {
    await redis.set(key, 'not a bucket')
    const [visit] = await service.visits(1, '/open', victim)
    t.equal(visit.headers.get('x-ratelimit-remaining'), '9')
  }
  t.ok(await redis.pttl(key) > 0)
  t.match(service.log, [{ source: 'store', err: { message: 'the store did not answer: error (DAMAGED)' } }], 'once a minute')
})
