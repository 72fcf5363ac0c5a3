import t, { type Test } from 'tap'
import { Redis } from 'ioredis'
import { createClusterApp } from '../../fixtures/cluster-app.js'
import { request, startFleet } from '../../fixtures/fleet.js'
import type { RedisServer } from '../../fixtures/redis-server.js'
import { createAuthority, skipReason, startTlsRedis } from './authority.js'

const DATABASE = 3

/** A connection without TLS, to look at what the limits did; the one user besides is the limits' own. */
async function lookInto (t: Test, server: RedisServer, db: number): Promise<Redis> {
  const client = new Redis({ port: server.port, host: '127.0.0.1', db })
  t.teardown(() => client.disconnect())
  await client.call('ACL', 'SETUSER', 'sluice', 'on', '>p@ss word', '~sluice:*', '+@all')
  return client
}

t.test('limits hold over TLS, with an authority of one\'s own in ioredis\'s options, a user and a database', { skip: skipReason }, async (t) => {
  const authority = createAuthority(t)
  const server = await startTlsRedis(t, authority)
  const operator = await lookInto(t, server, DATABASE)
  const { send, app } = await createClusterApp(t, {
    redis: { host: '127.0.0.1', port: server.tlsPort, username: 'sluice', password: 'p@ss word', db: DATABASE, tls: { ca: authority.ca } },
    max: 2,
    timeWindow: '1 hour'
  })
  t.strictSame([await send('client'), await send('client'), await send('client')], [200, 200, 429])
  t.match(await app.rateLimit.health(), { status: 'ok', lastError: null })
  t.equal(await operator.dbsize(), 1, 'counted in that database')
  t.match(await operator.client('LIST'), /user=sluice/, 'as that user')
})

t.test('a rediss:// URL with a user, a password and a database is enough where the process trusts the authority', { skip: skipReason }, async (t) => {
  const authority = createAuthority(t)
  const server = await startTlsRedis(t, authority)
  const operator = await lookInto(t, server, DATABASE)
  // Node.js reads it once, when a process starts: the test's own has its chance behind it.
  process.env.NODE_EXTRA_CA_CERTS = authority.caFile
  t.teardown(() => { delete process.env.NODE_EXTRA_CA_CERTS })
  const redis = `rediss://sluice:p%40ss%20word@127.0.0.1:${server.tlsPort}/${DATABASE}`
  const [node] = await startFleet(t, [{ redis, routes: { '/': { max: 2, timeWindow: '1 hour' } } }])
  const statuses: number[] = []
  for (let i = 0; i < 3; i++) statuses.push((await request(node, '/')).status)
  t.strictSame(statuses, [200, 200, 429])
  t.equal(await operator.dbsize(), 1, 'counted in that database')
  t.match(await operator.client('LIST'), /user=sluice/, 'as that user')
})
