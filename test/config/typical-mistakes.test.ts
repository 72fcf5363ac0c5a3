// Mistakes that a new user makes. Each must be answered: by an error at the start, a process warning, or a line of the log.
// Single wrong values are in schema/, environment/ and file/, a table for each; here is what a user does, once each.
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { buildRateLimitPlugin } from '../../lib/plugin/plugin.js'
import { ManualClock } from '../fixtures/manual-clock.js'

type Options = Readonly<Record<string, unknown>>

interface Mistake {
  /** Options of the plugin. */
  readonly options?: Options
  /** The options of `config.rateLimit` of `GET /own`. */
  readonly own?: unknown
  /** What the application does after it has registered the plugin. */
  readonly then?: (app: FastifyInstance) => unknown
  readonly env?: Readonly<Record<string, string>>
  readonly server?: FastifyServerOptions
}

/** Everything that the user is shown, from the start to the answer to a first request. */
async function listen (t: Test, { options = { max: 10 }, own, then, env = {}, server }: Mistake): Promise<string> {
  const heard: string[] = []
  const { emitWarning } = process
  process.emitWarning = (warning: string | Error, ...details: unknown[]) => { heard.push(`warning ${JSON.stringify(details)}: ${String(warning)}`) }
  t.teardown(() => { process.emitWarning = emitWarning })
  const stream = { write: (line: string) => { heard.push(`log: ${line}`) } }
  const app = Fastify({ logger: { level: 'warn', stream }, ...server })
  t.teardown(() => app.close())
  try {
    await app.register(buildRateLimitPlugin(new ManualClock(), env), options as never)
    app.get('/', async () => 'hello')
    if (own !== undefined) app.get('/own', { config: { rateLimit: own as never } }, async () => 'own')
    await then?.(app)
    await app.ready()
    for (const url of ['/', '/own']) await app.inject(url)
  } catch (error) {
    heard.push(`error ${(error as { code: string }).code}: ${(error as Error).message}`)
  }
  process.emitWarning = emitWarning
  return heard.join('\n')
}

const here = { max: 10 }
const unknown = (name: string, suggestion: string) => new RegExp(`FST_SLUICE_UNKNOWN_OPTION.*${name}: unknown option, did you mean "${suggestion}"\\?`)
const bad = (text: string) => new RegExp(`FST_SLUICE_BAD_OPTION.*${text}`)
const warned = (code: string, text: string) => new RegExp(`FST_SLUICE_WARN_${code}.*${text}`)
const noKey = /log: .*expected a key of 1 or more characters, or a number, got undefined/
const route = (options: object) => (app: FastifyInstance) => { app.get('/x', options as never, async () => 'x') }
const rule = (match: unknown, rest: Options = {}) => ({ options: { ...here, rules: [{ name: 'a', match, max: 1, ...rest }] } })

