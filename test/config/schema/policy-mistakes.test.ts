import t from 'tap'
import type { RateLimitOptions, RouteRateLimit } from '../../../lib/index.js'
import { bareApp, limitedApp } from '../../fixtures/app.js'

const aDuration = 'a duration such as "10s" or a number of milliseconds'
const aName = 'a name of letters, digits, ".", "_" and "-", at most 64'
const aTier = 'limits: { max, timeWindow, ... } or { limits }, or false'
const aPenalty = 'false, or an object: { strikes?, within?, cooldown?, factor?, maxCooldown? }'
const aThrottle = 'false, or an object: { maxDelay?, maxQueued?, maxQueuedPerClient? }'
const aLease = 'true, false, or an object: { hold? }'
const limit = { name: 'a', max: 1, timeWindow: '1s' }

/** What a policy may say wrongly wherever it stands, what is said of it after its place, and the end of the code. */
const wrong: ReadonlyArray<readonly [options: object, code: string, message: string]> = [
  [{ tiers: [] }, 'BAD_OPTION', '.tiers: expected an object of limits by tier name, got an array of 0'],
  [{ tiers: { premium: true } }, 'BAD_OPTION', `.tiers.premium: expected ${aTier}, got true`],
  [{ tiers: { premium: 100 } }, 'BAD_OPTION', `.tiers.premium: expected ${aTier}, got 100`],
  [{ tiers: { premium: { max: -1 } } }, 'BAD_OPTION', '.tiers.premium.max: expected an integer from 0 to 4294967295, got -1'],
  [{ tiers: { 1: { max: -1 } } }, 'BAD_OPTION', '.tiers.1.max: expected an integer from 0 to 4294967295, got -1'],
  [{ tiers: { 1: { limits: [{ ...limit, max: -1 }] } } }, 'BAD_OPTION', '.tiers.1.limits[0].max: expected an integer from 0 to 4294967295, got -1'],
  [{ tiers: { premium: { timeWindow: 'soon' } } }, 'BAD_OPTION', `.tiers.premium.timeWindow: expected ${aDuration}, got "soon"`],
  [{ tiers: { premium: { max: 1, limits: [limit] } } }, 'CONTRADICTION', '.tiers.premium.max: contradicts limits; put it into one of them'],
  [{ tiers: { premium: { algorithm: 'fixed-window', burst: 5 } } }, 'CONTRADICTION', '.tiers.premium.burst: belongs to a token bucket, and this limit is a fixed-window'],
  [{ tiers: { premium: { limits: [limit, limit] } } }, 'CONTRADICTION', '.tiers.premium.limits[1].name: limits[0] has the name "a" already'],
  [{ tiers: { 'a b': false } }, 'BAD_OPTION', `.tiers: expected ${aName}, got "a b"`],
  [{ refundOn: '2xx' }, 'BAD_OPTION', '.refundOn: expected an array of statuses such as 304 or "2xx", got "2xx"'],
  [{ throttle: true }, 'BAD_OPTION', `.throttle: expected ${aThrottle}, got true`],
  [{ throttle: { maxDelay: 'soon' } }, 'BAD_OPTION', `.throttle.maxDelay: expected ${aDuration}, got "soon"`],
  [{ algorithm: 'fixed-window', throttle: {} }, 'CONTRADICTION', '.throttle: needs token buckets, and the limit "default" is a fixed-window; or set throttle: false'],
  [{ penalty: true }, 'BAD_OPTION', `.penalty: expected ${aPenalty}, got true`],
  [{ penalty: { within: 'soon' } }, 'BAD_OPTION', `.penalty.within: expected ${aDuration}, got "soon"`],
  [{ penalty: { cooldown: 0 } }, 'BAD_OPTION', `.penalty.cooldown: expected ${aDuration}, got 0`],
  [{ penalty: { maxCooldown: -1 } }, 'BAD_OPTION', `.penalty.maxCooldown: expected ${aDuration}, got -1`],
  [{ penalty: { cooldown: '1 hour', maxCooldown: '1 minute' } }, 'CONTRADICTION', '.penalty.maxCooldown: is shorter than the first cooldown'],
  [{ penalty: { within: '1 year' } }, 'BAD_OPTION', '.penalty: expected times below 35 years, got an object'],
  [{ by: 'global', max: 5, penalty: {} }, 'CONTRADICTION', '.penalty: would block no client: a limit by "global" belongs to no client; add a limit by "client", or set penalty: false'],
  [{ limits: [{ ...limit, by: 'global' }], tiers: { vip: false, premium: { max: 9, timeWindow: '1s' } }, by: 'global', penalty: {} }, 'CONTRADICTION', '.penalty: would block no client: a limit by "global" belongs to no client; add a limit by "client", or set penalty: false'],
  [{ penalty: { strikes: 0 } }, 'BAD_OPTION', '.penalty.strikes: expected an integer from 1 to 1000000, got 0'],
  [{ penalty: { factor: 0.5 } }, 'BAD_OPTION', '.penalty.factor: expected a number from 1 to 1000, got 0.5'],
  [{ penalty: { strike: 3 } }, 'UNKNOWN_OPTION', '.penalty.strike: unknown option, did you mean "strikes"?'],
  [{ leases: 'yes' }, 'BAD_OPTION', `.leases: expected ${aLease}, got "yes"`],
  [{ leases: 2000 }, 'BAD_OPTION', `.leases: expected ${aLease}, got 2000`],
  [{ leases: { hold: 'soon' } }, 'BAD_OPTION', `.leases.hold: expected ${aDuration}, got "soon"`],
  [{ leases: { hold: '39ms' } }, 'BAD_OPTION', '.leases.hold: expected a duration from 40 milliseconds to 10 seconds, got "39ms"'],
  [{ leases: { hold: 10_001 } }, 'BAD_OPTION', '.leases.hold: expected a duration from 40 milliseconds to 10 seconds, got 10001'],
  [{ leases: { holds: '1s' } }, 'UNKNOWN_OPTION', '.leases.holds: unknown option, did you mean "hold"?'],
  [{ limits: [limit, { ...limit, name: 'b', leases: 1 }] }, 'BAD_OPTION', `.limits[1].leases: expected ${aLease}, got 1`],
  [{ limits: [limit, { ...limit, name: 'b', leases: { hold: '11s' } }] }, 'BAD_OPTION', '.limits[1].leases.hold: expected a duration from 40 milliseconds to 10 seconds, got "11s"'],
  [{ tiers: { premium: { leases: true } } }, 'UNKNOWN_OPTION', '.tiers.premium.leases: unknown option'],
  [{ throttle: { maxQueued: 0 } }, 'BAD_OPTION', '.throttle.maxQueued: expected an integer from 1 to 1000000, got 0'],
  [{ tiers: { premium: { maxx: 5 } } }, 'UNKNOWN_OPTION', '.tiers.premium.maxx: unknown option, did you mean "max"?'],
  // By its letters it would be "limits".
  [{ limit: 5 }, 'UNKNOWN_OPTION', '.limit: unknown option, did you mean "max"?'],
  [{ windowMs: 60_000 }, 'UNKNOWN_OPTION', '.windowMs: unknown option, did you mean "timeWindow"?'],
  [{ limits: [{ ...limit, duration: 1 }] }, 'UNKNOWN_OPTION', '.limits[0].duration: unknown option, did you mean "timeWindow"?'],
  // Nothing of that name can stand there.
  [{ penalty: { ttl: '1m' } }, 'UNKNOWN_OPTION', '.penalty.ttl: unknown option'],
  [{ refundOn: ['1xx'] }, 'BAD_OPTION', '.refundOn[0]: expected a status from 200 to 599 or a class of them such as "2xx", got "1xx"'],
  [{ refundOn: [{}] }, 'BAD_OPTION', '.refundOn[0]: expected a status from 200 to 599 or a class of them such as "2xx", got an object'],
  [{ onBlocked: true }, 'BAD_OPTION', '.onBlocked: expected a function, got true']
]

