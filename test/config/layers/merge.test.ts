import t from 'tap'
import type { LayerOptions } from '../../../lib/config/layers/layer.js'
import { mergeLayers } from '../../../lib/config/layers/merge.js'
import type { TierOptions } from '../../../lib/config/schema/policy-schema.js'
import type { RateLimitOptions } from '../../../lib/config/schema/options-schema.js'
import { createEnvironmentLayer, createFileLayer, createLayers, RULE } from '../../fixtures/layers.js'

type Row = readonly [why: string, layers: readonly [RateLimitOptions, ...LayerOptions[]], expected: RateLimitOptions]

const several = [{ name: 'burst', max: 20, timeWindow: '1s' }, { name: 'hourly', max: 5000, timeWindow: '1h' }]
const hourly = { name: 'hourly', max: 5000, timeWindow: '1h' }
const byPlan = () => 5
const bySize = () => 50

function table (title: string, rows: readonly Row[]): void {
  for (const [why, layers, expected] of rows) {
    t.test(`${title}: ${why}`, async (t) => {
      t.strictSame(mergeLayers(createLayers(...layers)).options, expected)
    })
  }
}

table('the limits of a policy', [
  ['one field changes that field', [{ max: 100, timeWindow: '1 minute' }, { max: 200 }], { max: 200, timeWindow: '1 minute' }],
  ['the highest layer wins', [{ max: 100, timeWindow: 1000 }, { max: 200 }, { max: 300 }], { max: 300, timeWindow: 1000 }],
  ['each layer may give another field', [{ by: 'ip' }, { max: 200 }, { timeWindow: '1s' }], { by: 'ip', max: 200, timeWindow: '1s' }],
  ['undefined is not given', [{ max: 100 }, { max: undefined }], { max: 100 }],
  ['zero is given', [{ max: 100 }, { max: 0 }], { max: 0 }],
  ['a function is a value', [{ max: byPlan }, { timeWindow: '1s' }], { max: byPlan, timeWindow: '1s' }],
  ['a number replaces a function', [{ max: byPlan }, { max: 5 }], { max: 5 }],
  ['a new max drops the burst of the old one, which would loosen it', [{ max: 100, burst: 50 }, { max: 10 }], { max: 10 }],
  ['a new max keeps a burst of its own', [{ max: 100, burst: 50 }, { max: 10, burst: 5 }], { max: 10, burst: 5 }],
  ['a new timeWindow keeps the burst, which is no rate', [{ max: 100, burst: 50 }, { timeWindow: '1s' }], { max: 100, burst: 50, timeWindow: '1s' }],
  ['windows have no burst', [{ max: 100, burst: 50 }, { algorithm: 'sliding-window' }], { max: 100, algorithm: 'sliding-window' }],
  ['a token bucket keeps its burst', [{ max: 100, burst: 50 }, { algorithm: 'token-bucket' }], { max: 100, burst: 50, algorithm: 'token-bucket' }],
  ['max with timeWindow replaces several limits', [{ limits: several }, { max: 5, timeWindow: '1s' }], { max: 5, timeWindow: '1s' }],
  ['max with timeWindow replaces a burst', [{ max: 9, timeWindow: '1s', burst: 20 }, { max: 5, timeWindow: '1s' }], { max: 5, timeWindow: '1s' }],
  ['max with timeWindow keeps algorithm and by, as it does on a route', [{ limits: several, algorithm: 'fixed-window', by: 'ip' }, { max: 5, timeWindow: '1s' }], { max: 5, timeWindow: '1s', algorithm: 'fixed-window', by: 'ip' }],
  ['limits replace max, timeWindow and burst', [{ max: 9, timeWindow: '1s', burst: 20, by: 'ip' }, { limits: several }], { limits: several, by: 'ip' }],
  ['limits replace limits whole', [{ limits: several }, { limits: [hourly] }], { limits: [hourly] }],
  ['a limit keeps the cost of the lower one of its name, which may be a function', [{ limits: [{ ...hourly, cost: bySize, onUnsettled: 'refund' }] }, { limits: [{ ...hourly, max: 10 }] }], { limits: [{ cost: bySize, onUnsettled: 'refund', ...hourly, max: 10 }] }],
  ['a limit of a rule and of a tier too', [
    { rules: [{ ...RULE.a, limits: [{ ...hourly, cost: bySize }] }], tiers: { gold: { limits: [{ ...hourly, cost: bySize }] } } },
    { rules: [{ name: 'a', limits: [{ ...hourly, max: 10 }] }], tiers: { gold: { limits: [{ ...hourly, max: 9 }] } } }
  ], {
    rules: [{ ...RULE.a, algorithm: 'token-bucket', by: 'client', limits: [{ cost: bySize, ...hourly, max: 10 }] }],
    tiers: { gold: { algorithm: 'token-bucket', by: 'client', limits: [{ cost: bySize, ...hourly, max: 9 }] } }
  }],
  ['unless it has a cost itself', [{ limits: [{ ...hourly, cost: bySize, onUnsettled: 'refund' }] }, { limits: [{ ...hourly, cost: 2, onUnsettled: 'count' }] }], { limits: [{ ...hourly, cost: 2, onUnsettled: 'count' }] }],
  ['a limit of another name has its own', [{ limits: [{ ...hourly, cost: bySize }] }, { limits: several }], { limits: [several[0], { cost: bySize, ...hourly }] }],
  ['one field changes the only one of limits, whose cost stays', [{ limits: [{ ...hourly, cost: bySize }] }, { max: 10 }], { limits: [{ ...hourly, cost: bySize, max: 10 }] }],
  ['one field changes the only one of limits', [{ limits: [hourly] }, { max: 10 }], { limits: [{ ...hourly, max: 10 }] }],
  ['a new max drops the burst of the only one', [{ limits: [{ ...hourly, burst: 9 }] }, { max: 10 }], { limits: [{ ...hourly, max: 10 }] }],
  ['a window has no burst there either', [{ limits: [{ ...hourly, burst: 9 }] }, { algorithm: 'fixed-window' }], { limits: [hourly], algorithm: 'fixed-window' }],
  ['the algorithm of the only one gives way', [{ limits: [{ ...hourly, algorithm: 'fixed-window', by: 'ip' }] }, { algorithm: 'token-bucket' }], { limits: [{ ...hourly, by: 'ip' }], algorithm: 'token-bucket' }],
  ['the only one stays on trial', [{ limits: [{ ...hourly, mode: 'shadow' }] }, { max: 10 }], { limits: [{ ...hourly, max: 10, mode: 'shadow' }] }],
  ['the mode of a policy leaves the trial of one limit', [{ limits: [{ ...hourly, mode: 'shadow' }], mode: 'shadow' }, { mode: 'enforce' }], { limits: [{ ...hourly, mode: 'shadow' }], mode: 'enforce' }]
])

