// Unmet need 7 of the peers' users: limit and window per tier, from a JWT or an API key, without code in the hot path.
import fastifyJwt from '@fastify/jwt'
import t from 'tap'
import type { RateLimitOptions } from '../../../lib/index.js'
import { shareRedis } from '../../fixtures/redis-server.js'
import { SECRET, createToken } from '../../fixtures/tokens.js'
import { startService } from './service.js'

const tiers = { anonymous: { max: 1 }, premium: { max: 6, timeWindow: '2 hours' }, internal: false } as const

t.test('a token\'s tier decides over limit and window, on every instance', async (t) => {
  const { url } = await shareRedis()
  const options: RateLimitOptions = {
    redis: url, deadline: 5000, failureMode: 'closed', headers: 'both', max: 3, timeWindow: '1 hour', identify: { jwt: { tierClaim: 'app.plan' } }, tiers
  }
  const start = async () => await startService(t, options, (app) => { app.get('/', async () => 'hello') }, async (app) => { await app.register(fastifyJwt, { secret: SECRET }) })
  const [first, second] = [await start(), await start()]
  const as = (sub: string, plan?: string, secret = SECRET) => ({ headers: { authorization: `Bearer ${createToken({ sub, app: { plan } }, { secret })}` } })

  t.strictSame(await first.statuses(2, as('1')), [200, 200])
  t.strictSame(await second.statuses(2, as('1')), [200, 429], 'the standard tier')
  const { headers } = await second.send(as('2', 'premium'))
  t.equal(headers['ratelimit-policy'], '"default";q=6;w=7200')
  t.strictSame(await first.statuses(6, as('2', 'premium')), [200, 200, 200, 200, 200, 429])
  t.strictSame(await first.statuses(9, as('3', 'internal')), Array(9).fill(200))
  t.strictSame(await first.statuses(1), [200], 'nobody')
  t.strictSame(await second.statuses(1, as('3', 'internal', 'another secret, of about the same length')), [429], 'who forges a tier is nobody')
})

t.test('so does an API key\'s', async (t) => {
  const plans = new Map([['key-1', { id: 'acme', tier: 'premium' }], ['key-2', { id: 'lone' }]])
  const { statuses } = await startService(t, {
    max: 3, timeWindow: '1 hour', identify: { custom: async ({ headers }) => plans.get(String(headers['x-api-key'])) }, tiers
  }, (app) => { app.get('/', async () => 'hello') })
  const by = (key: string) => ({ headers: { 'x-api-key': key } })
  t.strictSame(await statuses(7, by('key-1')), [200, 200, 200, 200, 200, 200, 429])
  t.strictSame(await statuses(4, by('key-2')), [200, 200, 200, 429])
  t.strictSame(await statuses(2, by('stolen')), [200, 429])
})
