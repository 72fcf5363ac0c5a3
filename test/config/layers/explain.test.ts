import t from 'tap'
import { explainPlugin, explainPolicy, listPolicies, type ExplainedOption, type OwnConfig, type PolicyName } from '../../../lib/config/layers/explain.js'
import type { LayerOptions } from '../../../lib/config/layers/layer.js'
import { mergeLayers } from '../../../lib/config/layers/merge.js'
import type { RateLimitOptions } from '../../../lib/config/schema/options-schema.js'
import { builtInDraft } from '../../../lib/policies/policy-draft.js'
import { createLayers } from '../../fixtures/layers.js'

type Layers = readonly [RateLimitOptions, ...LayerOptions[]]

const login = { name: 'login', match: '/login' }
const byDefault: PolicyName = { rule: null, tier: null }
const ofLogin: PolicyName = { rule: 'login', tier: null }

/** Options in words: `max 5 from register (rateLimit.max)`. */
function inWords (options: readonly ExplainedOption[] | null): string[] {
  return (options ?? []).map(({ option, value, from, place }) => `${option} ${JSON.stringify(value)} from ${from} (${place})`)
}

t.test('what nobody says is built in, as the policies have it', async (t) => {
  const options = explainPolicy(mergeLayers([]), byDefault) ?? []
  t.strictSame(inWords(options), [
    'max 1000 from built-in (built in)',
    'timeWindow "1 minute" from built-in (built in)',
    'algorithm "token-bucket" from built-in (built in)',
    'by "client" from built-in (built in)',
    'cost 1 from built-in (built in)',
    'mode "enforce" from built-in (built in)',
    'leases false from built-in (built in)',
    'concurrency false from built-in (built in)',
    'enforce.percent 100 from built-in (built in)',
    'throttle false from built-in (built in)',
    'penalty false from built-in (built in)',
    'hook "onRequest" from built-in (built in)',
    'failureMode "local" from built-in (built in)'
  ])
  const { limits: [limit], options: compiled } = builtInDraft
  const told = Object.fromEntries(options.map(({ option, value }) => [option, value]))
  t.match(told, { max: limit.max, ...compiled })
})

