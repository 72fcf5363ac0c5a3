import { execFile } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { BREAKER_CHANNEL, DECISION_CHANNEL, publishDecision, RELOAD_CHANNEL, type DecisionMessage } from '../../lib/observability/channels.js'
import { tellBreakerChange, tellReload } from '../../lib/observability/log-changes.js'
import { ipClient, loggerOf, refusalLog, refusalOf, type Written } from '../fixtures/refusal-log.js'

const client = ipClient('203.0.113.9')
const decision = refusalOf(client)

/** The messages that a channel carries until the test ends. */
function heard (t: Test, name: string): unknown[] {
  const messages: unknown[] = []
  const keep = (message: unknown) => { messages.push(message) }
  subscribe(name, keep)
  t.teardown(() => unsubscribe(name, keep))
  return messages
}

/** A logger, and its lines. */
function kept (): { lines: Written[], logger: ReturnType<typeof loggerOf> } {
  const lines: Written[] = []
  return { lines, logger: loggerOf('application', (line) => lines.push(line)) }
}

t.test('the channels have the names that the guide tells', async (t) => {
  t.strictSame([DECISION_CHANNEL, BREAKER_CHANNEL, RELOAD_CHANNEL], ['fastify-sluice:decision', 'fastify-sluice:breaker', 'fastify-sluice:reload'])
})

t.test('subscribers hear of each decision, with its request', async (t) => {
  const messages = heard(t, 'fastify-sluice:decision')
  const request = refusalLog(t).request()
  publishDecision('app', request, { scope: 'default', isEnforced: true }, decision)
  publishDecision('/v1', request, { scope: 'rule:reports', isEnforced: false }, decision)
  const expected: DecisionMessage[] = [
    { registration: 'app', request, decision, scope: 'default', mode: 'enforce' },
    { registration: '/v1', request, decision, scope: 'rule:reports', mode: 'shadow' }
  ]
  t.equal(messages.length, 2)
  t.strictSame(messages, expected)
  t.equal((messages[0] as DecisionMessage).decision, decision)
})

t.test('where nobody subscribes, nothing is made of a decision', async (t) => {
  const policy = { scope: 'default', get isEnforced (): boolean { throw new Error('read') } }
  const request = refusalLog(t).request()
  const reads = () => publishDecision('app', request, policy, decision)
  t.doesNotThrow(reads)
  const stop = () => {}
  subscribe('fastify-sluice:decision', stop)
  t.throws(reads)
  unsubscribe('fastify-sluice:decision', stop)
  t.doesNotThrow(reads)
})

t.test('a change of the breaker is a warning and a message', async (t) => {
  const messages = heard(t, 'fastify-sluice:breaker')
  const { lines, logger } = kept()
  const opened = { registration: 'app', store: 'redis', state: 'open', lastError: 'DEADLINE' } as const
  const closed = { ...opened, state: 'closed' } as const
  tellBreakerChange(logger, opened)
  tellBreakerChange(logger, closed)
  t.strictSame(messages, [opened, closed])
  t.strictSame(lines, [
    { level: 'warn', fields: { registration: 'app', store: 'redis', breaker: 'open', lastError: 'DEADLINE' }, message: 'rate limit: the breaker of the store is open', by: 'application' },
    { level: 'warn', fields: { registration: 'app', store: 'redis', breaker: 'closed', lastError: 'DEADLINE' }, message: 'rate limit: the breaker of the store is closed', by: 'application' }
  ])
})

t.test('a reload is logged and told, with every mistake of one that is refused', async (t) => {
  const messages = heard(t, 'fastify-sluice:reload')
  const { lines, logger } = kept()
  const taken = { registration: 'app', source: 'rate-limit.toml', result: 'success' } as const
  const refused = { ...taken, result: 'failure', errors: [new Error('one'), new Error('two')] } as const
  tellReload(logger, taken)
  tellReload(logger, refused)
  t.equal(messages[0], taken)
  t.equal(messages[1], refused)
  t.match(lines, [
    { level: 'info', fields: { registration: 'app', source: 'rate-limit.toml', reload: 'success' }, message: 'rate limit: the new configuration is in force' },
    { level: 'error', fields: { err: { message: 'one' }, mistakes: 2, reload: 'failure' }, message: 'rate limit: the new configuration is refused, the old one stays in force' },
    { level: 'error', fields: { err: { message: 'two' }, mistakes: 2, reload: 'failure' } }
  ])
  t.equal(lines.length, 3)
})

t.test('a file of a thousand mistakes is twenty lines', async (t) => {
  const { lines, logger } = kept()
  const errors = Array.from({ length: 1000 }, (_, i) => new Error(String(i)))
  tellReload(logger, { registration: 'app', source: 'rate-limit.toml', result: 'failure', errors })
  t.equal(lines.length, 20)
  t.equal(lines[19].fields.mistakes, 1000)
})

t.test('a change is told though the logger throws', async (t) => {
  const messages = heard(t, 'fastify-sluice:breaker')
  tellBreakerChange(loggerOf('application', () => { throw new Error('disk full') }), { registration: 'app', store: 'redis', state: 'open', lastError: null })
  t.equal(messages.length, 1)
})

t.test('a subscriber that throws stops neither the publisher nor other subscribers, and is an uncaught exception', async (t) => {
  // In a process of its own: a test does not survive an uncaught exception.
  const script = `
    import { subscribe } from 'node:diagnostics_channel'
    import { publishBreaker } from './dist/observability/channels.js'
    const heard = []
    process.on('uncaughtException', (error) => { heard.push(error.message); console.log(JSON.stringify(heard)) })
    subscribe('fastify-sluice:breaker', () => { throw new Error('uncaught') })
    subscribe('fastify-sluice:breaker', () => { heard.push('other') })
    publishBreaker({})
    heard.push('published')
  `
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script])
  t.strictSame(JSON.parse(stdout), ['other', 'published', 'uncaught'])
})
