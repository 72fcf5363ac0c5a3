import { Redis } from 'ioredis'
import t from 'tap'
import { splitRedisTarget, withoutCredentials } from '../../../lib/config/backend/redis-credentials.js'
import type { RedisTarget } from '../../../lib/index.js'

const password = () => 'secret'

const table: ReadonlyArray<readonly [option: RedisTarget, target: unknown, credentials: object]> = [
  ['redis://host:6380/3', { url: 'redis://host:6380/3', query: {} }, {}],
  ['REDISS://user:p%40ss@[::1]:6380/3', { url: 'rediss://[::1]:6380/3', query: {} }, { username: 'user', password: 'p@ss' }],
  ['redis://:secret@host', { url: 'redis://host', query: {} }, { username: '', password: 'secret' }],
  ['redis://user@host', { url: 'redis://host', query: {} }, { username: 'user', password: '' }],
  ['redis://host?password=secret&db=1', { url: 'redis://host', query: { db: 1 } }, { username: undefined, password: 'secret' }],
  // As in ioredis, what stands before the "@" replaces the user and password of the query.
  ['redis://:a@host?username=b&password=b', { url: 'redis://host', query: {} }, { username: '', password: 'a' }],
  [{ host: 'host', port: 1, username: 'user', password }, { host: 'host', port: 1 }, { username: 'user', password }],
  [
    { sentinels: [{ host: 'a', port: 1 }], name: 'b', password, sentinelPassword: 'c' },
    { sentinels: [{ host: 'a', port: 1 }], name: 'b', sentinelPassword: 'c' }, { password }
  ],
  [
    { cluster: ['a'], redisOptions: { tls: {}, username: 'user', password } },
    { cluster: ['a'], redisOptions: { tls: {} } }, { username: 'user', password }
  ],
  [{ cluster: ['a'] }, { cluster: ['a'], redisOptions: {} }, {}]
]

for (const [option, target, credentials] of table) {
  t.test(`the credentials of ${typeof option === 'string' ? option : Object.keys(option)}`, async (t) => {
    const split = splitRedisTarget(option)
    t.same(split.target, target)
    t.same(split.credentials, { username: undefined, password: undefined, ...credentials })
    t.same(withoutCredentials(option), target)
  })
}

t.test('a client keeps its credentials', async (t) => {
  const client = new Redis({ lazyConnect: true, password: 'secret' })
  t.equal(splitRedisTarget(client).target, client)
  t.strictSame(splitRedisTarget(client).credentials, {})
})

t.test('what ioredis makes of a URL, the split makes too', async (t) => {
  for (const [option] of table) {
    if (typeof option !== 'string') continue
    const { options } = new Redis(option.replace('REDISS', 'rediss'), { lazyConnect: true })
    const { username, password } = splitRedisTarget(option).credentials
    t.strictSame([options.username ?? undefined, options.password ?? undefined], [username, password], option)
  }
})
