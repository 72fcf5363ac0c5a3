import t from 'tap'
import { readEnvironment, type Environment } from '../../../lib/config/environment/environment.js'
import type { LayerOptions } from '../../../lib/config/layers/layer.js'

const aDuration = 'a duration such as "10s" or a number of milliseconds'
const anInteger = 'an integer from 0 to 4294967295'
const aNetwork = 'an address or a CIDR such as "10.0.0.0/8", "loopback", "private"'
const aRule = 'a rule: { name, match, methods?, override?, max, timeWindow, ... }'
const redis = 'a URL such as "redis://127.0.0.1:6379", or JSON: ioredis options, { sentinels, name } or { cluster: [nodes] }'
const notShown = 'text (not shown, as it may contain a password)'

const BAD = 'FST_SLUICE_BAD_OPTION'
const UNKNOWN = 'FST_SLUICE_UNKNOWN_OPTION'
const CONTRADICTION = 'FST_SLUICE_CONTRADICTION'

const lower: LayerOptions = {
  rules: [{ name: 'log-in', match: '/a' }, { name: 'Log_In', match: '/b' }, { name: 'report', match: '/c' }],
  tiers: { premium: false }
}

/** Variables, and what is said of them after "SLUICE_". */
const wrong: ReadonlyArray<readonly [env: Environment, code: string, ...messages: string[]]> = [
  [{ SLUICE_MAX: 'ten' }, BAD, `MAX: expected ${anInteger}, got "ten"`],
  [{ SLUICE_MAX: '-1' }, BAD, `MAX: expected ${anInteger}, got -1`],
  [{ SLUICE_MAX: '1.0' }, BAD, `MAX: expected ${anInteger}, got "1.0"`],
  [{ SLUICE_MAX: '1e3' }, BAD, `MAX: expected ${anInteger}, got "1e3"`],
  [{ SLUICE_MAX: '0x10' }, BAD, `MAX: expected ${anInteger}, got "0x10"`],
  [{ SLUICE_MAX: '1_000' }, BAD, `MAX: expected ${anInteger}, got "1_000"`],
  [{ SLUICE_MAX: '010' }, BAD, `MAX: expected ${anInteger}, got "010"`],
  [{ SLUICE_MAX: '99999999999999999999' }, BAD, `MAX: expected ${anInteger}, got "99999999999999999999"`],
  [{ SLUICE_MAX: 'Infinity' }, BAD, `MAX: expected ${anInteger}, got "Infinity"`],
  [{ SLUICE_MAX: '"5"' }, BAD, `MAX: expected ${anInteger}, got "\\"5\\""`],
  [{ SLUICE_COST: 'some' }, BAD, 'COST: expected an integer of 0 or more, got "some"'],
  [{ SLUICE_RULES__REPORT__COST: 'some' }, BAD, 'RULES__REPORT__COST: expected an integer of 0 or more, got "some"'],
  [{ SLUICE_TIME_WINDOW: '10 parsecs' }, BAD, `TIME_WINDOW: expected ${aDuration}, got "10 parsecs"`],
  [{ SLUICE_RULES__REPORT__TIMEWINDOW: '0' }, BAD, `RULES__REPORT__TIMEWINDOW: expected ${aDuration}, got 0`],
  [{ SLUICE_THROTTLE__MAX_DELAY: 'soon' }, BAD, `THROTTLE__MAX_DELAY: expected ${aDuration}, got "soon"`],
  [{ SLUICE_RULES: '[{"name":"a","tiers":{"x":{"timeWindow":"y"}}}]' }, BAD, `RULES[0].tiers.x.timeWindow: expected ${aDuration}, got "y"`],
  [{ SLUICE_ENABLED: 'yes' }, BAD, 'ENABLED: expected true or false, got "yes"'],
  [{ SLUICE_MODE: 'SHADOW' }, BAD, 'MODE: expected "enforce" or "shadow", got "SHADOW"'],
  [{ SLUICE_THROTTLE: 'on' }, BAD, 'THROTTLE: expected false, or an object: { maxDelay?, maxQueued?, maxQueuedPerClient? }, got "on"'],
  [{ SLUICE_THROTTLE: '{"maxdelay":1}' }, UNKNOWN, 'THROTTLE.maxdelay: unknown option, did you mean "maxDelay"?'],
  [{ SLUICE_TIERS: 'premium' }, BAD, 'TIERS: expected an object of limits by tier name, got "premium"'],
  [{ SLUICE_RULES: 'login' }, BAD, 'RULES: expected an array of rules, got "login"'],
  [{ SLUICE_RULES__REPORT: 'off' }, BAD, `RULES__REPORT: expected ${aRule}, got "off"`],
  [{ SLUICE_RULES__REPORT__METHODS: 'GET,PO ST' }, BAD, 'RULES__REPORT__METHODS[1]: expected an HTTP method, got "PO ST"'],
  [{ SLUICE_LIMITS__DAILY__MAX: '5' }, BAD, `LIMITS__DAILY__TIME_WINDOW: expected ${aDuration}, got nothing`],
  [{ SLUICE_LIMITS__DAILY__MAX: '5', SLUICE_LIMITS__DAILY__PERIOD: 'day', SLUICE_LIMITS__DAILY__TIME_ZONE: 'Mars' }, BAD, 'LIMITS__DAILY__TIME_ZONE: expected an IANA time zone such as "Europe/Berlin", got "Mars"'],
  [{ SLUICE_MAX: '5', SLUICE_PERIOD: 'day', SLUICE_ANCHOR: 'today' }, BAD, 'ANCHOR: expected an instant such as "2026-01-31T00:00:00Z", or "client", got "today"'],
  [{ SLUICE_IDENTIFY__DEADLINE: '61s' }, BAD, `IDENTIFY__DEADLINE: expected ${aDuration}, at most a minute, got "61s"`],
  [{ SLUICE_IDENTIFY: '{"custom":5}' }, CONTRADICTION, 'IDENTIFY.custom: belongs in the code that registers the plugin; a variable cannot hold it'],
  [{ SLUICE_TRUSTED_PROXIES: 'loopback,10.0.0' }, BAD, `TRUSTED_PROXIES[1]: expected ${aNetwork} or "unix", got "10.0.0"`],
  [{ SLUICE_TRUSTED_PROXIES: '[::1]' }, BAD, 'TRUSTED_PROXIES: expected JSON, since it begins with "[", got invalid JSON'],
  [{ SLUICE_RULES: '[{"__proto__":{}}]' }, BAD, 'RULES: expected JSON, since it begins with "[", got invalid JSON'],
  [{ SLUICE_KEY_GENERATOR: 'ip' }, BAD, 'KEY_GENERATOR: expected a function, which only code can set, got text'],
  [{ SLUICE_IDENTIFY__CUSTOM: '{}' }, BAD, 'IDENTIFY__CUSTOM: expected a function, which only code can set, got text'],
  [{ SLUICE_MAX: 'a', SLUICE_BURST: '0' }, BAD, `MAX: expected ${anInteger}, got "a"`, 'BURST: expected an integer from 1 to 4294967295, got 0'],

  [{ SLUICE_MAXX: '5' }, UNKNOWN, 'MAXX: unknown option, did you mean "SLUICE_MAX"?'],
  [{ SLUICE_WINDOW: '5' }, UNKNOWN, 'WINDOW: unknown option'],
  [{ SLUICE_: '5' }, UNKNOWN, ': unknown option'],
  [{ SLUICE_CONFIGS: 'x' }, UNKNOWN, 'CONFIGS: unknown option, did you mean "SLUICE_CONFIG"?'],
  [{ SLUICE_THROTTLE_MAX_DELAY: '1s' }, UNKNOWN, 'THROTTLE_MAX_DELAY: unknown option, did you mean "SLUICE_THROTTLE__MAX_DELAY"?'],
  [{ SLUICE_RULES_LOG_IN_MAX: '5' }, UNKNOWN, 'RULES_LOG_IN_MAX: unknown option, did you mean "SLUICE_RULES__LOG_IN__MAX"?'],
  [{ SLUICE_TIERS_PREMIUM_MAX: '5' }, UNKNOWN, 'TIERS_PREMIUM_MAX: unknown option, did you mean "SLUICE_TIERS__PREMIUM__MAX"?'],
  [{ SLUICE_THROTLE__MAX_DELY: '1s' }, UNKNOWN, 'THROTLE__MAX_DELY: unknown option, did you mean "SLUICE_THROTTLE__MAX_DELAY"?'],
  [{ SLUICE_RULES__REPORT__TIME_WINDO: '1s' }, UNKNOWN, 'RULES__REPORT__TIME_WINDO: unknown option, did you mean "SLUICE_RULES__REPORT__TIME_WINDOW"?'],
  [{ SLUICE_REDIS__HOST: 'a' }, UNKNOWN, 'REDIS__HOST: unknown option, did you mean "SLUICE_REDIS"?'],
  [{ SLUICE_REDIS_PORT: '6380' }, UNKNOWN, 'REDIS_PORT: unknown option'],
  [{ SLUICE_MAX__: '5' }, UNKNOWN, 'MAX__: unknown option, did you mean "SLUICE_MAX"?'],
  [{ SLUICE_TIERS____PROTO____MAX: '5' }, UNKNOWN, 'TIERS____PROTO____MAX: unknown option, did you mean "SLUICE_TIERS"?'],
  [{ SLUICE_RULES__REPORT__NAME: 'x' }, UNKNOWN, 'RULES__REPORT__NAME: unknown option, did you mean "SLUICE_RULES__REPORT"?'],
  [{ 'SLUICE_A\nB\u001B[31m': 'x' }, UNKNOWN, 'A\\u{a}B\\u{1b}[31m: unknown option'],
  [{ [`SLUICE_${'A'.repeat(5000)}`]: 'x' }, UNKNOWN, `${'A'.repeat(93)}...: unknown option`],

  [{ SLUICE_TIMEWINDOW: '1s', SLUICE_TIME_WINDOW: '1s' }, CONTRADICTION, 'TIME_WINDOW: sets the same option as SLUICE_TIMEWINDOW; set only one of them'],
  [{ SLUICE_THROTTLE: 'false', SLUICE_THROTTLE__MAX_DELAY: '1s' }, CONTRADICTION, 'THROTTLE__MAX_DELAY: is part of the option that SLUICE_THROTTLE sets as a whole; set only one of them'],
  [{ SLUICE_RULES: '[]', SLUICE_RULES__REPORT__TIERS__A__MAX: '1' }, CONTRADICTION, 'RULES__REPORT__TIERS__A__MAX: is part of the option that SLUICE_RULES sets as a whole; set only one of them'],
  // "-" sorts before "_", so here the part comes first.
  [{ 'SLUICE_TIERS__A--B__MAX': '1', 'SLUICE_TIERS__a--b': 'off' }, CONTRADICTION, 'TIERS__A--B__MAX: is part of the option that SLUICE_TIERS__a--b sets as a whole; set only one of them'],
  [{ SLUICE_LIMITS__A: '{"max":1,"timeWindow":"1s"}', SLUICE_MAX: '5' }, CONTRADICTION, 'MAX: contradicts SLUICE_LIMITS__A; set it in one of the limits'],
  [{ SLUICE_RULES__REPORT__LIMITS: '[{"name":"a","max":1,"timeWindow":"1s"}]', SLUICE_RULES__REPORT__BURST: '5' }, CONTRADICTION, 'RULES__REPORT__BURST: contradicts SLUICE_RULES__REPORT__LIMITS; set it in one of the limits'],
  [{ SLUICE_RULES__LOG_IN__MAX: '5' }, CONTRADICTION, 'RULES__LOG_IN__MAX: is ambiguous: it matches "log-in" and "Log_In"; rename one of them'],
  [{ SLUICE_RULES__REPORT: '{"name":"reports"}' }, CONTRADICTION, 'RULES__REPORT.name: contradicts the variable, which names "report"'],
  [{ SLUICE_RULES: '[{"name":"a"},{"name":"b"},{"name":"a"}]' }, CONTRADICTION, 'RULES[2].name: rules[0] has the name "a" already'],

  [{ SLUICE_REDIS: 'redis:hunter2' }, BAD, `REDIS: expected ${redis}, got text that does not begin with "redis://" or "rediss://"`],
  [{ SLUICE_REDIS: 'redis://default:12/hunter2@host/0' }, BAD, `REDIS: expected ${redis}, got a URL whose user or password is not percent-encoded`],
  [{ SLUICE_REDIS: 'redis://h?hunter2' }, UNKNOWN, 'REDIS: unknown option in the query of the URL'],
  [{ SLUICE_REDIS: '{"password":"hunter2"' }, BAD, 'REDIS: expected JSON, since it begins with "{", got invalid JSON'],
  [{ SLUICE_REDIS: '{"cluster":"redis://:hunter2@host"}' }, BAD, `REDIS.cluster: expected an array of at least one { host, port }, got ${notShown}`],
  [{ SLUICE_REDIS: `{"cluster":"redis://:hunter2${'x'.repeat(60)}@host"}` }, BAD, `REDIS.cluster: expected an array of at least one { host, port }, got ${notShown}`],
  [{ SLUICE_REDIS: '{"port":70000,"password":"hunter2"}' }, BAD, 'REDIS.port: expected a port from 1 to 65535, got 70000'],
  [{ SLUICE_REDIS: '{"passwort":"hunter2"}' }, UNKNOWN, 'REDIS.passwort: unknown option, did you mean "password"?'],
  [{ SLUICE_REDIS: '{"port":"hunter2","db":-1}' }, BAD, `REDIS.port: expected a port from 1 to 65535, got ${notShown}`, 'REDIS.db: expected a whole number from 0 to 2147483647, got -1'],
  [{ SLUICE_REDIS_URL: 'redis://:hunter2@host' }, UNKNOWN, 'REDIS_URL: unknown option']
]