table('tiers', [
  ['by name, field by field', [{ tiers: { gold: { max: 9, timeWindow: '1s', by: 'ip' }, basic: { max: 1, timeWindow: '1s' } } }, { tiers: { gold: { max: 10, timeWindow: '2s' } } }],
    { tiers: { gold: { max: 10, timeWindow: '2s', by: 'ip', algorithm: 'token-bucket' }, basic: { max: 1, timeWindow: '1s', by: 'client', algorithm: 'token-bucket' } } }],
  ['a new one joins', [{ tiers: { basic: false } }, { tiers: { gold: { max: 10 } } }], { tiers: { basic: false, gold: { max: 10 } } }],
  ['false over an object', [{ tiers: { gold: { max: 9 } } }, { tiers: { gold: false } }], { tiers: { gold: false } }],
  ['an object over false', [{ tiers: { gold: false } }, { tiers: { gold: { max: 9 } } }], { tiers: { gold: { max: 9 } } }],
  ['names that options have elsewhere', [{ tiers: { redis: { max: 9, timeWindow: 5 }, limits: false } }, { tiers: { redis: { by: 'ip' } } }], {
    tiers: { redis: { max: 9, timeWindow: 5, algorithm: 'token-bucket', by: 'ip' }, limits: false }
  }],
  ['limits of a higher layer delete none', [{ max: 5, tiers: { gold: false } }, { limits: several }], { limits: several, tiers: { gold: false } }]
])

