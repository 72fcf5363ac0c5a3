import t from 'tap'
import { createQuota } from '../../../lib/algorithms/quota.js'
import { mergeTraffic } from '../../../lib/observability/traffic/merge-traffic.js'
import type { Traffic } from '../../../lib/observability/traffic/traffic.js'
import type { LimitView } from '../../../lib/observability/traffic/traffic-views.js'
import type { RouteRateLimit } from '../../../lib/index.js'
import { compilePolicy } from '../../../lib/policies/compile.js'
import { builtInDraft, mergePolicy } from '../../../lib/policies/policy-draft.js'
import type { Limit } from '../../../lib/stores/store.js'
import { limitOf } from '../../fixtures/limits.js'
import { createPolicy, createRecorded, createStanding, createTraffic } from '../../fixtures/traffic.js'

const route = { url: '/' }

function readLimits (traffic: Traffic): readonly LimitView[] {
  return mergeTraffic([traffic.summarize()], 0).limits
}

function compile (options: RouteRateLimit) {
  return compilePolicy('app', mergePolicy(builtInDraft, options, 'own', 'route'), 'route')
}

t.test('refusals of each limit are exact, also beyond the requests that are looked at', async (t) => {
  const { traffic } = createTraffic(t)
  const limit = limitOf()
  const shadow = limitOf({ bucket: 'app/shadow', mode: 'shadow' })
  const policy = createPolicy([limit, shadow])
  for (let i = 0; i < 5000; i++) {
    const standings = [createStanding(limit, { granted: i % 5 > 0 }), createStanding(shadow, { granted: i % 2 > 0 })]
    traffic.record(route, createRecorded(i % 5 > 0 ? 'allowed' : 'rejected', undefined, policy), standings)
  }
  t.strictSame(readLimits(traffic).map(({ mode, refused }) => [mode, refused]), [['shadow', 2500], ['enforce', 1000]])
})

t.test('the limit with the least left is counted, an enforced one beside one in shadow mode', async (t) => {
  const { traffic } = createTraffic(t)
  const [wide, narrow] = [limitOf({ bucket: 'wide', max: 100 }), limitOf({ bucket: 'narrow', max: 10 })]
  const shadow = limitOf({ bucket: 'shadow', mode: 'shadow' })
  const policy = createPolicy([wide, narrow, shadow])
  const record = (...left: readonly [wide: number, narrow: number, shadow: number]) => {
    const standings = [wide, narrow, shadow].map((limit, index) => createStanding(limit, { remaining: left[index] }))
    traffic.record(route, createRecorded('allowed', undefined, policy), standings)
  }
  record(10, 2, 0)
  record(10, 2, 9)
  record(10, 2, 9)
  const bound = Object.fromEntries(readLimits(traffic).map((limit) => [limit.bucket, limit.bound]))
  t.strictSame(bound, { wide: 3, narrow: 0, shadow: 1 })
})

t.test('the use of a limit is a histogram in tenths', async (t) => {
  const { traffic } = createTraffic(t)
  const limit = limitOf({ max: 10 })
  for (let remaining = 10; remaining >= 0; remaining--) {
    traffic.record(route, createRecorded('allowed', undefined, createPolicy([limit])), [createStanding(limit, { remaining })])
  }
  t.strictSame(readLimits(traffic)[0].utilisation, [1, 1, 1, 1, 1, 1, 1, 1, 1, 2])
})

t.test('estimates of many requests come close to the truth', async (t) => {
  const { traffic } = createTraffic(t)
  const limit = limitOf({ max: 10 })
  for (let i = 0; i < 100_000; i++) {
    const standing = createStanding(limit, { remaining: i % 4 === 0 ? 10 : 1 })
    traffic.record(route, createRecorded('allowed', undefined, createPolicy([limit])), [standing])
  }
  const [{ utilisation, bound }] = readLimits(traffic)
  t.ok(Math.abs(utilisation[0] - 25_000) < 2500, String(utilisation[0]))
  t.ok(Math.abs(utilisation[9] - 75_000) < 2500, String(utilisation[9]))
  t.equal(bound, utilisation[0] + utilisation[9])
})

const views: ReadonlyArray<readonly [options: RouteRateLimit, expected: Partial<LimitView>, why: string]> = [
  [{ max: 5, timeWindow: 60_000 }, { name: 'default', scope: 'own', tier: null, max: 5, windowMs: 60_000, canSimulate: true }, 'a plain limit'],
  [{ mode: 'shadow', max: 5, timeWindow: 1000 }, { name: 'default', mode: 'shadow', canSimulate: true }, 'in shadow mode'],
  [{ max: 5, timeWindow: '1 day' }, { windowMs: 86_400_000, canSimulate: false }, 'a window longer than what is kept'],
  [{ limits: [{ name: 'monthly', max: 9, period: 'month' }] }, { name: 'monthly', windowMs: null, period: 'month', canSimulate: false }, 'a quota']
]

for (const [options, expected, why] of views) {
  t.test(`a limit is described: ${why}`, async (t) => {
    const { traffic } = createTraffic(t)
    const policy = compile(options)
    const [limit] = policy.limits
    traffic.record(route, createRecorded('allowed', undefined, policy), [createStanding(limit)])
    t.match(readLimits(traffic), [{ ...expected, bucket: limit.bucket, isConcurrency: false, inFlight: null }])
  })
}

t.test('limits of tiers are named with the tier', async (t) => {
  const { traffic } = createTraffic(t)
  const tier = compile({ tiers: { gold: { max: 50, concurrency: { max: 3 } } } }).tiers?.get('gold')
  if (tier == null || tier.concurrency === null) throw new Error('no tier')
  const limits = [...tier.limits, tier.concurrency.limit]
  traffic.record(route, createRecorded('allowed', undefined, tier), limits.map((limit) => createStanding(limit)))
  t.strictSame(readLimits(traffic).map(({ scope, tier, name, max }) => [scope, tier, name, max]).sort(), [['own', 'gold', 'concurrency', 3], ['own', 'gold', 'default', 50]])
})

t.test('slots in use are shown', async (t) => {
  const { traffic } = createTraffic(t)
  const policy = compile({ concurrency: { max: 3 } })
  if (policy.concurrency === null) throw new Error('no limit of requests in flight')
  policy.concurrency.usage.begin()
  policy.concurrency.usage.begin()
  traffic.record(route, createRecorded('allowed', undefined, policy), [createStanding(policy.concurrency.limit)])
  t.match(readLimits(traffic), [{ name: 'concurrency', isConcurrency: true, inFlight: 2, max: 3, windowMs: null, canSimulate: false }])
})

t.test('limits are bounded, and idle ones make room', async (t) => {
  const { traffic, clock } = createTraffic(t)
  const limit = (index: number): Limit => ({ ...createQuota('token-bucket', 10, 1000), name: 'a', bucket: `${index}`, by: 'client', mode: 'enforce', penalty: null })
  const record = (one: Limit) => { traffic.record(route, createRecorded('rejected', undefined, createPolicy([one])), [createStanding(one, { granted: false })]) }
  for (let i = 0; i < 300; i++) record(limit(i))
  t.equal(traffic.whatIf('99', 5)?.limit, undefined, 'no sample past the bound of samples')
  t.equal(traffic.whatIf('3', 5)?.limit, '3')
  t.ok(readLimits(traffic).length > 20)
  clock.advance(3_600_000_000)
  t.strictSame(readLimits(traffic), [])
  record(limit(299))
  t.equal(traffic.whatIf('299', 5)?.requests, 1)
})
