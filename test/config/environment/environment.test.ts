import t from 'tap'
import { getConfigFile, readEnvironment, type Environment } from '../../../lib/config/environment/environment.js'
import { knownVariables } from '../../../lib/config/environment/environment-schema.js'
import { isServiceLink } from '../../../lib/config/environment/environment.js'
import type { LayerOptions } from '../../../lib/config/layers/layer.js'
import { mergeLayers, registerLayer } from '../../../lib/config/layers/merge.js'

function optionsOf (env: Environment, lower?: LayerOptions): unknown {
  const { layer, mistakes } = readEnvironment(env, lower)
  t.strictSame(mistakes.map(({ message }) => message), [], 'nothing is wrong')
  return layer.options
}

const rows: ReadonlyArray<readonly [env: Environment, options: unknown, fact: string]> = [
  [{ SLUICE_MAX: ' 5 ' }, { max: 5 }, 'spaces around a value do not count'],
  [{ SLUICE_MAX: '', SLUICE_BURST: '  ' }, {}, 'an empty variable is as good as none'],
  [{ SLUICE_MAX: undefined, MAX: '5', MY_SLUICE_MAX: '5', sluice_max: '5', RATE_LIMIT_MAX: '5' }, {}, 'other variables are nobody\'s business here'],
  [{ SLUICE_TIME_WINDOW: '1 minute' }, { timeWindow: '1 minute' }, 'a duration is text'],
  [{ SLUICE_TIME_WINDOW: '60000' }, { timeWindow: 60_000 }, 'a duration of digits is milliseconds'],
  [{ SLUICE_TIMEWINDOW: '10s' }, { timeWindow: '10s' }, 'words need no underscores between them'],
  [{ SLUICE_IPV6_SUBNET: '64' }, { ipv6Subnet: 64 }, 'a digit belongs to its word'],
  [{ SLUICE_THROTTLE__MAX_QUEUED_PER_CLIENT: '7' }, { throttle: { maxQueuedPerClient: 7 } }, 'two underscores are a level'],
  [{ SLUICE_THROTTLE__MAXQUEUEDPERCLIENT: '7' }, { throttle: { maxQueuedPerClient: 7 } }, 'also where the words have none between them'],
  [{ SLUICE_THROTTLE: 'off', SLUICE_PENALTY: 'FALSE' }, { throttle: false, penalty: false }, 'what may be false may be off'],
  [{ SLUICE_ENABLED: '0', SLUICE_GLOBAL: 'True' }, { enabled: false, global: true }, 'a switch is 0 or 1, true or false'],
  [{ SLUICE_ENABLED: 'on', SLUICE_GLOBAL: 'OFF' }, { enabled: true, global: false }, 'or on or off'],
  [{ SLUICE_HEADERS: 'off' }, { headers: 'off' }, 'a word that means off stays a word where it is one of the words'],
  [{ SLUICE_PENALTY__FACTOR: '1.5' }, { penalty: { factor: 1.5 } }, 'a number with decimals, where they are allowed'],
  [{ SLUICE_GROUP_ID: '42', SLUICE_EXEMPT__USERS: '42,7' }, { groupId: '42', exempt: { users: ['42', '7'] } }, 'text may look like a number'],
  [{ SLUICE_TRUSTED_PROXIES: 'loopback, 10.0.0.0/8,' }, { trustedProxies: ['loopback', '10.0.0.0/8'] }, 'a list has commas'],
  [{ SLUICE_TRUSTED_PROXIES: '["loopback"]', SLUICE_EXEMPT__ROUTES: '[]' }, { trustedProxies: ['loopback'], exempt: { routes: [] } }, 'a list may be JSON'],
  [{ SLUICE_REFUND_ON: '2xx,304' }, { refundOn: ['2xx', 304] }, 'an entry of a list has its own type'],
  [{ SLUICE_IDENTIFY__JWT: 'true' }, { identify: { jwt: true } }, 'a switch that may be an object is a switch'],
  [{ SLUICE_IDENTIFY__JWT__USER_CLAIM: 'sub' }, { identify: { jwt: { userClaim: 'sub' } } }, 'or an object'],
  [{ SLUICE_LEASES: 'true', SLUICE_RULES__LOGIN__LEASES: 'off' }, { leases: true, rules: [{ name: 'login', leases: false }] }, 'leases are a switch'],
  [{ SLUICE_LEASES__HOLD: '5s', SLUICE_RULES__LOGIN__LEASES__HOLD: '500' }, { leases: { hold: '5s' }, rules: [{ name: 'login', leases: { hold: 500 } }] }, 'or an object with hold'],
  [{ SLUICE_LIMITS: '[{"name":"day","max":5,"timeWindow":"1d","leases":{"hold":"1s"}}]' }, { limits: [{ name: 'day', max: 5, timeWindow: '1d', leases: { hold: '1s' } }] }, 'of one limit too'],
  [{ SLUICE_REDIS: 'rediss://:secret@10.0.0.1:6379/2' }, { redis: 'rediss://:secret@10.0.0.1:6379/2' }, 'Redis is a URL'],
  [{ SLUICE_REDIS: '{"sentinels":[{"host":"a","port":1}],"name":"m"}' }, { redis: { sentinels: [{ host: 'a', port: 1 }], name: 'm' } }, 'or JSON'],
  [{ SLUICE_LIMITS: '[{"name":"Day","max":5,"timeWindow":"1d"}]' }, { limits: [{ name: 'Day', max: 5, timeWindow: '1d' }] }, 'JSON has names as they are'],
  [{ SLUICE_TIERS: '{"Gold":{"max":5},"internal":false}' }, { tiers: { Gold: { max: 5 }, internal: false } }, 'of tiers too'],
  [{ SLUICE_TIERS__PREMIUM__MAX: '9', SLUICE_TIERS__INTERNAL: 'off' }, { tiers: { internal: false, premium: { max: 9 } } }, 'a new name is in lower case'],
  [{ SLUICE_RULES__SIGN_UP__MATCH: '/sign-up', SLUICE_RULES__SIGN_UP__METHODS: 'POST' }, { rules: [{ name: 'sign_up', match: '/sign-up', methods: ['POST'] }] }, 'a rule goes by its name'],
  [{ SLUICE_RULES__LOGIN: '{"max":5}', SLUICE_RULES__A__COST: '2' }, { rules: [{ name: 'a', cost: 2 }, { name: 'login', max: 5 }] }, 'a rule may be JSON'],
  [{ SLUICE_RULES__LOGIN__TIERS__PREMIUM__TIME_WINDOW: '1h' }, { rules: [{ name: 'login', tiers: { premium: { timeWindow: '1h' } } }] }, 'names within names'],
  [{ SLUICE_CONFIG: '/etc/rate-limit.toml' }, {}, 'the path of the config file is no option']
]