const login = { name: 'login', match: '/login' }

table('rules', [
  ['by name, field by field', [{ rules: [{ ...login, cost: 2 }] }, { rules: [{ name: 'login', mode: 'shadow' }] }], { rules: [{ ...login, cost: 2, mode: 'shadow' }] }],
  ['new ones come last, in their order', [{ rules: [RULE.b] }, { rules: [RULE.c, { name: 'b', cost: 2 }, RULE.a] }], { rules: [{ ...RULE.b, cost: 2 }, RULE.c, RULE.a] }],
  ['match, methods and override give way', [{ rules: [{ ...login, methods: ['GET', 'POST'] }] }, { rules: [{ name: 'login', match: '/in', methods: ['PUT'], override: true }] }], { rules: [{ name: 'login', match: '/in', methods: ['PUT'], override: true }] }],
  ['names of their own case', [{ rules: [login] }, { rules: [{ name: 'Login', match: '/L' }] }], { rules: [login, { name: 'Login', match: '/L' }] }],
  ['what is given back stays with a new max: it is the same policy', [{ rules: [{ ...login, max: 5, timeWindow: '1s', refundOn: ['2xx'] }] }, { rules: [{ name: 'login', max: 6, timeWindow: '1s' }] }],
    { rules: [{ ...login, max: 6, timeWindow: '1s', refundOn: ['2xx'], algorithm: 'token-bucket', by: 'client' }] }],
  ['tiers of theirs too', [{ rules: [{ ...login, tiers: { gold: false, basic: { max: 1 } } }] }, { rules: [{ name: 'login', tiers: { gold: { max: 7 } } }] }], {
    rules: [{ ...login, tiers: { gold: { max: 7 }, basic: { max: 1, timeWindow: '1 minute', algorithm: 'token-bucket', by: 'client' } } }]
  }]
])

const ready = { host: 'localhost', nested: { host: 'b' } }

table('everything else', [
  ['objects field by field', [{ breaker: { failures: 5, within: '1s' } }, { breaker: { within: '2s' } }, { breaker: { openFor: '3s' } }], { breaker: { failures: 5, within: '2s', openFor: '3s' } }],
  ['objects in objects too', [{ identify: { jwt: { userClaim: 'id' }, defaultTier: 'a' } }, { identify: { jwt: { tierClaim: 'plan' } } }], { identify: { jwt: { userClaim: 'id', tierClaim: 'plan' }, defaultTier: 'a' } }],
  ['an object over true replaces it', [{ identify: { jwt: true } }, { identify: { jwt: { userClaim: 'id' } } }], { identify: { jwt: { userClaim: 'id' } } }],
  ['true over an object replaces it', [{ identify: { jwt: { userClaim: 'id' } } }, { identify: { jwt: true } }], { identify: { jwt: true } }],
  ['false switches off', [{ penalty: { strikes: 3 } }, { penalty: false }], { penalty: false }],
  ['an object over false switches on', [{ penalty: false, throttle: false }, { penalty: { strikes: 3 }, throttle: {} }], { penalty: { strikes: 3 }, throttle: {} }],
  ['leases of each limit beside those of the policy', [{ leases: { hold: '1s' }, limits: [{ name: 'a', max: 100, timeWindow: '1s', leases: false }] }, { leases: true }], { leases: true, limits: [{ name: 'a', max: 100, timeWindow: '1s', leases: false }] }],
  ['what was switched off between is forgotten', [{ penalty: { strikes: 3 } }, { penalty: false }, { penalty: { factor: 3 } }], { penalty: { factor: 3 } }],
  ['an empty object changes nothing', [{ penalty: { strikes: 3 } }, { penalty: {} }], { penalty: { strikes: 3 } }],
  ['arrays whole', [{ trustedProxies: ['loopback', '10.0.0.0/8'], refundOn: ['2xx', 304] }, { trustedProxies: ['unix'], refundOn: [] }], { trustedProxies: ['unix'], refundOn: [] }],
  ['arrays in objects whole', [{ exempt: { ips: ['10.0.0.1', '10.0.0.2'], users: ['a'] } }, { exempt: { ips: ['10.0.0.3'] } }], { exempt: { ips: ['10.0.0.3'], users: ['a'] } }],
  ['redis whole: half an address is none', [{ redis: { host: 'a', password: 'secret' } }, { redis: { host: 'b' } }], { redis: { host: 'b' } }],
  ['functions', [{ cost: byPlan, keyGenerator: String }, { mode: 'shadow' }], { cost: byPlan, keyGenerator: String, mode: 'shadow' }],
  ['a function replaces a function', [{ cost: byPlan }, { cost: bySize }], { cost: bySize }],
  ['false over true', [{ global: true, enabled: true }, { global: false }], { global: false, enabled: true }]
])

