// Keys of options stood in messages as they were written, so a key could turn the text of a terminal, or forge a log line.
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { readConfigFile, readConfigText } from '../../lib/config/file/config-file.js'
import { readEnvironment } from '../../lib/config/environment/environment.js'
import type { RateLimitOptions } from '../../lib/index.js'
import { run } from '../cli/command.js'
import { bareApp, limitedApp } from '../fixtures/app.js'

const EVIL = 'a\u202e\u2066\u200b\u0085\u2028\u009b31m\ud800b'
/** As a file can hold it: a lone surrogate is no UTF-8. */
const IN_TOML = 'a\u202e\u2066\u200b\u2028\\u0000\\u001b\\n\\u009bb'
const LONG = EVIL.repeat(10_000)
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/u
const LIMITS = { max: 1, timeWindow: '1s' }

/** The errors of a call; there must be one. */
async function findErrors (t: Test, call: () => unknown): Promise<Error[]> {
  try {
    await call()
  } catch (error) {
    if (error instanceof Error) return [error]
  }
  t.fail('no error')
  return []
}

function checkText (t: Test, text: string, why: string): void {
  t.notMatch(text, UNPRINTABLE, why)
  t.ok(text.length < 6000, `${why}: ${text.length} characters`)
}

/** Options with a text from outside in each place that takes one. */
const PLACES: ReadonlyArray<readonly [place: string, options: (text: string) => object]> = [
  ['an unknown option', (text) => ({ [text]: 1 })],
  ['an option of a penalty', (text) => ({ penalty: { [text]: 1 } })],
  ['the name of a tier', (text) => ({ tiers: { [text]: LIMITS } })],
  ['an option of a tier', (text) => ({ tiers: { gold: { [text]: 1 } } })],
  ['the name of a rule', (text) => ({ rules: [{ name: text, match: '/a', ...LIMITS }] })],
  ['an option of a rule', (text) => ({ rules: [{ name: 'a', match: '/a', [text]: 1 }] })],
  ['the pattern of a rule', (text) => ({ rules: [{ name: 'a', match: `/${text}*`, ...LIMITS }] })],
  ['the name of a limit', (text) => ({ limits: [{ name: text, ...LIMITS }] })],
  ['the names of two limits', (text) => ({ limits: [{ name: text, ...LIMITS }, { name: text, ...LIMITS }] })],
  ['a duration', (text) => ({ max: 1, timeWindow: text })],
  ['a network', (text) => ({ trustedProxies: [text] })],
  ['a status', (text) => ({ refundOn: [text] })],
  ['an algorithm', (text) => ({ algorithm: text })],
  ['the key of a connection', (text) => ({ redis: { [text]: 1 } })],
  ['the URL of a connection', (text) => ({ redis: text })],
  ['the query of a connection', (text) => ({ redis: `redis://h/?${text}=1` })],
  ['a prefix of keys', (text) => ({ keyPrefix: `${text} ` })],
  ['a list of objects', (text) => ({ exempt: { [text]: [] } })]
]

for (const [place, options] of PLACES) {
  t.test(`${place} is escaped and bounded in every message`, async (t) => {
    for (const text of [EVIL, LONG]) {
      const { app, plugin } = bareApp(t)
      const [error] = await findErrors(t, async () => { await app.register(plugin, options(text) as RateLimitOptions) })
      checkText(t, error.message, 'register')
      const limited = await limitedApp(t, {})
      const [reloadError] = await findErrors(t, async () => { await limited.app.rateLimit.reload(options(text) as object) })
      checkText(t, reloadError.message, 'reload')
    }
  })
}

