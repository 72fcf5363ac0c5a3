// `refundOn` of the plugin did not apply to routes with `{ max }`: 200, 200, 429, 429 in place of four times 200.
import t from 'tap'
import { SHARED_FIELDS } from '../../lib/config/schema/policy-fields.js'
import type { RouteRateLimit } from '../../lib/config/schema/policy-schema.js'
import { compilePolicy } from '../../lib/policies/compile.js'
import { builtInDraft, mergePolicy } from '../../lib/policies/policy-draft.js'
import { limitedApp, statuses } from '../fixtures/app.js'

t.test('responses that the plugin refunds are refunded on every route', async (t) => {
  const own: readonly RouteRateLimit[] = [
    { max: 2 }, { timeWindow: '1 hour' }, { max: 2, timeWindow: '1 hour' }, { limits: [{ name: 'a', max: 2, timeWindow: '1 hour' }] },
    { max: 2, groupId: 'group' }, { max: 9, tiers: { anonymous: { max: 2 } } }, { cost: 1 }
  ]
  const { app } = await limitedApp(t, { max: 2, refundOn: ['2xx'], rules: [{ name: 'ruled', match: '/ruled', max: 2 }] })
  own.forEach((rateLimit, index) => app.get(`/${index}`, { config: { rateLimit } }, async () => 'fine'))
  app.get('/ruled', async () => 'fine')
  app.get('/paid', { config: { rateLimit: { max: 2, refundOn: [] } } }, async () => 'fine')
  for (const url of [...own.keys(), 'ruled']) t.strictSame(await statuses(app, 4, `/${url}`), [200, 200, 200, 200], String(url))
  t.strictSame(await statuses(app, 4, '/paid'), [200, 200, 429, 429], 'unless the route has its own refundOn')
})

/** A value for every option that is no limit. */
const values: Readonly<Record<string, unknown>> = {
  cost: 3,
  refundOn: ['2xx'],
  mode: 'shadow',
  leases: { hold: '5s' },
  concurrency: { max: 7, by: 'ip' },
  enforce: { percent: 10 },
  throttle: { maxDelay: '5s' },
  penalty: { cooldown: '3 minutes' },
  hook: 'preHandler',
  failureMode: 'closed',
  keyGenerator: () => 'key',
  errorResponseBuilder: () => ({}),
  onExceeding: () => {},
  onExceeded: () => {},
  onBlocked: () => {}
}

const LIMITS: readonly RouteRateLimit[] = [{ max: 5 }, { max: 5, timeWindow: '1s' }, { limits: [{ name: 'a', max: 5, timeWindow: '1s' }] }, {}]

t.test('every option of the plugin that is no limit is inherited by a route, whatever limits it has', async (t) => {
  // A group names the buckets of the limits that it is given with.
  t.strictSame(Object.keys(values).sort(), SHARED_FIELDS.filter((field) => field !== 'groupId').sort())
  for (const [option, value] of Object.entries(values)) {
    const base = mergePolicy(builtInDraft, { [option]: value }, 'default', 'rateLimit')
    for (const limits of LIMITS) {
      const { options } = mergePolicy(base, limits, 'route:/', 'route')
      t.strictSame(Reflect.get(options, option), value, `${option} under ${JSON.stringify(limits)}`)
    }
  }
  const grouped = mergePolicy(builtInDraft, { groupId: 'group' }, 'default', 'rateLimit')
  t.strictSame(LIMITS.map((limits) => mergePolicy(grouped, limits, 'route:/', 'route').scope), ['route:/', 'route:/', 'route:/', 'group:group'])
})

t.test('the fields of throttle and penalty are inherited one by one', async (t) => {
  const base = mergePolicy(builtInDraft, { throttle: { maxQueued: 7 }, penalty: { cooldown: '3 minutes', strikes: 9 } }, 'default', 'rateLimit')
  const draft = mergePolicy(base, { max: 5, throttle: { maxQueuedPerClient: 2 }, penalty: { strikes: 3 } }, 'route:/', 'route')
  t.match(compilePolicy('app', draft, 'route'), {
    throttle: { maxQueued: 7, maxQueuedPerClient: 2 },
    limits: [{ penalty: { strikes: 3, cooldownUs: 180_000_000 } }]
  })
  const off = mergePolicy(base, { throttle: false, penalty: false }, 'route:/', 'route')
  t.match(compilePolicy('app', off, 'route'), { throttle: null, limits: [{ penalty: null }] })
})