t.test('redis is the very object that was given', async (t) => {
  const { options } = mergeLayers(createLayers({ redis: ready }, { max: 5 }))
  t.equal(options.redis, ready, 'it may be a client')
})

t.test('no layer at all is no option at all', async (t) => {
  t.strictSame(mergeLayers([]).options, {})
})

t.test('no layer is changed, and none can be changed through the options', async (t) => {
  const given = deepFreeze({
    max: 5,
    limits: undefined,
    tiers: { gold: { max: 9 } },
    rules: [{ ...login, max: 1, tiers: { gold: { limits: [hourly] } } }],
    penalty: { strikes: 3 }
  })
  const above = deepFreeze({ timeWindow: '1s', tiers: { gold: { max: 10 } }, rules: [{ name: 'login', tiers: { gold: { max: 3 } } }], penalty: { factor: 3 } })
  const { options } = mergeLayers([...createLayers(given), createFileLayer(above), createEnvironmentLayer({})])
  t.equal(options.rules?.[0].tiers?.gold && options.rules[0].tiers.gold.limits?.[0].max, 3)
  for (const [path, part] of [['', options], ['.tiers', options.tiers], ['.rules', options.rules], ['.rules[0]', options.rules?.[0]], ['.penalty', options.penalty]]) {
    t.notOk(Object.isFrozen(part), `options${String(path)} is made anew`)
  }
})

t.test('a tier may have a name that every object knows', async (t) => {
  const named = (tier: TierOptions | false) => ({ tiers: Object.fromEntries(['constructor', 'toString', 'hasOwnProperty'].map((name) => [name, tier])) })
  const { options: { tiers = {} } } = mergeLayers(createLayers(named({ max: 9 }), named({ timeWindow: '1s' })))
  for (const name of ['constructor', 'toString', 'hasOwnProperty']) t.match(Object.entries(tiers).find(([key]) => key === name)?.[1], { max: 9, timeWindow: '1s' }, name)
  t.notOk(Object.hasOwn(mergeLayers(createLayers({}, { tiers: {} }, named(false))).options.tiers ?? {}, 'valueOf'))
})

t.test('what stands on a prototype is not given', async (t) => {
  const options: LayerOptions = Object.create({ max: 5 }, { timeWindow: { value: '1s', enumerable: true } })
  t.strictSame(mergeLayers([createFileLayer(options)]).options, { timeWindow: '1s' })
})

function deepFreeze<T extends object> (value: T): T {
  for (const inner of Object.values(value)) {
    if (typeof inner === 'object' && inner !== null) deepFreeze(inner)
  }
  return Object.freeze(value)
}