for (const [env, options, fact] of rows) {
  t.test(fact, async (t) => t.strictSame(optionsOf(env), options))
}

const lower: LayerOptions = {
  rules: [{ name: 'log-in.v2', match: '/in' }, { name: 'a--b', match: '/b' }, { name: 'a', match: '/a', tiers: { Gold: { max: 1 } } }],
  tiers: { Premium: false, gold: false },
  identify: { defaultTier: 'Basic-Users' },
  limits: [{ name: 'per-second', max: 10, burst: 20, timeWindow: '1s' }, { name: 'hourly', max: () => 100, timeWindow: '1h' }]
}

const named: ReadonlyArray<readonly [env: Environment, options: unknown, fact: string]> = [
  [{ SLUICE_RULES__LOG_IN_V2__MAX: '1' }, { rules: [{ name: 'log-in.v2', max: 1 }] }, 'an underscore stands for what variables cannot have'],
  [{ 'SLUICE_RULES__log-in.v2__MAX': '1' }, { rules: [{ name: 'log-in.v2', max: 1 }] }, 'a name may be written as it is'],
  [{ SLUICE_RULES__A__B__MAX: '1' }, { rules: [{ name: 'a--b', max: 1 }] }, 'a known name may look like two levels'],
  [{ SLUICE_RULES__A__MAX: '1' }, { rules: [{ name: 'a', max: 1 }] }, 'and what it begins with is another'],
  [{ SLUICE_TIERS__PREMIUM__MAX: '1' }, { tiers: { Premium: { max: 1 } } }, 'a known tier keeps its case'],
  [{ SLUICE_RULES__A__TIERS__PREMIUM__MAX: '1' }, { rules: [{ name: 'a', tiers: { Premium: { max: 1 } } }] }, 'also in a policy that does not have it yet'],
  [{ SLUICE_RULES__A__TIERS__GOLD__MAX: '2' }, { rules: [{ name: 'a', tiers: { Gold: { max: 2 } } }] }, 'the policy\'s own name goes first'],
  [{ SLUICE_TIERS__BASIC_USERS: 'false' }, { tiers: { 'Basic-Users': false } }, 'the tier of users without one is known'],
  [{ SLUICE_LIMITS__HOURLY__TIME_WINDOW: '2h' }, { limits: [lower.limits?.[0], { ...lower.limits?.[1], timeWindow: '2h' }] }, 'the limits beside a changed one are kept'],
  [{ SLUICE_LIMITS__PER_SECOND__MAX: '5' }, { limits: [{ name: 'per-second', max: 5, timeWindow: '1s' }, lower.limits?.[1]] }, 'a burst goes with its max'],
  [{ SLUICE_LIMITS__PER_SECOND__ALGORITHM: 'fixed-window' }, { limits: [{ name: 'per-second', max: 10, timeWindow: '1s', algorithm: 'fixed-window' }, lower.limits?.[1]] }, 'and with the token bucket'],
  [{ SLUICE_LIMITS__PER_SECOND__MODE: 'shadow' }, { limits: [{ ...lower.limits?.[0], mode: 'shadow' }, lower.limits?.[1]] }, 'and stays otherwise'],
  [{ SLUICE_LIMITS__PER_SECOND__COST: '5', SLUICE_LIMITS__PER_SECOND__ON_UNSETTLED: 'refund' }, { limits: [{ ...lower.limits?.[0], cost: 5, onUnsettled: 'refund' }, lower.limits?.[1]] }, 'a cost of its own'],
  [{ SLUICE_LIMITS__DAILY: '{"max":5,"timeWindow":"1d"}' }, { limits: [...lower.limits ?? [], { name: 'daily', max: 5, timeWindow: '1d' }] }, 'a new limit is added'],
  [{ SLUICE_LIMITS: '[{"name":"daily","max":5,"timeWindow":"1d"}]' }, { limits: [{ name: 'daily', max: 5, timeWindow: '1d' }] }, 'limits as a whole replace those below']
]

