import t from 'tap'
import { checkOptions } from '../../../lib/config/schema/check.js'
import { checkLogOptions, LogSchema, toLogSettings, type LogOptions } from '../../../lib/config/schema/log-schema.js'
import { resolveOptions } from '../../../lib/config/schema/resolve-options.js'

const anInterval = 'a duration such as "10s" or a number of milliseconds, a second to an hour'
const aSecret = 'a string of 16 or more characters'

/** What was thrown for the option `log`, if anything. */
function mistakeIn (log: unknown): unknown {
  try {
    checkOptions(LogSchema, log, 'rateLimit.log')
    checkLogOptions({ log }, 'rateLimit')
    return null
  } catch (error) {
    return error instanceof Error ? error.message : error
  }
}

/** Wrong options, and what is said of them after "rateLimit.log". */
const wrong: ReadonlyArray<readonly [log: unknown, message: string]> = [
  [true, ': expected false, or an object: { level?, interval?, hashClients?, hashSecret? }, got true'],
  ['info', ': expected false, or an object: { level?, interval?, hashClients?, hashSecret? }, got "info"'],
  [{ level: 'loud' }, '.level: expected "debug" or "info" or "warn" or "error", got "loud"'],
  [{ levels: 'info' }, '.levels: unknown option, did you mean "level"?'],
  [{ hashClients: 'yes' }, '.hashClients: expected true or false, got "yes"'],
  [{ interval: 'often' }, `.interval: expected ${anInterval}, got "often"`],
  [{ interval: 999 }, `.interval: expected ${anInterval}, got 999`],
  [{ interval: '61 minutes' }, `.interval: expected ${anInterval}, got "61 minutes"`],
  [{ hashSecret: 'hunter2' }, `.hashSecret: expected ${aSecret}, got a string of 7 (not shown)`],
  [{ hashSecret: 123_456_789 }, `.hashSecret: expected ${aSecret}, got another value (not shown)`]
]

for (const [log, message] of wrong) {
  t.test(`the option is refused: ${message}`, async (t) => {
    t.equal(mistakeIn(log), `rateLimit.log${message}`)
  })
}

/** Options, and what they mean. */
const right: ReadonlyArray<readonly [log: LogOptions | undefined, settings: ReturnType<typeof toLogSettings>]> = [
  [undefined, { level: 'info', intervalMs: 10_000, hashClients: false, hashSecret: null }],
  [{}, { level: 'info', intervalMs: 10_000, hashClients: false, hashSecret: null }],
  [{ level: 'warn', interval: '1 hour' }, { level: 'warn', intervalMs: 3_600_000, hashClients: false, hashSecret: null }],
  [{ hashClients: true, hashSecret: 'x'.repeat(16), interval: 1000 }, { level: 'info', intervalMs: 1000, hashClients: true, hashSecret: 'x'.repeat(16) }],
  [false, null]
]

for (const [log, settings] of right) {
  t.test(`the option ${JSON.stringify(log)} says how refusals are logged`, async (t) => {
    if (log !== undefined) t.equal(mistakeIn(log), null)
    t.strictSame(toLogSettings(resolveOptions({ log }).log), settings)
  })
}
