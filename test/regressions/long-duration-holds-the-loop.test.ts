import t from 'tap'
import { durationMs } from '../../lib/config/schema/durations.js'
import { readConfigText } from '../../lib/config/file/config-file.js'
import { readEnvironment } from '../../lib/config/environment/environment.js'
import { limitedApp, statuses } from '../fixtures/app.js'

const DIGITS = '1'.repeat(40_000)

/** Texts longer than any duration, each of which takes a slow expression for a walk. */
const LONG_TEXTS: ReadonlyArray<readonly [text: string, why: string]> = [
  [DIGITS, 'digits'],
  [`${DIGITS}x`, 'digits, and a unit that does not exist'],
  [`${DIGITS}.${DIGITS}s`, 'digits on both sides of a point'],
  [`1${' '.repeat(40_000)}x`, 'spaces before the unit'],
  [`${' '.repeat(40_000)}10s`, 'spaces before the number'],
  [`1${'s'.repeat(40_000)}`, 'units']
]

// 40,000 digits held the event loop for 6.5 s. Steps are what is bounded here: no expression sees more than 100 characters.
t.test('a text longer than a duration is refused before an expression reads it', (t) => {
  const calls = t.capture(RegExp.prototype, 'exec', RegExp.prototype.exec)
  const results = LONG_TEXTS.map(([text]) => durationMs(text))
  const longest = durationMs(`${'0'.repeat(98)}9s`.slice(-100))
  calls.restore()
  const lengths = calls().map(({ args: [text] }) => text.length)
  t.strictSame(results, LONG_TEXTS.map(() => null))
  t.equal(longest, 9000, '100 characters are read')
  t.ok(lengths.length > 0 && Math.max(...lengths) <= 100, 'no expression read more')
  t.end()
})

t.test('every way to give a duration refuses such a text', async (t) => {
  for (const [text, why] of LONG_TEXTS) {
    const file = readConfigText(`timeWindow = "${text}"\n[identify]\ndeadline = "${text}"\n`, 'limits.toml')
    t.equal('mistakes' in file && file.mistakes.length, 2, `a file: ${why}`)
    const { mistakes } = readEnvironment({ SLUICE_TIME_WINDOW: text, SLUICE_PENALTY__COOLDOWN: text })
    // The environment drops spaces around a value.
    t.equal(mistakes.length, text.endsWith('10s') ? 0 : 2, `the environment: ${why}`)
  }
})

t.test('a reload by the text of a client refuses it, and keeps the limits', async (t) => {
  const { app } = await limitedApp(t, { max: 2, timeWindow: '1 minute' })
  for (const [text, why] of LONG_TEXTS) {
    await t.rejects(app.rateLimit.reload({ timeWindow: text }), { code: 'FST_SLUICE_BAD_OPTION', message: /\.\.\.$/ }, why)
    await t.rejects(app.rateLimit.reload({ penalty: { strikes: 3, within: text, cooldown: text } }), { code: 'FST_SLUICE_BAD_OPTION' }, why)
  }
  t.strictSame(await statuses(app, 3), [200, 200, 429])
})

t.test('a function that answers with the text of a client falls back to the strictest window so far', async (t) => {
  const { app, log } = await limitedApp(t, { max: 2, timeWindow: ({ headers }) => String(headers['x-window']) })
  t.strictSame(await statuses(app, 1, { url: '/', headers: { 'x-window': '1 hour' } }), [200])
  t.strictSame(await statuses(app, 2, { url: '/', headers: { 'x-window': DIGITS } }), [200, 429])
  t.strictSame(log.map(({ source }) => source), ['limit'])
})
