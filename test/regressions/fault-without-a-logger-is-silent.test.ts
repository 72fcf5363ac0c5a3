// `Fastify()` has no logger, so a ReferenceError in `identify.custom` counted all users as anonymous, in silence.
import Fastify, { type FastifyServerOptions } from 'fastify'
import pino from 'pino'
import t, { type Test } from 'tap'
import { buildRateLimitPlugin } from '../../lib/plugin/plugin.js'
import { ManualClock } from '../fixtures/manual-clock.js'

interface Warned extends Error { readonly code?: string, readonly detail?: string }

const MINUTE_US = 60_000_000

/** The warnings of an application whose functions fail, in three requests, a minute apart. */
async function warningsOf (t: Test, server: FastifyServerOptions): Promise<Warned[]> {
  const warned: Warned[] = []
  const listen = (warning: Warned) => { if (warning.code?.startsWith('FST_SLUICE_WARN_FAILED')) warned.push(warning) }
  process.on('warning', listen)
  t.teardown(() => process.off('warning', listen))
  const app = Fastify(server)
  t.teardown(() => app.close())
  const clock = new ManualClock()
  await app.register(buildRateLimitPlugin(clock), {
    max: 10,
    identify: { custom: () => { throw new ReferenceError('db is not defined') } },
    keyGenerator: () => '',
    cost: async () => NaN
  })
  app.get('/', async () => 'hello')
  for (let i = 0; i < 3; i++) {
    await app.inject('/')
    clock.advance(2 * MINUTE_US)
  }
  await new Promise(setImmediate)
  return warned
}

const nothing = { write () {} }
const silent: ReadonlyArray<readonly [what: string, server: FastifyServerOptions]> = [
  ['no logger', {}],
  ['logger: false', { logger: false }],
  ['level silent', { logger: { level: 'silent', stream: nothing } }],
  ['level fatal', { logger: { level: 'fatal', stream: nothing } }],
  ['a silent instance', { loggerInstance: pino({ level: 'silent' }) }]
]
for (const [what, server] of silent) {
  t.test(`${what}: the first fault of each function is a warning with a code of its own`, async (t) => {
    const warned = await warningsOf(t, server)
    t.strictSame(warned.map(({ code }) => code), ['FST_SLUICE_WARN_FAILED_IDENTIFY', 'FST_SLUICE_WARN_FAILED_KEY_GENERATOR', 'FST_SLUICE_WARN_FAILED_COST'])
    t.equal(warned[0].message, 'rate limit: identify failed: db is not defined. Enable the logger to see later failures')
    t.match(warned[0].detail, /ReferenceError: db is not defined\n.*fault-without-a-logger/)
  })
}

const logging: ReadonlyArray<readonly [what: string, server: FastifyServerOptions]> = [
  ['level trace', { logger: { level: 'trace', stream: nothing } }],
  ['level error', { logger: { level: 'error', stream: nothing } }],
  ['an instance', { loggerInstance: pino({ level: 'info' }, nothing) }]
]
for (const [what, server] of logging) {
  t.test(`${what}: the log has it, and no warning repeats it`, async (t) => {
    t.strictSame(await warningsOf(t, server), [])
  })
}
