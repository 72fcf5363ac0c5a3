// Where Redis is, said rightly. Nothing is connected.
import t from 'tap'
import { Cluster, Redis } from 'ioredis'
import { convertRedisTarget } from '../../../lib/config/backend/convert-redis.js'
import { checkRedisTarget } from '../../../lib/config/backend/redis-target.js'

const node = { host: '127.0.0.1', port: 1 }

const targets: ReadonlyArray<readonly [target: unknown, why: string]> = [
  ['redis://localhost', 'no port'],
  ['REDIS://LOCALHOST:6379', 'a scheme has no case'],
  ['rediss://user:p%40ss@redis.example:6380/3', 'TLS, a user, an escaped password, a database'],
  ['redis://:secret@[::1]:6379/', 'IPv6'],
  ['redis://localhost?family=6&connectTimeout=200', 'options in the query'],
  [{}, 'all defaults'],
  [Object.create(null), 'an object without a prototype'],
  [Object.assign(Object.create({ get () {} }), { host: 'a' }), 'an instance of a class that has options'],
  [{ host: 'a', port: '6379', db: '1' }, 'numbers as the environment has them'],
  [{ host: undefined, port: 6379, password: undefined }, 'options that are not given'],
  [{ path: '/run/redis.sock' }, 'a Unix socket'],
  [{ host: 'a', tls: {}, username: 'u', password: '', retryStrategy: null }, 'an empty password; null for off'],
  [{ sentinels: [node, { host: 'b' }], name: 'main', sentinelPassword: 's', password: 'p' }, 'Sentinel with its own password'],
  [{ cluster: [node, 'b:7000'], redisOptions: { password: 'p' }, clusterOptions: { scaleReads: 'master' } }, 'Cluster']
]

for (const [target, why] of targets) {
  t.test(`a target may be: ${why}`, async (t) => {
    checkRedisTarget(target, 'rateLimit.redis')
    t.pass()
  })
}

t.test('a target may be a client of the application, single or Cluster', async () => {
  const single = new Redis({ lazyConnect: true })
  const cluster = new Cluster([node], { lazyConnect: true })
  checkRedisTarget(single, 'rateLimit.redis')
  checkRedisTarget(cluster, 'rateLimit.redis')
  single.disconnect()
  cluster.disconnect()
})

const conversions: ReadonlyArray<readonly [given: unknown, converted: unknown]> = [
  ['redis://localhost/1', 'redis://localhost/1'],
  ['redis://a?connectTimeout=5000&db=2&family=6', { url: 'redis://a', query: { connectTimeout: 5000, db: 2, family: 6 } }],
  ['redis://a?tls=false&lazyConnect=false', { url: 'redis://a', query: { tls: undefined, lazyConnect: false } }],
  ['redis://a?tls=true&connectionName=5', { url: 'redis://a', query: { tls: {}, connectionName: '5' } }],
  [{ port: '1', connectTimeout: '5000', password: '5', tls: false }, { port: 1, connectTimeout: 5000, password: '5', tls: undefined }],
  [{ tls: { ca: 'x' }, host: undefined, retryStrategy: null }, { tls: { ca: 'x' }, host: undefined, retryStrategy: null }],
  [{ sentinels: [{ host: 'a', port: '7' }], name: '5' }, { sentinels: [{ host: 'a', port: 7 }], name: '5' }],
  [
    { cluster: ['a:7', { host: 'a', port: '7' }], redisOptions: { commandTimeout: '9' }, clusterOptions: { maxRedirections: '3' } },
    { cluster: ['a:7', { host: 'a', port: 7 }], redisOptions: { commandTimeout: 9 }, clusterOptions: { maxRedirections: 3 } }
  ]
]

for (const [given, converted] of conversions) {
  t.test(`ioredis is given the types that it requires: ${JSON.stringify(given)}`, async (t) => {
    checkRedisTarget(given, 'rateLimit.redis')
    t.strictSame(convertRedisTarget(given), converted)
  })
}
