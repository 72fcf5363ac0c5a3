import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { FastifyInstance, InjectOptions } from 'fastify'
import t, { type Test } from 'tap'
import type { ExplainedOption, LimitStanding, RateLimitOptions, RouteRateLimit, TierOptions } from '../../lib/index.js'
import { durationMs } from '../../lib/config/schema/durations.js'
import { buildRateLimitPlugin } from '../../lib/plugin/plugin.js'
import { byHeaders } from '../fixtures/each-store.js'
import { ManualClock } from '../fixtures/manual-clock.js'
import { bareApp } from '../fixtures/app.js'
import { mute } from '../fixtures/muted.js'
import { scaleToLane } from '../fixtures/lane.js'
import { assertPropertyAsync } from '../fixtures/property.js'

mute(t, 'FST_SLUICE_WARN_UNKNOWN_TIER')

/* What is explained is held against what requests are really counted under, for random layers of random options. */

const some = { requiredKeys: [] }
const single = { max: fc.integer({ min: 0, max: 9 }), timeWindow: fc.constantFrom('1s', '1 minute', 5000), by: fc.constantFrom('ip' as const, 'global' as const), burst: fc.integer({ min: 1, max: 9 }) }
const limit = fc.record({ name: fc.constantFrom('a', 'b'), ...single, mode: fc.constantFrom('shadow' as const, 'enforce' as const) }, { requiredKeys: ['name', 'max', 'timeWindow'] })
const limits = fc.uniqueArray(limit, { minLength: 1, maxLength: 2, selector: ({ name }) => name })
// Mostly whole limits: one field over several limits is an error, and no example.
const limitFields: fc.Arbitrary<TierOptions> = fc.oneof(
  { weight: 4, arbitrary: fc.record(single, { requiredKeys: ['max', 'timeWindow'] }) },
  { weight: 2, arbitrary: fc.record({ max: single.max, by: single.by }, some) },
  { weight: 2, arbitrary: fc.constant({}) },
  fc.record({ max: single.max, timeWindow: single.timeWindow, algorithm: fc.constantFrom('sliding-window' as const, 'fixed-window' as const) }),
  fc.record({ limits })
)
const tiers = fc.dictionary(fc.constantFrom('gold', 'basic'), fc.oneof({ weight: 3, arbitrary: limitFields }, fc.constant(false as const)), { maxKeys: 2 })
const policy: fc.Arbitrary<RouteRateLimit> = fc.tuple(limitFields, fc.record({ tiers, mode: fc.constantFrom('enforce' as const, 'shadow' as const) }, some))
  .map(([own, rest]) => ({ ...own, ...rest }))
const override = fc.record({ override: fc.boolean(), methods: fc.constantFrom('GET', 'POST').map((method) => [method]) }, some)
const matches = fc.constantFrom('/a', '/a0', '/a/1', '/:x', '/a/*', '/api/b')
const rules = fc.uniqueArray(fc.tuple(fc.constantFrom('x', 'y', 'z'), matches, policy, override).map(([name, match, options, more]) => ({ ...options, ...more, name, match })), { minLength: 1, maxLength: 3, selector: ({ name }) => name })
const layer: fc.Arbitrary<RateLimitOptions> = fc.tuple(policy, fc.record({ rules, global: fc.constantFrom(true, true, true, false) }, some)).map(([a, b]) => ({ ...a, ...b }))
const environment = fc.record({ SLUICE_MAX: fc.constantFrom('3', '7'), SLUICE_TIERS__GOLD__MAX: fc.constantFrom('4', '8'), SLUICE_RULES__X__TIME_WINDOW: fc.constantFrom('2s'), SLUICE_MODE: fc.constantFrom('shadow') }, some)
const config = fc.oneof(policy, fc.constantFrom(undefined, undefined, false as const))
const examples = fc.record({ register: layer, file: layer, env: environment, configs: fc.tuple(config, config, config, config) })

type Example = typeof examples extends fc.Arbitrary<infer E> ? E : never

