// What an operator writes: durations, instants, the config file and variables.
import { readEnvironment } from '../../lib/config/environment/environment.js'
import { readConfigText } from '../../lib/config/file/config-file.js'
import { durationMs, unboundedDurationMs } from '../../lib/config/schema/durations.js'
import { parseInstantMs } from '../../lib/config/schema/instants.js'
import { createPositionFinder } from '../../lib/config/file/toml-positions.js'
import { hostileTexts } from './hostile.js'
import { hold, holdPlain, holdPrintable, isOwnError, type Target } from './target.js'

const duration: Target = {
  name: 'duration',
  inputs: hostileTexts(['10s', '1.5ms', '1 minute', '2 hours', '3d', '1y', '100', '1 week', '.5h'], ['ms', ' ', '.', 's', 'years', '9'.repeat(90)]),
  check (input) {
    const ms = durationMs(input)
    hold(ms === null || (Number.isSafeInteger(ms) && ms >= 1), `${ms} ms`)
    if (ms !== null) hold(durationMs(`${ms}ms`) === ms && unboundedDurationMs(input) === ms, `${ms} ms is read back as another`)
    const unbounded = unboundedDurationMs(input)
    hold(unbounded === null || (Number.isFinite(unbounded) && unbounded >= 1), `${unbounded} ms`)
  }
}

const instant: Target = {
  name: 'instant',
  inputs: hostileTexts(['2026-01-31T00:00:00Z', '2024-02-29T23:59:59.999999999+14:00', '1970-01-01T00:00-12:00', '0000-01-01T00:00Z', '9999-12-31T23:59:59Z'], ['T24:00', '-02-30', ':60', '+99:99']),
  check (input) {
    const ms = parseInstantMs(input)
    if (ms === null) return
    hold(Number.isSafeInteger(ms), `${ms} ms`)
    const year = new Date(ms).getUTCFullYear()
    if (year >= 0 && year <= 9999) hold(parseInstantMs(new Date(ms).toISOString()) === ms, `${ms} ms is read back as another`)
  }
}

const TOML = [
  'max = 100\ntimeWindow = "1 minute"\n', '[tiers.premium]\nmax = 5\n[[rules]]\nname = "login"\nmatch = "POST /login"\nlimits = [{ name = "a", max = 1, timeWindow = "1s" }]\n',
  'redis = "redis://127.0.0.1:6379/0"\nidentify.jwt = { userClaim = "sub" }\n', 'a = 1979-05-27T07:32:00Z\nb = [1, 2.5, inf, 0xff, """x\ny""", \'\'\'z\'\'\']\n"é.\\u0000" = true\n'
]

const toml: Target = {
  name: 'toml',
  inputs: hostileTexts(TOML, ['[[', ']]', '"""', "'''", '[__proto__]', '__proto__.x = 1\n', '\\u', '\\U0010ffff', '0x', '0o7', '1_000', 'inf', 'nan', '1979-05-27', '07:32:00', '{ ', ' }', '# ', 'max = ']),
  check (input) {
    const file = readConfigText(input, 'a.toml')
    if ('layer' in file) return holdPlain(file.layer.options)
    for (const mistake of file.mistakes) {
      hold(isOwnError(mistake), String(mistake))
      holdPrintable(mistake.message)
      hold(/^a\.toml:[1-9]\d*:[1-9]\d*: [^\n\r]+$/.test(mistake.message), `no place: ${mistake.message}`)
    }
    const { line, column } = createPositionFinder(input)(['rules', 0, 'limits', 0, 'max'])
    hold(line >= 1 && column >= 1 && line <= input.split('\n').length, `${line}:${column}`)
  }
}

const VARIABLES: ReadonlyArray<Readonly<Record<string, unknown>>> = [
  { SLUICE_MAX: '100', SLUICE_TIME_WINDOW: '10s' }, { SLUICE_RULES__LOGIN__MATCH: 'POST /login', SLUICE_RULES__LOGIN__LIMITS__A__MAX: '5' },
  { SLUICE_TIERS__PREMIUM__MAX: '7', SLUICE_TIERS: '{"a":{"max":1}}' }, { SLUICE_REDIS: '{"host":"a"}', SLUICE_TRUSTED_PROXIES: '10.0.0.0/8, loopback' },
  { SLUICE_PORT: 'tcp://10.0.0.1:80', SLUICE_CONFIG: 'a.toml', SLUICE_IDENTIFY__JWT: 'on', SLUICE_LIMITS: '[{"name":"a","max":1,"timeWindow":"1s"}]' }
]
const LOWER = { tiers: { premium: { max: 1 } }, rules: [{ name: 'log-in', limits: [{ name: 'a', max: 1, timeWindow: '1s' }] }, { name: 'log.in' }] } as const

const environment: Target = {
  name: 'environment',
  inputs: hostileTexts(VARIABLES.map((env) => JSON.stringify(env)), ['SLUICE_', '__', '___', '"SLUICE_RULES__LOG_IN__MAX":"1",', '"SLUICE___PROTO__":"1",', '"SLUICE_TIERS____PROTO____MAX":"1",', '{\\"__proto__\\":{}}', '[['.repeat(50)]),
  check (input) {
    const env = parseVariables(input)
    for (const lower of [{}, LOWER]) {
      const { layer, mistakes } = readEnvironment(env, lower)
      for (const mistake of mistakes) {
        hold(isOwnError(mistake) && mistake.message.startsWith('SLUICE'), String(mistake))
        holdPrintable(mistake.message)
      }
      holdPlain(layer.options)
      const reversed = readEnvironment(Object.fromEntries(Object.entries(env).reverse()), lower)
      hold(JSON.stringify(reversed.layer.options) === JSON.stringify(layer.options), 'the order of the variables matters')
    }
  }
}

/** Variables of an environment are texts. */
function parseVariables (input: string): Record<string, string> {
  try {
    return Object.fromEntries(Object.entries(JSON.parse(input) as object).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]))
  } catch {
    return { SLUICE_MAX: input, [`SLUICE_${input}`]: '1', [`SLUICE_RULES__${input}__MAX`]: '1', [`SLUICE_TIERS__${input}`]: input }
  }
}

export const configTargets: readonly Target[] = [duration, instant, toml, environment]