for (const [options, code, message] of wrong) {
  t.test(`wherever it stands, a policy is refused with ${message.slice(1)}`, async (t) => {
    for (const [place, error] of await refusals(t, options)) {
      t.match(error, { code: `FST_SLUICE_${code}` }, place)
      t.equal(error?.message, place + message)
    }
  })
}

/** What is said of options on the plugin, in a rule, and on a route. */
async function refusals (t: Parameters<typeof bareApp>[0], options: object): Promise<ReadonlyArray<readonly [place: string, error: Error & { code?: string } | null]>> {
  const registered = async (given: object) => {
    const { app, plugin } = bareApp(t)
    return await app.register(plugin, given as RateLimitOptions).then(() => null, (error) => error)
  }
  const { app } = await limitedApp(t, {})
  return [
    ['rateLimit', await registered(options)],
    ['rateLimit.rules[1]', await registered({ rules: [{ name: 'first', match: '/*', max: 5 }, { name: 'second', match: '/*', ...options }] })],
    ['GET /own config.rateLimit', await (async () => app.get('/own', { config: { rateLimit: options as RouteRateLimit } }, async () => 'own'))().then(() => null, (error) => error)]
  ]
}

const rules: ReadonlyArray<readonly [rules: unknown, message: RegExp]> = [
  [{}, /^rateLimit\.rules: expected an array of rules, got an object$/],
  [[5], /^rateLimit\.rules\[0\]: expected /],
  [[{ match: '/*' }], new RegExp(`^rateLimit\\.rules\\[0\\]\\.name: expected ${aName}, got nothing$`)],
  [[{ name: 'a' }], /^rateLimit\.rules\[0\]\.match: expected a pattern such as "\/api\/\*\/reports", got nothing$/],
  [[{ name: 'a', match: 'api' }], /^rateLimit\.rules\[0\]\.match: expected a pattern such as "\/api\/\*\/reports" \(.+\), got "api"$/],
  [[{ name: 'a', match: '/*', methods: 'GET' }], /^rateLimit\.rules\[0\]\.methods: expected /],
  [[{ name: 'a', match: '/*', override: 'yes' }], /^rateLimit\.rules\[0\]\.override: expected true or false, got "yes"$/],
  [[{ name: 'a', match: '/*', overide: true }], /^rateLimit\.rules\[0\]\.overide: unknown option, did you mean "override"\?$/],
  [[{ name: 'a', match: '/*' }, { name: 'a', match: '/b' }], /^rateLimit\.rules\[1\]\.name: rateLimit\.rules\[0\] has the name "a" already$/]
]
for (const [given, message] of rules) {
  t.test(`register refuses the rules ${JSON.stringify(given)}`, async (t) => {
    const { app, plugin } = bareApp(t)
    const error = await app.register(plugin, { rules: given } as RateLimitOptions).then(() => null, (error) => error)
    t.match(error?.message, message)
  })
}