const rows: ReadonlyArray<readonly [mistake: string, made: Mistake, answer: RegExp]> = [
  // Numbers.
  ['max as text', { options: { max: '100' } }, bad('rateLimit.max: expected an integer .* got "100"')],
  ['max as text, on a route', { own: { max: '5' } }, bad('GET /own config.rateLimit.max: .* got "5"')],
  ['max by Number(undefined)', { options: { max: NaN } }, bad('rateLimit.max: .* got NaN')],
  ['max below 0', { options: { max: -1 } }, bad('rateLimit.max: .* got -1')],
  ['max: null', { options: { max: null } }, bad('rateLimit.max: .* got null')],
  ['max without a bound', { options: { max: Infinity } }, bad('rateLimit.max: .* got Infinity')],
  ['a max by a function that returns nothing', { options: { max: () => undefined } }, /log: .*expected an integer .* got undefined/],
  ['burst: 0', { options: { ...here, burst: 0 } }, bad('rateLimit.burst: expected an integer from 1')],
  ['burst of a window', { options: { ...here, burst: 20, algorithm: 'fixed-window' } }, /CONTRADICTION.*rateLimit.burst: belongs to a token bucket/],
  ['a cost above the burst', { options: { ...here, burst: 5, cost: 8 } }, bad('rateLimit.cost: expected at most 5')],
  ['a cost by a function that reads no body', { options: { ...here, cost: () => NaN } }, /log: .*expected a number of units, 0 or more, got NaN/],
  ['ipv6Subnet as in a network', { options: { ipv6Subnet: '/64' } }, bad('rateLimit.ipv6Subnet: expected an integer from 1 to 128')],
  // Times.
  ['seconds for milliseconds', { options: { ...here, timeWindow: 60 } }, warned('SHORT_WINDOW', 'write \\"60s\\" for seconds'.replaceAll('\\"', '"'))],
  ['seconds for milliseconds, on a route', { own: { max: 1, timeWindow: 60 } }, warned('SHORT_WINDOW', 'GET /own config.rateLimit.timeWindow: is 60 milliseconds')],
  ['a number as text', { options: { ...here, timeWindow: '60' } }, warned('SHORT_WINDOW', 'rateLimit.timeWindow: is 60 milliseconds')],
  ['a misspelt unit', { options: { ...here, timeWindow: '1 minut' } }, bad('rateLimit.timeWindow: expected a duration such as "10s" .* got "1 minut"')],
  ['seconds in a block', { options: { ...here, penalty: { cooldown: 60 } } }, warned('SHORT_COOLDOWN', 'the first block lasts 60 milliseconds')],
  ['seconds in a delay', { options: { ...here, throttle: { maxDelay: 5 } } }, warned('SHORT_DELAY', 'rateLimit.throttle.maxDelay: holds a request for up to 5 milliseconds')],
  ['a unit in a deadline', { options: { ...here, deadline: '50ms' } }, bad('rateLimit.deadline: expected an integer from 1 to 5000')],
  // Names.
  ['another case', { options: { ...here, timewindow: '1s' } }, unknown('timewindow', 'timeWindow')],
  ['an underscore', { options: { ...here, time_window: '1s' } }, unknown('time_window', 'timeWindow')],
  ...([
    ['limit', 'max'], ['points', 'max'], ['windowMs', 'timeWindow'], ['ttl', 'timeWindow'], ['allowList', 'exempt'], ['whitelist', 'exempt'],
    ['skip', 'exempt'], ['ban', 'penalty'], ['skipOnError', 'failureMode'], ['nameSpace', 'keyPrefix'], ['cache', 'memory'], ['addHeaders', 'headers'],
    ['standardHeaders', 'headers'], ['message', 'errorResponseBuilder'], ['handler', 'errorResponseBuilder'], ['skipSuccessfulRequests', 'refundOn'],
    ['trustProxy', 'trustedProxies'], ['config', 'configFile'], ['dryRun', 'mode']
  ] as const).map(([name, option]): readonly [string, Mistake, RegExp] =>
    [`${name} of another limiter`, { options: { ...here, [name]: 1 } }, unknown(name, option)]),
  ['an option of the plugin on a route', { own: { max: 1, redis: 'redis://127.0.0.1' } }, /UNKNOWN_OPTION.*GET \/own config.rateLimit.redis: unknown option/],
  ['a list of limiters, as of another plugin', { options: [here] as never }, /UNKNOWN_OPTION.*rateLimit.0: unknown option$/],
  // Words.
  ['an algorithm by half its name', { options: { algorithm: 'sliding' } }, bad('rateLimit.algorithm: expected "token-bucket" or "sliding-window"')],
  ['a hook in another case', { options: { hook: 'onrequest' } }, bad('rateLimit.hook: expected "onRequest"')],
  ['a hook after the handler', { options: { hook: 'onSend' } }, bad('rateLimit.hook: expected "onRequest"')],
  ['a budget that does not exist', { options: { by: 'account' } }, bad('rateLimit.by: expected "client" or "ip" or "user" or "global"')],
  ['headers: true', { options: { headers: true } }, bad('rateLimit.headers: expected "x-ratelimit"')],
  ['a switch as text', { options: { enabled: 'false' } }, bad('rateLimit.enabled: expected true or false')],
  ['throttle: true', { options: { throttle: true } }, bad('rateLimit.throttle: expected false, or an object')],
  ['penalty as a number', { options: { penalty: 3 } }, bad('rateLimit.penalty: expected false, or an object')],
  ['metrics: true', { options: { metrics: true } }, bad('rateLimit.metrics: expected false, or an object')],
  ['refundOn in words', { options: { refundOn: 'success' } }, bad('rateLimit.refundOn: expected an array of statuses')],
  ['one limit in place of a list', { options: { limits: { max: 1 } } }, bad('rateLimit.limits: expected an array')],
  ['limits without names', { options: { limits: [{ max: 1, timeWindow: '1s' }] } }, bad('rateLimit.limits.0..name: expected a name')],
  ['max beside limits', { options: { max: 1, limits: [{ name: 'a', max: 1, timeWindow: '1s' }] } }, /CONTRADICTION.*rateLimit.max: contradicts limits/],
  // Functions.
  ['a keyGenerator by name', { options: { keyGenerator: 'ip' } }, bad('rateLimit.keyGenerator: expected a function, got "ip"')],
  ['a keyGenerator that returns nothing', { options: { keyGenerator: () => undefined } }, noKey],
  ['an async keyGenerator that returns nothing', { options: { keyGenerator: async () => undefined } }, noKey],
  ['a keyGenerator before authentication', { options: { keyGenerator: (request: { user: { id: string } }) => request.user.id } }, /log: .*Cannot read properties of undefined/],
  ['an errorResponseBuilder without a result', { options: { max: 0, errorResponseBuilder: () => undefined } }, /log: .*expected an object, text, a Buffer or an Error, got undefined/],
  ['a callback that throws', { options: { max: 0, onExceeded () { throw new Error('oops') } } }, /log: .*oops.*onExceeded failed/],
  // Places.
  ['config.rateLimit: true', { own: true }, bad('GET /own config.rateLimit: expected an object of rate-limit options, or false, got true')],
  ['config.rateLimit as a number', { own: 5 }, bad('GET /own config.rateLimit: .* got 5')],
  ['config.ratelimit', { then: route({ config: { ratelimit: here } }) }, unknown('config.ratelimit', 'rateLimit')],
  ['config["rate-limit"]', { then: route({ config: { 'rate-limit': here } }) }, unknown('config.rate-limit', 'rateLimit')],
  ['config.rateLimits', { then: route({ config: { rateLimits: here } }) }, unknown('config.rateLimits', 'rateLimit')],
  ['config.rateLimiter', { then: route({ config: { rateLimiter: here } }) }, unknown('config.rateLimiter', 'rateLimit')],
  ['limits in the config itself', { then: route({ config: { max: 1, timeWindow: '1s' } }) }, unknown('config.max', 'config.rateLimit.max')],
  ['rateLimit beside the config', { then: route({ rateLimit: here }) }, unknown('GET /x rateLimit', 'config.rateLimit')],
  ['two registrations', { then: (app) => app.register(buildRateLimitPlugin(new ManualClock()), here) }, /ALREADY_REGISTERED/],
  ['a guard without a name', { then: (app) => { app.get('/g', { onRequest: app.rateLimit({ max: 1 }) }, async () => 'g') } }, bad('rateLimit.guard.groupId: expected a name')],
  ['a guard that is not called', { then: async (app) => { app.get('/g', { onRequest: app.rateLimit as never }, async () => 'g'); await app.inject('/g') } }, /log: .*rateLimit\.guard/],
  ['one group with two limits', { then: (app) => { for (const max of [1, 2]) app.get(`/${max}`, { config: { rateLimit: { groupId: 'g', max } } }, async () => 'g') } }, /UNEQUAL_LIMITS.*group:g has the limits/],
  // Clients.
  ['a tier that has no limits', { options: { ...here, tiers: { gold: { max: 5 } }, identify: { custom: () => ({ id: 'a', tier: 'golden' }) } } }, warned('UNKNOWN_TIER', 'no policy has limits for the tier "golden"')],
  ['tiers, and no users', { options: { ...here, tiers: { gold: { max: 5 } } } }, warned('TIER_OF_NOBODY', 'no client has the tier "gold"')],
  ['identify.jwt without @fastify/jwt', { options: { ...here, identify: { jwt: true } } }, /NO_JWT.*found no @fastify\/jwt/],
  ['trustProxy: true of Fastify', { server: { trustProxy: true } }, warned('TRUST_PROXY_TRUE', 'which any client can forge')],
  ['trustedProxies: true', { options: { trustedProxies: true } }, bad('rateLimit.trustedProxies: expected an array of addresses')],
  ['all proxies trusted', { options: { trustedProxies: ['0.0.0.0/0'] } }, warned('TRUSTS_EVERYBODY', 'matches every address')],
  ['a forwarded address, and no trusted proxy', { then: sendForwarded }, warned('UNTRUSTED_FORWARDED_FOR', 'X-Forwarded-For')],
  ['a network that is too narrow', { options: { exempt: { ips: ['10.0.0.0/33'] } } }, bad('rateLimit.exempt.ips.0.: expected an address or a CIDR')],
  ['a network with a star', { options: { exempt: { ips: ['10.0.*'] } } }, bad('rateLimit.exempt.ips.0.: expected an address or a CIDR')],
  ['a host for an address', { options: { exempt: { ips: ['localhost'] } } }, bad('rateLimit.exempt.ips.0.: expected an address or a CIDR')],
  ['addresses without a kind', { options: { exempt: ['10.0.0.1'] } }, bad('rateLimit.exempt: expected an object: { ips')],
  // Rules.
  ['rules by name', { options: { rules: { login: { match: '/login', max: 1 } } } }, bad('rateLimit.rules: expected an array of rules')],
  ['a rule without a name', rule('/login', { name: undefined }), bad('rateLimit.rules.0..name: expected a name')],
  ['path in place of match', rule(undefined, { path: '/login' }), unknown('path', 'match')],
  ['a method in the pattern', rule('POST /login'), bad('a pattern begins with "/"')],
  ['a whole URL', rule('https://example.com/login'), bad('a pattern begins with "/"')],
  ['a pattern without a slash', rule('api'), bad('a pattern begins with "/"')],
  ['a regular expression', rule(/login/), bad('rateLimit.rules.0..match: expected a pattern .* got an object')],
  ['a regular expression as text', rule('^/api/.*$'), bad('a pattern begins with "/"')],
  ['a star in a segment', rule('/api*'), bad('a "\\*" must be a whole segment')],
  ['two stars', rule('/api/**'), bad('a "\\*" must be a whole segment')],
  ['a parameter as in OpenAPI', rule('/users/{id}'), bad('a parameter is ":name"')],
  ['a query', rule('/users?id=1'), bad('a path without')],
  ['method in place of methods', rule('/login', { method: 'POST' }), unknown('method', 'methods')],
  ['a method that does not exist', rule('/login', { methods: ['PSOT'] }), warned('RULE_NEVER_APPLIES', 'PSOT cannot be a request.s method')],
  ['one path in two rules', { options: { rules: [{ name: 'a', match: '/login', max: 1 }, { name: 'b', match: '/login', max: 2 }] } }, warned('RULE_NEVER_APPLIES', 'is matched by "a" first')],
  ['a rule for a route that has its own limits', { ...rule('/own'), own: { max: 5 } }, warned('RULE_NEVER_APPLIES', 'does not apply to GET /own, which has limits of its own; set override = true')],
  // Redis.
  ['a host in place of a URL', { options: { redis: 'localhost' } }, bad('rateLimit.redis: .* text that does not begin with "redis://"')],
  ['a host and a port', { options: { redis: 'localhost:6379' } }, bad('rateLimit.redis: .* text that does not begin with "redis://"')],
  ['an address of HTTP', { options: { redis: 'http://localhost:6379' } }, bad('rateLimit.redis: .* text that does not begin with "redis://"')],
  ['a variable that is not set', { options: { redis: undefined } }, warned('REDIS_UNDEFINED', 'each process counts for itself')],
  ['an empty variable', { options: { redis: '' } }, bad('rateLimit.redis: .* got ""')],
  ['redis: true', { options: { redis: true } }, bad('rateLimit.redis: .* got true')],
  ['a promise of a client', { options: { redis: Promise.resolve() } }, bad('rateLimit.redis: .* a Promise; await it first')],
  ['a URL object', { options: { redis: new URL('redis://127.0.0.1') } }, bad('rateLimit.redis: .* a URL object; use its href')],
  ['url among the options', { options: { redis: { url: 'redis://127.0.0.1' } } }, /UNKNOWN_OPTION.*rateLimit.redis.url: unknown option; use the URL itself/],
  ['the class of the client', { options: { redis: Redis } }, bad('rateLimit.redis: .* got a function')],
  ['a client of node-redis', { options: { redis: { sendCommand () {} } } }, bad('rateLimit.redis: .* a client of another library than ioredis')],
  ['a wrong port', { options: { redis: 'redis://127.0.0.1:1' } }, /log: .*the store cannot be reached \(ECONNREFUSED\)/],
  ['sentinels without a name', { options: { redis: { sentinels: [{ host: '127.0.0.1', port: 1 }] } } }, bad('rateLimit.redis.name: expected the name by which the sentinels know')],
  ['a store that is a class', { options: { store: class {} } }, bad('rateLimit.store: expected a store')],
  // The environment and the file. More of both: environment/environment-mistakes.test.ts, file/bad.
  ['a misspelt variable', { env: { SLUICE_MXA: '5' } }, unknown('SLUICE_MXA', 'SLUICE_MAX')],
  ['a word for a number', { env: { SLUICE_MAX: 'ten' } }, bad('SLUICE_MAX: expected an integer')],
  ['seconds in a variable', { env: { SLUICE_TIME_WINDOW: '60' } }, warned('SHORT_WINDOW', 'SLUICE_TIME_WINDOW: is 60 milliseconds')],
  ['no for false', { env: { SLUICE_ENABLED: 'no' } }, bad('SLUICE_ENABLED: expected true or false')],
  ['one underscore between levels', { ...rule('/login', { name: 'login' }), env: { SLUICE_RULES_LOGIN_MAX: '5' } }, unknown('SLUICE_RULES_LOGIN_MAX', 'SLUICE_RULES__LOGIN__MAX')],
  ['a file that does not exist', { options: { configFile: '/no/such.toml' } }, /UNREADABLE_FILE.*does not exist/],
  ['a file of another format', { options: { configFile: 'package.json' } }, /BAD_SYNTAX.*package.json:1:1/]
]

/** A proxy before the application sends the address of its client. An injected request has no connection, so it is really sent. */
async function sendForwarded (app: FastifyInstance): Promise<void> {
  const address = await app.listen({ port: 0, host: '127.0.0.1' })
  await fetch(address, { headers: { 'x-forwarded-for': '203.0.113.1' } })
}

t.ok(new Set(rows.map(([mistake]) => mistake)).size === rows.length && rows.length > 100)

for (const [mistake, made, answer] of rows) {
  t.test(`a typical mistake is answered: ${mistake}`, async (t) => {
    t.match(await listen(t, made), answer)
  })
}