t.test('keys and values of a file are escaped and bounded in its errors', async (t) => {
  const long = IN_TOML.repeat(5000)
  const contents = [IN_TOML, long].flatMap((text) => [
    `"${text}" = 1`, `["${text}"]`, `[tiers."${text}"]\nmax = 1`, `[tiers."${text}"]\nmaxx = 1`, `[[rules]]\nname = "${text}"\nmatch = "${text}"`,
    `limits = [{ name = "${text}" }, { name = "${text}" }]`, `timeWindow = "${text}"`, `trustedProxies = ["${text}"]`,
    `[redis]\n"${text}" = 1`, `[penalty."${text}"."${text}"]\n`, `a.b."${text}" = 1979-05-27`, `"${text}" = 1\n"${text}" = 2`
  ])
  for (const content of [...contents, `${EVIL} = 1`, `max = ${EVIL}`, `[${EVIL}`, `max = "${EVIL}`]) {
    const file = readConfigText(content, `${EVIL}.toml`)
    const mistakes = 'mistakes' in file ? file.mistakes : []
    t.ok(mistakes.length > 0, content.slice(0, 40))
    for (const { message } of mistakes) checkText(t, message, content.slice(0, 40))
  }
  const missing = readConfigFile(`${EVIL}.toml`)
  checkText(t, 'mistakes' in missing ? missing.mistakes[0].message : '\0', 'a path')
})

t.test('names and values of variables are escaped and bounded in their errors', async (t) => {
  const environments = [EVIL, LONG.slice(0, 60_000)].flatMap((text): Array<Record<string, string>> => [
    { [`SLUICE_${text}`]: '1' }, { SLUICE_TIME_WINDOW: text }, { SLUICE_TIERS: JSON.stringify({ [text]: { maxx: 1 } }) },
    { SLUICE_REDIS: JSON.stringify({ [text]: 1 }) }, { SLUICE_RULES: JSON.stringify([{ name: text, [text]: 1 }]) },
    { SLUICE_LIMITS: JSON.stringify([{ name: text }, { name: text }]) }, { SLUICE_TRUSTED_PROXIES: text }, { SLUICE_MAX: text },
    { [`SLUICE_TIERS__${text}__MAX`]: '1' }, { SLUICE_RULES__A__NAME: text }
  ])
  for (const environment of environments) {
    const { mistakes } = readEnvironment(environment)
    t.ok(mistakes.length > 0, JSON.stringify(environment).slice(0, 60))
    for (const { message } of mistakes) checkText(t, message, message.slice(0, 60))
  }
})

t.test('the command shows arguments, paths and files escaped', async (t) => {
  const name = `${EVIL.replace('\ud800', '')}.toml`
  const cwd = t.testdir({ [name]: `"${IN_TOML}" = 1`, 'good.toml': '[[rules]]\nname = "a"\nmatch = "/\u202e"\nmax = 1\ntimeWindow = "1s"\nexempt.ips = []\n' })
  const commands = [['check', name], ['check', join(cwd, name)], ['check', `${name}x`], ['check', `--${EVIL}`], [EVIL], ['check', '--json=\u202e', 'a'], ['check', 'good.toml']]
  for (const args of commands) {
    const { stdout, stderr } = await run(args, { cwd })
    for (const line of [...stdout.split('\n'), ...stderr.split('\n')]) checkText(t, line, args.join(' '))
    t.ok(stderr !== '' || args.includes('good.toml'))
  }
  const { stderr } = await run(['check', name], { cwd })
  t.match(stderr, /^a\\u\{202e\}.*\.toml:1:1: "a\\u\{202e\}/, 'with the line and the column')
})

t.test('the text of an operator and the tier of a token are escaped', async (t) => {
  const { app } = await limitedApp(t, { max: 1, timeWindow: '1s', identify: { custom: () => ({ id: '1', tier: EVIL }) } })
  const calls = [
    () => app.rateLimit.peek(EVIL), () => app.rateLimit.reset(LONG), () => app.rateLimit.blocked({ cursor: EVIL }), () => app.rateLimit.explain(EVIL)
  ]
  for (const call of calls) checkText(t, (await findErrors(t, call))[0].message, call.toString())
  const warnings = t.capture(process, 'emitWarning', () => {})
  await app.inject('/')
  const [{ args: [warning] }] = warnings()
  checkText(t, String(warning), 'a warning')
})