/** What is said of a policy: every line that is not built in, and those that are asked for. */
const rows: ReadonlyArray<readonly [why: string, layers: Layers, policy: PolicyName, expected: readonly string[], own?: OwnConfig]> = [
  ['each field has its layer', [{ max: 5, cost: () => 2 }, { timeWindow: '1s' }, { mode: 'shadow' }], byDefault, [
    'max 5 from register (rateLimit.max)', 'timeWindow "1s" from file (limits.toml: timeWindow)', 'cost "a function" from register (rateLimit.cost)', 'mode "shadow" from environment (SLUICE__MODE)'
  ]],
  ['several limits', [{}, { limits: [{ name: 'a', max: 1, timeWindow: '1s', mode: 'shadow' }, { name: 'b', max: 2, timeWindow: '2s', burst: 3, by: 'ip' }] }], byDefault, [
    'limits[0].name "a" from file (limits.toml: limits[0].name)', 'limits[0].max 1 from file (limits.toml: limits[0].max)', 'limits[0].timeWindow "1s" from file (limits.toml: limits[0].timeWindow)',
    'limits[0].mode "shadow" from file (limits.toml: limits[0].mode)',
    'limits[1].name "b" from file (limits.toml: limits[1].name)', 'limits[1].max 2 from file (limits.toml: limits[1].max)', 'limits[1].timeWindow "2s" from file (limits.toml: limits[1].timeWindow)',
    'limits[1].burst 3 from file (limits.toml: limits[1].burst)', 'limits[1].by "ip" from file (limits.toml: limits[1].by)'
  ]],
  ['objects with what is built in for them', [{ penalty: { strikes: 3 } }, {}, { penalty: { factor: 4 } }], byDefault, [
    'penalty.strikes 3 from register (rateLimit.penalty.strikes)', 'penalty.within "10 minutes" from built-in (built in)', 'penalty.cooldown "1 minute" from built-in (built in)',
    'penalty.factor 4 from environment (SLUICE__PENALTY__FACTOR)', 'penalty.maxCooldown "1 hour" from built-in (built in)'
  ]],
  ['leases of the policy, and of one limit', [{ leases: { hold: '5s' }, limits: [{ name: 'a', max: 100, timeWindow: '1s', leases: { hold: '1s' } }] }, {}, { leases: true }], byDefault, [
    'limits[0].name "a" from register (rateLimit.limits[0].name)', 'limits[0].max 100 from register (rateLimit.limits[0].max)', 'limits[0].timeWindow "1s" from register (rateLimit.limits[0].timeWindow)',
    'limits[0].leases.hold "1s" from register (rateLimit.limits[0].leases.hold)', 'leases true from environment (SLUICE__LEASES)'
  ]],
  ['a rule with what it takes from the default', [{ timeWindow: '1h', mode: 'shadow', refundOn: ['2xx'], groupId: 'g', rules: [{ ...login, max: 5, methods: ['POST'] }] }, { timeWindow: '1s' }, { hook: 'preHandler' }], ofLogin, [
    'match "/login" from register (rateLimit.rules[0].match)', 'methods ["POST"] from register (rateLimit.rules[0].methods)',
    'max 5 from register (rateLimit.rules[0].max)', 'timeWindow "1h" from register (rateLimit.timeWindow)', 'refundOn ["2xx"] from register (rateLimit.refundOn)', 'mode "shadow" from register (rateLimit.mode)', 'hook "preHandler" from environment (SLUICE__HOOK)'
  ]],
  ['a rule without limits has those of the default', [{ groupId: 'g', refundOn: [200], rules: [login] }, { max: 7 }], ofLogin, [
    'match "/login" from register (rateLimit.rules[0].match)', 'max 7 from file (limits.toml: max)', 'refundOn [200] from register (rateLimit.refundOn)', 'groupId "g" from register (rateLimit.groupId)'
  ]],
  ['a tier', [{ max: 5, tiers: { gold: { max: 50 } } }, { tiers: { gold: { by: 'ip' } } }], { rule: null, tier: 'gold' }, [
    'max 50 from register (rateLimit.tiers.gold.max)', 'by "ip" from file (limits.toml: tiers.gold.by)'
  ]],
  ['a tier without limits', [{ max: 5, tiers: { inner: { max: 9 } } }, {}, { tiers: { inner: false } }], { rule: null, tier: 'inner' }, ['tiers.inner false from environment (SLUICE__TIERS__INNER)']],
  ['a tier that nobody named has the limits of all', [{ max: 5 }], { rule: null, tier: 'gold' }, ['max 5 from register (rateLimit.max)']],
  ['a rule has the tiers of the default', [{ tiers: { gold: { max: 9 } }, rules: [login] }], { rule: 'login', tier: 'gold' }, [
    'match "/login" from register (rateLimit.rules[0].match)', 'max 9 from register (rateLimit.tiers.gold.max)'
  ]],
  ['the mode of a rule is that of each limit that it inherits', [{ limits: [{ name: 'a', max: 1, timeWindow: 5, mode: 'shadow' }], rules: [{ ...login, mode: 'enforce' }] }], ofLogin, [
    'match "/login" from register (rateLimit.rules[0].match)', 'limits[0].name "a" from register (rateLimit.limits[0].name)', 'limits[0].max 1 from register (rateLimit.limits[0].max)',
    'limits[0].timeWindow 5 from register (rateLimit.limits[0].timeWindow)', 'mode "enforce" from register (rateLimit.rules[0].mode)'
  ]],
  ['a route', [{ timeWindow: '1h' }, { timeWindow: '1s', mode: 'shadow' }], byDefault, [
    'max 3 from route (GET /a config.rateLimit.max)', 'timeWindow "1h" from register (rateLimit.timeWindow)', 'mode "shadow" from file (limits.toml: mode)'
  ], { options: { max: 3 }, place: 'GET /a config.rateLimit' }],
  ['a route under a rule', [{ rules: [{ ...login, max: 5, cost: 2 }] }], ofLogin, [
    'match "/login" from register (rateLimit.rules[0].match)', 'max 5 from register (rateLimit.rules[0].max)', 'cost 4 from route (here.cost)'
  ], { options: { max: 3, cost: 4 }, place: 'here' }],
  ['a route under a rule that overrides', [{ rules: [{ ...login, max: 5, cost: 2, override: true }] }], ofLogin, [
    'match "/login" from register (rateLimit.rules[0].match)', 'override true from register (rateLimit.rules[0].override)', 'max 5 from register (rateLimit.rules[0].max)', 'cost 2 from register (rateLimit.rules[0].cost)',
    'hook "preHandler" from route (here.hook)'
  ], { options: { max: 3, cost: 4, hook: 'preHandler' }, place: 'here' }]
]

