// What docs/leases.md says. The bound itself is proved by test/integration/redis/leases.test.ts and the model.
import { Redis } from 'ioredis'
import t from 'tap'
import { MAX_HOLD_US, MIN_HOLD_US, MIN_LEASED_CAPACITY } from '../../lib/algorithms/lease.js'
import { policyOptions } from '../../lib/config/schema/policy-schema.js'
import { limiterClientOptions, type UnleasedReason } from '../../lib/index.js'
import { MIN_DEMAND } from '../../lib/stores/lease/sizing.js'
import { startRedis } from '../fixtures/redis-server.js'
import { createSnippetApp, parseSnippets, readPage } from './snippets.js'

const page = readPage('docs/leases.md')

/** The headings whose snippets are run by a test below. */
const RUN = new Set<string>()

const REASONS: Readonly<Record<UnleasedReason, true>> = {
  off: true,
  'no-redis': true,
  'client-resends': true,
  'sliding-window': true,
  calendar: true,
  throttled: true,
  small: true,
  short: true,
  'by-function': true,
  concurrency: true,
  'beside-exact': true
}

t.test('the settings are those of a limit that is leased', async (t) => {
  const server = await startRedis(t)
  for (const [heading, here] of [
    ['Leases', page.replace("redis: 'redis://127.0.0.1:6379'", `redis: '${server.url}'`)],
    ['A client of your own', page.replace('port: 6379', `port: ${server.port}`)]
  ] as const) {
    RUN.add(heading)
    const app = await createSnippetApp(t, here, heading, { Redis, limiterClientOptions })
    t.strictSame(app.rateLimit.explain().policies[0].leases, [{ limit: 'default', isLeased: true, reason: null }], heading)
  }
})

t.test('the table has every reason', async (t) => {
  const [, section] = page.split('## Which limits are leased')
  const [table] = section.split('\n## ')
  t.strictSame(Array.from(table.matchAll(/^\| `([a-z-]+)` \|/gm), ([, reason]) => reason).filter((reason) => reason !== 'reason'), Object.keys(REASONS))
})

t.test('the numbers are those of the code', async (t) => {
  t.strictSame([MIN_HOLD_US, MAX_HOLD_US, MIN_LEASED_CAPACITY, MIN_DEMAND], [40_000, 10_000_000, 64, 8])
  t.match(page, '40 ms to 10 s')
  t.match(page, 'fewer than 64 units')
  t.match(page, 'busy if 8 units')
  t.equal(policyOptions.leases.default, false)
  t.match(page, '`{ hold: \'4s\' }`')
})

t.test('every snippet was run', async (t) => {
  t.strictSame(parseSnippets(page).map(({ heading }) => heading).filter((heading) => !RUN.has(heading)), [])
})
