// Names such as RATE_LIMIT_MAX are many an application's own: they stopped the start, or changed a limit.
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import type { RateLimitOptions } from '../../lib/index.js'
import { buildRateLimitPlugin } from '../../lib/plugin/plugin.js'
import { ManualClock } from '../fixtures/manual-clock.js'

const env = { RATE_LIMIT_WINDOW_MS: '60000', RATE_LIMIT_MAX: '100', SLUICE_MAX: '5', API_MAX: '6' }

async function findLimit (t: Test, options: RateLimitOptions): Promise<number> {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(buildRateLimitPlugin(new ManualClock(), env), { max: 7, timeWindow: '1 minute', ...options })
  app.get('/', async () => 'ok')
  return Number((await app.inject('/')).headers['x-ratelimit-limit'])
}

const rows: ReadonlyArray<readonly [options: RateLimitOptions, limit: number, why: string]> = [
  [{}, 5, 'the prefix of the plugin is SLUICE_'],
  [{ environment: false }, 7, 'no variable is read'],
  [{ environment: 'API_' }, 6, 'another prefix'],
  [{ environment: 'NOTHING_' }, 7, 'a prefix of no variable']
]

for (const [options, limit, why] of rows) {
  t.test(why, async (t) => { t.equal(await findLimit(t, options), limit) })
}

t.test('a prefix that could be read by mistake is refused', async (t) => {
  for (const environment of ['', 'SLUICE', 'sluice_', '_', 'A B_']) {
    await t.rejects(findLimit(t, { environment }), { code: 'FST_SLUICE_BAD_OPTION', message: /^rateLimit\.environment: expected false, or a prefix such as "SLUICE_"/ }, environment)
  }
})