for (const [why, layers, policy, expected, own] of rows) {
  t.test(`a policy is explained: ${why}`, async (t) => {
    const said = inWords(explainPolicy(mergeLayers(createLayers(...layers)), policy, own))
    t.strictSame(said.filter((words) => expected.includes(words) || !words.includes('from built-in')), expected)
  })
}

t.test('a rule that nobody made is not explained', async (t) => {
  t.equal(explainPolicy(mergeLayers(createLayers({ rules: [login] })), { rule: 'logout', tier: null }), null)
})

t.test('every policy has a name', async (t) => {
  const layered = mergeLayers(createLayers({ tiers: { gold: false } }, { rules: [login, { name: 'search', match: '/s', max: 5, tiers: { basic: { max: 1 } } }] }))
  t.strictSame(listPolicies(layered), [
    { rule: null, tier: null }, { rule: null, tier: 'gold' },
    { rule: 'login', tier: null }, { rule: 'login', tier: 'gold' },
    { rule: 'search', tier: null }, { rule: 'search', tier: 'basic' }
  ])
})

t.test('what holds for the whole plugin is explained, but not where Redis is', async (t) => {
  const layered = mergeLayers(createLayers(
    { redis: 'redis://:secret@localhost', identify: { jwt: { userClaim: 'id' }, custom: () => null }, rules: [login], max: 5 },
    { exempt: { ips: ['10.0.0.1'] }, memory: {} },
    { identify: { deadline: '2s' }, health: false, redis: { host: 'a', password: 'secret' } }
  ))
  const said = inWords(explainPlugin(layered))
  for (const words of [
    'redis "(not shown)" from environment (SLUICE__REDIS)',
    'identify.jwt.userClaim "id" from register (rateLimit.identify.jwt.userClaim)',
    'identify.jwt.tierClaim "tier" from built-in (built in)',
    'identify.custom "a function" from register (rateLimit.identify.custom)',
    'identify.defaultTier "standard" from built-in (built in)',
    'identify.deadline "2s" from environment (SLUICE__IDENTIFY__DEADLINE)',
    'exempt.ips ["10.0.0.1"] from file (limits.toml: exempt.ips)',
    'memory.maxKeys 100000 from built-in (built in)',
    'breaker.failures 5 from built-in (built in)',
    'health false from environment (SLUICE__HEALTH)',
    'headers "x-ratelimit" from built-in (built in)'
  ]) t.ok(said.includes(words), words)
  t.notOk(said.some((words) => /secret|^max |^rules|^cost/.test(words)), said.join('\n'))
})

t.test('what is explained can be written as JSON', async (t) => {
  const options = explainPolicy(mergeLayers(createLayers({ max: () => 5, keyGenerator: String, refundOn: ['2xx'], penalty: {} })), byDefault)
  t.strictSame(JSON.parse(JSON.stringify(options)), options)
})
