import t from 'tap'
import type { RateLimitOptions } from '../../../lib/index.js'
import { limitedApp, statuses } from '../../fixtures/app.js'
import { until } from '../../fixtures/until.js'
import { createAuthority, skipReason, startTlsRedis } from './authority.js'

t.test('a connection that TLS cannot be made on', { skip: skipReason }, async (t) => {
  const authority = createAuthority(t)
  const stranger = createAuthority(t)
  const { port, tlsPort } = await startTlsRedis(t, authority)
  const host = '127.0.0.1'

  const cases: ReadonlyArray<readonly [why: string, redis: RateLimitOptions['redis'], code: RegExp]> = [
    ['an authority that nobody trusts', `rediss://${host}:${tlsPort}`, /^SELF_SIGNED_CERT_IN_CHAIN$/],
    // Without TLS it would be a closed connection, after the password was sent for all to read.
    ['the same, whatever the case of the scheme', `REDISS://${host}:${tlsPort}`, /^SELF_SIGNED_CERT_IN_CHAIN$/],
    ['a wrong authority', { host, port: tlsPort, tls: { ca: stranger.ca } }, /^(SELF_SIGNED_CERT_IN_CHAIN|CERT_SIGNATURE_FAILURE|UNABLE_TO_VERIFY_LEAF_SIGNATURE)$/],
    ['a certificate for other names', { host, port: tlsPort, tls: { ca: authority.ca, servername: 'elsewhere.example' } }, /^ERR_TLS_CERT_ALTNAME_INVALID$/],
    ['no TLS towards a port that expects it', `redis://${host}:${tlsPort}`, /^(ECONNRESET|CONNECTION)$/],
    // The server waits for the end of a line that never comes.
    ['TLS towards a port that does not speak it', `rediss://${host}:${port}`, /^(ETIMEDOUT|ECONNRESET|ERR_SSL_WRONG_VERSION_NUMBER)$/]
  ]
  for (const [why, redis, code] of cases) {
    t.test(`ends in the failure mode, and the health route names the fault: ${why}`, async (t) => {
      const { app } = await limitedApp(t, { redis, breaker: { failures: 1_000_000 }, max: 2, timeWindow: '1 hour' })
      app.get('/closed', { config: { rateLimit: { groupId: 'closed', failureMode: 'closed' } } }, async () => 'hello')
      t.strictSame(await statuses(app, 3), [200, 200, 429], 'local')
      const refused = await app.inject('/closed')
      t.equal(refused.statusCode, 503, 'closed')
      t.notMatch(refused.body, /CERT|TLS|ECONN/, 'the client hears nothing of it')
      await until('the fault is known', 30_000, async () => {
        await app.inject('/')
        const { statusCode, body } = await app.inject('/health/rate-limit')
        const { status, lastError } = JSON.parse(body)
        return statusCode === 503 && status === 'degraded' && code.test(lastError)
      })
    })
  }
})
