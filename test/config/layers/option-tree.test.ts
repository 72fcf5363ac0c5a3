import t from 'tap'
import type { LayerOptions } from '../../../lib/config/layers/layer.js'
import type { ConfigPath } from '../../../lib/config/schema/option-path.js'
import { mergeLayers, relocateError, type MergedOptions } from '../../../lib/config/layers/merge.js'
import type { RateLimitOptions } from '../../../lib/config/schema/options-schema.js'
import { FST_SLUICE_STORE, isLocated } from '../../../lib/errors.js'
import { PolicySet } from '../../../lib/policies/policy-set.js'
import { createLayers, RULE } from '../../fixtures/layers.js'

type Layers = readonly [RateLimitOptions, ...LayerOptions[]]

const several = [{ name: 'burst', max: 20, timeWindow: '1s' }, { name: 'hourly', max: 5000, timeWindow: '1h' }]
const login = { name: 'login', match: '/login' }
const alone = 'cannot change one of the 2 limits that a lower layer gives; give both max and timeWindow, or limits'

/** What cannot be laid at all. */
const refused: ReadonlyArray<readonly [layers: Layers, code: string, message: string]> = [
  [[{ limits: several }, { max: 5 }], 'CONTRADICTION', `limits.toml: max: ${alone}`],
  [[{ limits: several }, { timeWindow: '1s' }], 'CONTRADICTION', `limits.toml: timeWindow: ${alone}`],
  [[{ limits: several }, { burst: 5 }], 'CONTRADICTION', `limits.toml: burst: ${alone}`],
  [[{ limits: several }, { algorithm: 'fixed-window' }], 'CONTRADICTION', `limits.toml: algorithm: ${alone}`],
  [[{ limits: several }, { by: 'ip' }], 'CONTRADICTION', `limits.toml: by: ${alone}`],
  [[{}, { limits: several }, { max: 5 }], 'CONTRADICTION', `SLUICE__MAX: ${alone}`],
  [[{ rules: [RULE.a, { ...login, limits: several }] }, { rules: [{ name: 'login', max: 5 }] }], 'CONTRADICTION', `limits.toml: rules[0].max: ${alone}`],
  [[{ tiers: { gold: { limits: several } } }, { tiers: { gold: { max: 5 } } }], 'CONTRADICTION', `limits.toml: tiers.gold.max: ${alone}`],
  [[{ rules: [{ ...login, tiers: { gold: { limits: several } } }] }, {}, { rules: [{ name: 'login', tiers: { gold: { max: 5 } } }] }], 'CONTRADICTION', `SLUICE__RULES__0__TIERS__GOLD__MAX: ${alone}`],
  [[{ rules: [login, RULE.a, login] }], 'CONTRADICTION', 'rateLimit.rules[2].name: rateLimit.rules[0] has the name "login" already'],
  [[{ rules: [login] }, { rules: [RULE.a, { name: 'a' }] }], 'CONTRADICTION', 'limits.toml: rules[1].name: limits.toml: rules[0] has the name "a" already'],
  [[{ rules: [login] }, { rules: [{ name: 'lgoin', max: 5 }] }], 'BAD_OPTION', 'limits.toml: rules[0].match: expected a pattern such as "/api/*/reports" (no layer below has a rule "lgoin"; did you mean "login"?), got nothing'],
  [[{}, { rules: [{ name: 'x', max: 5 }] }, { rules: [{ name: 'x', max: 6 }] }], 'BAD_OPTION', 'limits.toml: rules[0].match: expected a pattern such as "/api/*/reports" (no layer below has a rule "x"), got nothing'],
  [[{ limits: several, rules: [{ ...login, max: 5 }] }, { max: 1, timeWindow: '1s' }], 'CONTRADICTION', 'rateLimit.rules[0].max: cannot change one of the 2 inherited limits; give both max and timeWindow, or limits']
]

for (const [layers, code, message] of refused) {
  t.test(`layers are refused: ${message}`, async (t) => {
    t.throws(() => mergeLayers(createLayers(...layers)), { code: `FST_SLUICE_${code}`, message })
  })
}

const aDuration = 'a duration such as "10s" or a number of milliseconds'
const exact = 'a rate that can be counted exactly (below 2^53 steps: a smaller or rounder number)'