const ADVICE = / Variables that begin with SLUICE_ are read as options; `environment: false` or another prefix prevents that\.$/

/** A message without the advice for unknown variables, which has a test of its own. */
function withoutAdvice (message: string): string {
  return ADVICE.test(message) ? message.replace(ADVICE, '').replace(/\.$/, '') : message
}

for (const [env, code, ...messages] of wrong) {
  t.test(`the environment is refused: ${messages[0]}`, async (t) => {
    const { mistakes } = readEnvironment(env, lower)
    t.strictSame(mistakes.map(({ message }) => withoutAdvice(message)), messages.map((message) => `SLUICE_${message}`))
    for (const mistake of mistakes) {
      t.match(mistake, { code })
      t.notMatch(mistake.message, /hunter2/)
    }
  })
}

t.test('every mistake is told at once', async (t) => {
  const { mistakes } = readEnvironment({ SLUICE_MAX: 'x', SLUICE_MAXX: '1', SLUICE_ON_EXCEEDED: 'x', SLUICE_BY: 'me', SLUICE_TIMEWINDOW: '1', SLUICE_TIME_WINDOW: '2' })
  t.equal(mistakes.length, 5)
})

t.test('a value of more than 65,536 characters is refused unread', async (t) => {
  const { layer, mistakes } = readEnvironment({ SLUICE_GROUP_ID: 'x'.repeat(65_537) })
  t.strictSame(mistakes.map(({ message }) => message), ['SLUICE_GROUP_ID: expected at most 65536 characters, got 65537'])
  t.strictSame(layer.options, {})
})

