// One line at start says which limiter answers, and `health` says the same.
import t, { type Test } from 'tap'
import { Cluster, Redis } from 'ioredis'
import fastify from 'fastify'
import { formatRedisLocation } from '../../lib/config/backend/redis-location.js'
import { splitRedisTarget } from '../../lib/config/backend/redis-credentials.js'
import { rateLimitPlugin, type Health, type RateLimitOptions, type RedisTarget } from '../../lib/index.js'
import { freePort, shareRedis } from '../fixtures/redis-server.js'
import { until } from '../fixtures/until.js'

interface Line extends Health {
  readonly level: number
  readonly msg: string
}

/** Register under a prefix, and wait for the line. */
async function start (t: Test, options: RateLimitOptions, prefix = ''): Promise<{ line: Line, health: Health, text: string, lines: readonly Line[] }> {
  const lines: Line[] = []
  const app = fastify({ logger: { level: 'info', stream: { write: (text: string) => { lines.push(JSON.parse(text)) } } } })
  t.teardown(() => app.close())
  let health: (() => Promise<Health>) | null = null
  await app.register(async (scope) => {
    await scope.register(rateLimitPlugin, options)
    scope.get('/login', { config: { rateLimit: { max: 5, timeWindow: '10s' } } }, async () => 'hello')
    health = () => scope.rateLimit.health()
  }, { prefix })
  await app.ready()
  const isStart = ({ msg }: Line) => msg === 'rate limit: started'
  const line = await until('the line', 10_000, () => lines.find(isStart) ?? null)
  if (health === null) throw new Error('not registered')
  return { line, health: await (health as () => Promise<Health>)(), text: JSON.stringify(lines), lines: lines.filter(isStart) }
}

const LIMITS = { max: 100, timeWindow: '1 minute' }
const UNMOUNTED = { metrics: false, health: false } as const

t.test('in memory', async (t) => {
  const { line, health, lines } = await start(t, { ...LIMITS, tiers: { premium: { max: 1000, timeWindow: '1 hour' } } })
  t.equal(lines.length, 1)
  t.match(line, {
    level: 30,
    status: 'ok',
    store: 'memory',
    location: null,
    breaker: null,
    lastError: null,
    enabled: true,
    limits: ['default: 100 per 1 minute', 'default (premium): 1000 per 1 hour', 'route:GET /login: 5 per 10 seconds'],
    mounted: { metrics: '/metrics', health: '/health/rate-limit', admin: null }
  })
  t.match(line, { ...health, pingMs: Number })
})

t.test('in Redis, with the routes below the prefix', async (t) => {
  const { url } = await shareRedis()
  const { line, health } = await start(t, { ...LIMITS, redis: url, admin: {}, deadline: 5000, name: 'shop', enabled: false }, '/api')
  t.match(line, {
    status: 'ok',
    store: 'redis',
    location: url.replace('redis://', ''),
    breaker: 'closed',
    registration: 'shop',
    enabled: false,
    mounted: { metrics: '/api/metrics', health: '/api/health/rate-limit', admin: '/api/admin/rate-limit' }
  })
  t.match(health, { registration: 'shop', location: line.location, limits: line.limits, mounted: line.mounted })
})

t.test('without a Redis the line comes too, and without a secret', async (t) => {
  const port = await freePort()
  const { line, text } = await start(t, { ...LIMITS, ...UNMOUNTED, redis: `redis://user:topsecret@127.0.0.1:${port}/0?sentinelPassword=topsecret` })
  t.match(line, { level: 30, status: 'degraded', location: `127.0.0.1:${port}`, pingMs: null, mounted: { metrics: null, health: null, admin: null } })
  t.notMatch(text, /topsecret/)
})

t.test('many limits are counted', async (t) => {
  const rules = Array.from({ length: 30 }, (_, index) => ({ name: `rule-${index}`, match: `/${index}`, max: 1, timeWindow: '1s' }))
  const { line } = await start(t, { ...LIMITS, rules })
  t.equal(line.limits.length, 21)
  t.equal(line.limits.at(-1), 'and 12 more')
})

t.test('an application that closes at once logs no line later', async (t) => {
  const lines: string[] = []
  const app = fastify({ logger: { level: 'info', stream: { write: (text: string) => { lines.push(text) } } } })
  await app.register(rateLimitPlugin, { ...LIMITS, redis: { host: '127.0.0.1', port: await freePort(), password: () => new Promise(() => {}) } })
  await app.ready()
  await app.close()
  const count = lines.length
  await new Promise((resolve) => { setTimeout(resolve, 50) })
  t.equal(lines.length, count)
})

const locations: ReadonlyArray<readonly [target: RedisTarget, location: string]> = [
  ['redis://a', 'a:6379'],
  ['rediss://user:topsecret@a:6380/3', 'a:6380/3'],
  ['redis://[::1]:6380?db=2&password=topsecret', '[::1]:6380/2'],
  [{}, 'localhost:6379'],
  [{ host: '::1', port: 1, db: 4, password: 'topsecret' }, '[::1]:1/4'],
  [{ path: '/run/redis.sock', password: () => 'topsecret' }, '/run/redis.sock'],
  [{ sentinels: [{ host: 'a', port: 1 }, { host: 'b' }], name: 'main', sentinelPassword: 'topsecret' }, 'main (sentinels a:1, b:26379)'],
  [{ cluster: [{ host: 'a', port: 1 }, 'b:2', 'redis://user:topsecret@c:3'], redisOptions: { password: 'topsecret' } }, 'cluster a:1, b:2, c:3'],
  [{ cluster: ['redis://user:top@secret@c:3', 'topsecret@d:4'] }, 'cluster c:3, d:4'],
  [new Redis({ host: 'a', port: 2, password: 'topsecret', lazyConnect: true }), 'a:2'],
  [new Redis({ sentinels: [{ host: 'a', port: 1 }], name: 'main', lazyConnect: true }), 'main (sentinels a:1)'],
  [new Cluster([{ host: 'a', port: 1 }, 'b:2', 3], { lazyConnect: true }), 'cluster a:1, b:2, localhost:3']
]

for (const [index, [target, location]] of locations.entries()) {
  t.test(`the place of target ${index} is ${location}`, async (t) => {
    t.equal(formatRedisLocation(splitRedisTarget(target).target), location)
  })
}
