// Where Redis is, said rightly. Nothing is connected.
import t from 'tap'
import { Cluster, Redis } from 'ioredis'
import { checkRedisTarget } from '../../../lib/config/backend/redis-target.js'

const node = { host: '127.0.0.1', port: 1 }

const targets: ReadonlyArray<readonly [target: unknown, why: string]> = [
  ['redis://localhost', 'no port'],
  ['REDIS://LOCALHOST:6379', 'a scheme has no case'],
  ['rediss://user:p%40ss@redis.example:6380/3', 'TLS, a user, an escaped password, a database'],
  ['redis://:secret@[::1]:6379/', 'IPv6'],
  ['redis://localhost?family=6&connectTimeout=200', 'options in the query'],
  [{}, 'all defaults'],
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
