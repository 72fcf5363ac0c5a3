// A connection over TLS takes several round trips. A deadline that is longer than one must be enough for all of them.
import t from 'tap'
import { limitedApp } from '../../fixtures/app.js'
import { startProxy } from '../../fixtures/tcp-proxy.js'
import { until } from '../../fixtures/until.js'
import { limiterClientOptions } from '../../../lib/index.js'
import { createAuthority, skipReason, startTlsRedis } from './authority.js'

const ROUND_TRIP_MS = 350

t.test('TLS over a slow network', { skip: skipReason }, async (t) => {
  const authority = createAuthority(t)
  // Its handshake takes two round trips.
  const { tlsPort } = await startTlsRedis(t, authority, ['--tls-protocols', 'TLSv1.2'])
  const proxy = await startProxy(t, tlsPort)
  proxy.faults.latencyMs = ROUND_TRIP_MS
  const redis = { host: '127.0.0.1', port: proxy.port, tls: { ca: authority.ca } }

  await t.test('the time to connect follows the deadline', async (t) => {
    const { app } = await limitedApp(t, { redis, deadline: 1000, max: 2 })
    await until('Redis decides', 20_000, async () => (await app.rateLimit.health()).status === 'ok')
    t.equal((await app.inject('/')).statusCode, 200)
  })

  await t.test('connectTimeout sets it', async (t) => {
    const { app } = await limitedApp(t, { redis: { ...redis, connectTimeout: 400 }, deadline: 1000, max: 2 })
    await until('the cause', 20_000, async () => (await app.rateLimit.health()).lastError === 'ETIMEDOUT')
  })
})

t.test('the recipe for a client of the application follows the deadline too', async (t) => {
  t.equal(limiterClientOptions().connectTimeout, 700)
  t.equal(limiterClientOptions({ deadline: 50 }).connectTimeout, 700)
  t.equal(limiterClientOptions({ deadline: 1000 }).connectTimeout, 3000)
})