for (const [env, options, fact] of named) {
  t.test(fact, async (t) => t.strictSame(optionsOf(env, lower), options))
}

t.test('the same variables are the same layer in whatever order they were set', async (t) => {
  const env = { SLUICE_RULES__B__MAX: '1', SLUICE_MAX: '2', SLUICE_RULES__A__MAX: '3' }
  const turned = Object.fromEntries(Object.entries(env).reverse())
  t.equal(JSON.stringify(optionsOf(env)), JSON.stringify(optionsOf(turned)))
})

t.test('a name never reaches a prototype', async (t) => {
  const { layer } = readEnvironment({ SLUICE_TIERS____PROTO____MAX: '1', SLUICE_TIERS__PROTOTYPE__MAX: '1', SLUICE_TIERS__CONSTRUCTOR__MAX: '1', SLUICE___PROTO__: '1', SLUICE_TIERS: '' })
  t.equal(Reflect.get({}, 'max'), undefined)
  t.equal(Object.getPrototypeOf(layer.options), Object.prototype)
  t.equal(Object.getPrototypeOf(layer.options.tiers), Object.prototype)
  t.strictSame(Object.keys(layer.options.tiers ?? {}), ['constructor', 'prototype'])
})

t.test('a place is the variable that set the value, or the one that would', async (t) => {
  const { layer: { locate } } = readEnvironment({
    SLUICE_TIMEWINDOW: '1s',
    SLUICE_RULES__LOG_IN_V2__TIERS__PREMIUM__MAX: '1',
    SLUICE_RULES__A: '{"limits":[{"name":"x","max":1,"timeWindow":"1s"}]}',
    SLUICE_LIMITS__HOURLY__MAX: '5',
    SLUICE_TRUSTED_PROXIES: 'loopback,unix'
  }, lower)
  t.equal(locate(['timeWindow']), 'SLUICE_TIMEWINDOW', 'as it was spelled')
  t.equal(locate(['trustedProxies', 1]), 'SLUICE_TRUSTED_PROXIES[1]')
  t.equal(locate(['rules', 0, 'limits', 0, 'max']), 'SLUICE_RULES__A.limits[0].max', 'in JSON')
  t.equal(locate(['rules', 1, 'tiers', 'Premium', 'max']), 'SLUICE_RULES__LOG_IN_V2__TIERS__PREMIUM__MAX')
  t.equal(locate(['rules', 1, 'match']), 'SLUICE_RULES__LOG_IN_V2__MATCH', 'what is missing')
  t.equal(locate(['rules', 1]), 'SLUICE_RULES__LOG_IN_V2')
  t.equal(locate(['limits', 1, 'max']), 'SLUICE_LIMITS__HOURLY__MAX')
  t.equal(locate(['limits', 0, 'timeWindow']), 'SLUICE_LIMITS__PER_SECOND__TIME_WINDOW', 'what came from below')
  t.equal(locate(['throttle', 'maxDelay']), 'SLUICE_THROTTLE__MAX_DELAY')
  t.equal(locate(['maxx']), 'SLUICE.maxx', 'what is no option')
  t.equal(locate([]), 'SLUICE', 'all of it')
})