/** What is found where the policies are compiled. */
const misplaced: ReadonlyArray<readonly [why: string, layers: Layers, code: string, message: string]> = [
  ['the file gave the value', [{ max: 5 }, { timeWindow: 'soon' }], 'BAD_OPTION', `limits.toml: timeWindow: expected ${aDuration}, got "soon"`],
  ['the environment gave the value', [{ max: 5 }, { timeWindow: '1s' }, { timeWindow: 'soon' }], 'BAD_OPTION', `SLUICE__TIMEWINDOW: expected ${aDuration}, got "soon"`],
  ['register gave it', [{ timeWindow: 'soon' }, { max: 5 }], 'BAD_OPTION', `rateLimit.timeWindow: expected ${aDuration}, got "soon"`],
  ['a rule has another index in the file', [{ rules: [RULE.a, login] }, { rules: [{ name: 'login', timeWindow: 'soon' }] }], 'BAD_OPTION', `limits.toml: rules[0].timeWindow: expected ${aDuration}, got "soon"`],
  ['a rule has another index in register', [{ rules: [RULE.a, { ...login, timeWindow: 'soon' }] }, { rules: [RULE.b] }], 'BAD_OPTION', `rateLimit.rules[1].timeWindow: expected ${aDuration}, got "soon"`],
  ['one of limits', [{}, { rules: [{ ...login, limits: [several[0], { ...several[1], burst: 2 ** 31 }] }] }], 'BAD_OPTION', `limits.toml: rules[0].limits[1].burst: expected ${exact}, got 2147483648 at 5000 per 3600000 ms`],
  ['the only one of limits, changed from above', [{ rules: [{ ...login, limits: [several[0]] }] }, {}, { rules: [{ name: 'login', timeWindow: 'soon' }] }], 'BAD_OPTION', `SLUICE__RULES__0__TIMEWINDOW: expected ${aDuration}, got "soon"`],
  ['a tier with dots', [{}, { tiers: { 'a.b': { max: 5 }, a: false } }, { tiers: { 'a.b': { timeWindow: 'soon' } } }], 'BAD_OPTION', `SLUICE__TIERS__A.B__TIMEWINDOW: expected ${aDuration}, got "soon"`],
  ['the tier of a rule', [{ rules: [RULE.a, login] }, { rules: [{ name: 'login', tiers: { gold: { max: 5, algorithm: 'fixed-window', burst: 3 } } }] }], 'CONTRADICTION', 'limits.toml: rules[0].tiers.gold.burst: belongs to a token bucket, and this limit is a fixed-window'],
  ['two fields of one layer', [{}, { max: 5, limits: several }], 'CONTRADICTION', 'limits.toml: max: contradicts limits; put it into one of them'],
  ['what a rule keeps of the default was written there', [{ timeWindow: 'soon', rules: [{ ...login, max: 5 }] }, { timeWindow: '1s' }], 'BAD_OPTION', `rateLimit.timeWindow: expected ${aDuration}, got "soon"`],
  ['one of an array', [{ refundOn: ['2xx'] }, { refundOn: [304, '9xx'] }], 'BAD_OPTION', 'limits.toml: refundOn[1]: expected a status from 200 to 599 or a class of them such as "2xx", got "9xx"'],
  ['an object', [{ penalty: { strikes: 3 } }, { penalty: { maxCooldown: '1s' } }], 'CONTRADICTION', 'limits.toml: penalty.maxCooldown: is shorter than the first cooldown'],
  ['nothing is written there, so whoever made the rule is told', [{ rules: [RULE.a] }, { throttle: {}, rules: [{ ...login, algorithm: 'fixed-window' }] }], 'CONTRADICTION', 'limits.toml: rules[0].throttle: needs token buckets, and the limit "default" is a fixed-window; or set throttle: false'],
  ['a whole rule', [{ groupId: 'all', max: 1 }, { rules: [{ ...login, groupId: 'all', max: 2 }] }], 'UNEQUAL_LIMITS', 'limits.toml: rules[0]: group:all has the limits "default" 1 per 60000 ms (token-bucket) already, so it cannot have "default" 2 per 60000 ms (token-bucket) here']
]