const URLS = ['/a', '/:x', '/a/:id', '/api/b']
const TIERS = ['gold', 'basic', null]
/** What is asked of `explain`, and requests of that kind. */
const asked: ReadonlyArray<readonly [route: string, requests: readonly InjectOptions[]]> = [
  ['GET /a', [{ url: '/a' }, { url: '/a', method: 'HEAD' }]],
  ['HEAD /a', [{ url: '/a', method: 'HEAD' }]],
  ['POST /a', [{ url: '/a', method: 'POST' }]],
  ['GET /:x', [{ url: '/a0' }, { url: '/%61pi' }]],
  ['GET /a/:id', [{ url: '/a/1' }]],
  ['GET /a/1', [{ url: '/a/1' }]],
  ['GET /api/b', [{ url: '/api/b' }]],
  ['GET /no/such/url', [{ url: '/no/such/url' }]],
  ['PUT /a', [{ url: '/a', method: 'PUT' }]]
]

/** An application, and what it decided for its latest request; `null` where the options contradict each other. */
async function appOf (t: Test, { register, file, env, configs }: Example): Promise<{ app: FastifyInstance, latest: () => readonly LimitStanding[] | null } | null> {
  const { app } = bareApp(t, { logger: false })
  let latest: readonly LimitStanding[] | null = null
  try {
    app.addHook('onResponse', async ({ rateLimit }) => { latest = rateLimit === null || rateLimit.outcome === 'exempt' ? null : rateLimit.standings })
    await app.register(buildRateLimitPlugin(new ManualClock(), withoutUnknown(env, register)), { ...register, identify: byHeaders })
    URLS.forEach((url, index) => app.route({ method: url === '/a' ? ['GET', 'POST'] : 'GET', url, config: { rateLimit: configs[index] }, handler: async () => 'hello' }))
    await app.ready()
    await app.rateLimit.reload(file)
  } catch (error) {
    if (error instanceof assert.AssertionError || !(error instanceof Error && 'code' in error && String(error.code).startsWith('FST_SLUICE_'))) throw error
    return null
  }
  return { app, latest: () => latest }
}

/** Without what speaks of a rule that nobody has made. */
function withoutUnknown ({ SLUICE_RULES__X__TIME_WINDOW: window, ...env }: Example['env'], { rules = [] }: RateLimitOptions): NodeJS.ProcessEnv {
  return window === undefined || !rules.some(({ name }) => name === 'x') ? env : { ...env, SLUICE_RULES__X__TIME_WINDOW: window }
}

/** The limits that options come to, as requests would be told of them. */
function limitsIn (options: readonly ExplainedOption[]): string {
  const told = new Map(options.map(({ option, value }) => [option, value]))
  if ([...told].some(([option, value]) => option.startsWith('tiers.') && value === false)) return 'uncounted'
  const prefixes = told.has('max') ? [''] : [0, 1].map((index) => `limits[${index}].`).filter((prefix) => told.has(`${prefix}max`))
  return JSON.stringify(prefixes.map((prefix) => {
    const of = (field: string) => told.get(prefix + field)
    return { name: of('name') ?? 'default', max: of('max'), capacity: of('max') === 0 ? 0 : of('burst') ?? of('max'), windowMs: durationMs(of('timeWindow')), mode: of('mode') ?? told.get('mode') }
  }))
}

function limitsOf (standings: readonly LimitStanding[] | null): string {
  if (standings === null) return 'uncounted'
  return JSON.stringify(standings.map(({ name, max, limit, windowMs, mode }) => ({ name, max, capacity: limit, windowMs, mode })))
}

t.test('what is explained is what requests are counted under', async (t) => {
  const seen = new Map<string, number>()
  await assertPropertyAsync(examples, 120, async (example) => {
    const parts = await appOf(t, example)
    fc.pre(parts !== null)
    const { app, latest } = parts
    for (const [route, requests] of asked) {
      const { state, reason, policies } = app.rateLimit.explain(route)
      seen.set(state, (seen.get(state) ?? 0) + 1)
      for (const tier of TIERS) {
        const expected = policies.map(({ options, tiers }) => limitsIn(tiers.find(({ name }) => name === tier)?.options ?? options))
        if (reason !== null) expected.push('uncounted')
        for (const request of requests) {
          await app.inject({ ...request, headers: tier === null ? {} : { user: 'u', tier } })
          const found = limitsOf(latest())
          assert.ok(state === 'by request' ? expected.includes(found) : expected.length === 1 && expected[0] === found, `${route} as ${tier} holds ${state}: ${expected.join(' or ')} but found ${found}`)
        }
      }
    }
    await app.close()
  })
  for (const holds of ['limited', 'off', 'by request']) t.ok((seen.get(holds) ?? 0) > scaleToLane(10), `${holds} ${seen.get(holds)} times`)
})