t.test('variables are laid over what the code says, name by name', async (t) => {
  const code = { ...lower, rules: [{ name: 'log-in', match: '/in', max: 5, timeWindow: '1m', tiers: { Gold: { max: 9, timeWindow: '1m' } } }] }
  const below = mergeLayers([registerLayer(code)])
  const { layer, mistakes } = readEnvironment({ SLUICE_LIMITS__HOURLY__MAX: '50', SLUICE_RULES__LOG_IN__TIERS__GOLD__MAX: '10', SLUICE_TIERS__PREMIUM: 'off' }, below.options)
  t.strictSame(mistakes, [])
  const { options, findOrigin } = mergeLayers([registerLayer(code), layer])
  t.strictSame(options.limits, [lower.limits?.[0], { name: 'hourly', max: 50, timeWindow: '1h' }])
  t.match(options.rules, [{ name: 'log-in', match: '/in', max: 5, timeWindow: '1m', tiers: { Gold: { max: 10, timeWindow: '1m' } } }])
  t.strictSame(findOrigin(['rules', 0, 'tiers', 'Gold', 'max']), { layer: 'environment', place: 'SLUICE_RULES__LOG_IN__TIERS__GOLD__MAX' })
  t.strictSame(findOrigin(['rules', 0, 'max']), { layer: 'register', place: 'rateLimit.rules[0].max' })
})

t.test('a variable of a rule that nobody has made asks for its match', async (t) => {
  const code = { rules: [{ name: 'login', match: '/in' }] }
  const { layer } = readEnvironment({ SLUICE_RULES__LOGN__MAX: '5' }, code)
  t.throws(() => mergeLayers([registerLayer(code), layer]), { code: 'FST_SLUICE_BAD_OPTION', message: /^SLUICE_RULES__LOGN__MATCH: expected a pattern .* did you mean "login"/ })
})

t.test('the config file is named by SLUICE_CONFIG', async (t) => {
  t.equal(getConfigFile({ SLUICE_CONFIG: ' rate-limit.toml ' }), 'rate-limit.toml')
  t.equal(getConfigFile({ SLUICE_CONFIG: '' }), null)
  t.equal(getConfigFile({}), null)
})

t.test('what Kubernetes says of services called sluice, or so at the beginning, is passed over', async (t) => {
  const address = 'tcp://10.0.0.11:6379'
  const links = ['SLUICE', 'SLUICE_REDIS', 'SLUICE_REDIS_PORT_2', 'SLUICE_MAX'].flatMap((service) => [
    [`${service}_SERVICE_HOST`, '10.0.0.11'],
    [`${service}_SERVICE_PORT`, '6379'],
    [`${service}_SERVICE_PORT_HTTP`, '6379'],
    [`${service}_PORT`, address],
    ...['TCP', 'UDP', 'SCTP'].flatMap((protocol) => [
      [`${service}_PORT_6379_${protocol}`, address],
      [`${service}_PORT_6379_${protocol}_PROTO`, 'tcp'],
      [`${service}_PORT_6379_${protocol}_PORT`, '6379'],
      [`${service}_PORT_6379_${protocol}_ADDR`, '10.0.0.11']
    ])
  ])
  t.equal(links.length, 64)
  t.strictSame(optionsOf({ ...Object.fromEntries(links), SLUICE_MAX: '5' }), { max: 5 })
})

t.test('no option looks like one of Kubernetes\' variables', async (t) => {
  const variables = knownVariables().map(({ variable }) => variable.replaceAll(/<\w+>/g, 'NAME'))
  t.ok(variables.includes('SLUICE_RULES__NAME__TIERS__NAME__LIMITS__NAME__MAX'))
  t.strictSame(variables.filter((variable) => isServiceLink(variable.slice('SLUICE_'.length), 'tcp://10.0.0.11:80')), [])
})

t.test('another prefix is read as SLUICE_ is, and named in messages', async (t) => {
  const env = { API_LIMIT_MAX: '5', API_LIMIT_RULES__LOGIN__MAX: '3', API_LIMIT_CONFIG: 'limits.toml', SLUICE_MAX: '9', SLUICE_CONFIG: 'other.toml' }
  const { layer, mistakes } = readEnvironment(env, {}, 'API_LIMIT_')
  t.strictSame(mistakes, [])
  t.strictSame(layer.options, { max: 5, rules: [{ name: 'login', max: 3 }] })
  t.equal(layer.locate(['max']), 'API_LIMIT_MAX')
  t.equal(layer.locate(['rules', 0, 'burst']), 'API_LIMIT_RULES__LOGIN__BURST')
  t.equal(getConfigFile(env, 'API_LIMIT_'), 'limits.toml')
  t.equal(getConfigFile(env), 'other.toml')
})