for (const [why, layers, code, message] of misplaced) {
  t.test(`a mistake is told of the layer that made it: ${why}`, async (t) => {
    const layered = mergeLayers(createLayers(...layers))
    const error = thrownBy(() => compile(layered))
    const told = relocateError(error, layered)
    t.match(told, { code: `FST_SLUICE_${code}`, message })
    t.ok(isLocated(told) && message.startsWith(`${told.place}: `), 'its place is part of it')
  })
}

t.test('a mistake in what register was given is the same error', async (t) => {
  const layered = mergeLayers(createLayers({ timeWindow: 'soon' }, { max: 5 }))
  const error = thrownBy(() => compile(layered))
  t.match(error, { code: 'FST_SLUICE_BAD_OPTION' })
  t.equal(relocateError(error, layered), error)
})

t.test('an error that is no mistake in the options stays as it is', async (t) => {
  const layered = mergeLayers(createLayers({}, { max: 5 }))
  const errors = [new Error('rateLimit.max: no'), new FST_SLUICE_STORE('deadline', 'TIMEOUT'), 'rateLimit.max', null]
  for (const error of errors) t.equal(relocateError(error, layered), error)
})

t.test('the mistake of a route stays where it is', async (t) => {
  const layered = mergeLayers(createLayers({ limits: several }, { tiers: {} }))
  const error = thrownBy(() => layered.buildRouteOptions({ max: 5 }, 'GET /a config.rateLimit'))
  t.equal(relocateError(error, layered), error)
})

const layered = mergeLayers(createLayers(
  { max: 5, rules: [RULE.a, { ...login, max: 1, limits: undefined }], redis: { host: 'a' }, trustedProxies: ['unix'], timeWindow: '1h' },
  { max: 6, rules: [{ name: 'login', max: 2 }, RULE.b], tiers: { gold: false } },
  { penalty: { strikes: 3 }, redis: { host: 'b', password: 'x' } }
))

const origins: ReadonlyArray<readonly [path: ConfigPath, layer: string | null, place: string]> = [
  [['max'], 'file', 'limits.toml: max'],
  [['timeWindow'], 'register', 'rateLimit.timeWindow'],
  [['burst'], null, 'rateLimit.burst'],
  [['rules', 1, 'max'], 'file', 'limits.toml: rules[0].max'],
  [['rules', 1, 'match'], 'register', 'rateLimit.rules[1].match'],
  [['rules', 1], 'register', 'rateLimit.rules[1]'],
  [['rules', 1, 'timeWindow'], 'register', 'rateLimit.timeWindow'],
  [['rules', 1, 'algorithm'], 'built-in', 'built in'],
  [['rules', 2, 'name'], 'file', 'limits.toml: rules[1].name'],
  [['rules', 3], null, 'rateLimit.rules[3]'],
  [['rules', 'login'], null, 'rateLimit.rules.login'],
  [['tiers', 'gold'], 'file', 'limits.toml: tiers.gold'],
  [['penalty'], 'environment', 'SLUICE__PENALTY'],
  [['penalty', 'factor'], null, 'SLUICE__PENALTY__FACTOR'],
  [['redis', 'password'], 'environment', 'SLUICE__REDIS__PASSWORD'],
  [['redis', 'port'], null, 'SLUICE__REDIS__PORT'],
  [['trustedProxies', 0], 'register', 'rateLimit.trustedProxies[0]'],
  [['trustedProxies', 1], null, 'rateLimit.trustedProxies[1]'],
  [['max', 'toString'], null, 'limits.toml: max.toString'],
  [[], 'register', 'rateLimit']
]

for (const [path, layer, place] of origins) {
  t.test(`${path.join('.') || 'the root'} is of ${layer ?? 'nobody'}`, async (t) => {
    t.strictSame(layered.findOrigin(path), layer === null ? null : { layer, place })
    t.equal(layered.locate(path), place)
  })
}

function compile ({ options }: MergedOptions): PolicySet {
  return new PolicySet('app', options, { isCaseSensitive: true, ignoresDuplicateSlashes: false, ignoresTrailingSlash: false, endsAtSemicolon: false }, () => {})
}

function thrownBy (call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  return null
}