t.test('more than 1000 variables are refused unread, and Kubernetes\' do not count', async (t) => {
  const variables = (count: number, name: (index: number) => string) => Object.fromEntries(Array.from({ length: count }, (_, index) => [name(index), '1']))
  const links = variables(1000, (index) => `SLUICE_PORT_${index}_TCP`)
  const { mistakes } = readEnvironment({ ...variables(1001, (index) => `SLUICE_TIERS__T${index}__MAX`), ...links })
  t.strictSame(mistakes.map(({ message }) => message), ['SLUICE_...: expected at most 1000 variables, got 1001'])
  t.strictSame(readEnvironment({ ...variables(1000, (index) => `SLUICE_TIERS__T${index}__MAX`), ...links }).mistakes, [])
})

t.test('JSON of more than 32 levels is refused, however deep it is', async (t) => {
  for (const depth of [33, 1000, 30_000]) {
    const text = `{"port":70000,"tls":${'['.repeat(depth - 1)}"hunter2"${']'.repeat(depth - 1)}}`
    const { layer, mistakes } = readEnvironment({ SLUICE_REDIS: text })
    t.match(mistakes.map(({ message }) => message), [/^SLUICE_REDIS: expected JSON, since it begins with "{", got (?:more than 32 levels|invalid JSON)$/])
    t.strictSame(layer.options, {})
  }
  t.strictSame(readEnvironment({ SLUICE_REDIS: `{"tls":{"ca":${'['.repeat(30)}1${']'.repeat(30)}}}` }).mistakes, [])
})

t.test('an unknown variable says why it was read, and how to decline', async (t) => {
  const messages = (prefix?: string) => readEnvironment({ SLUICE_WINDOW_MS: '60000', MY_LIMIT_MAXX: '5' }, {}, prefix).mistakes.map(({ message }) => message)
  t.strictSame(messages(), [
    'SLUICE_WINDOW_MS: unknown option. Variables that begin with SLUICE_ are read as options; `environment: false` or another prefix prevents that.'
  ])
  t.strictSame(messages('MY_LIMIT_'), [
    'MY_LIMIT_MAXX: unknown option, did you mean "MY_LIMIT_MAX"? Variables that begin with MY_LIMIT_ are read as options; `environment: false` or another prefix prevents that.'
  ])
})
