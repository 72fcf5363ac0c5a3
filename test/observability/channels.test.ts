import { execFile } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { BREAKER_CHANNEL, DECISION_CHANNEL, publishDecision, RELOAD_CHANNEL, type DecisionMessage } from '../../lib/observability/channels.js'
import { logBreakerChange, logReload } from '../../lib/observability/lifecycle-events.js'
import { createIpClient, createLogger, createRefusalLog, createRefusal, type WrittenLine } from '../fixtures/refusal-log.js'

const client = createIpClient('203.0.113.9')
const decision = createRefusal(client)

/** The messages that a channel carries until the test ends. */
function heard (t: Test, name: string): unknown[] {
  const messages: unknown[] = []
  const keep = (message: unknown) => { messages.push(message) }
  subscribe(name, keep)
  t.teardown(() => unsubscribe(name, keep))
  return messages
}

/** A logger, and its lines. */
function kept (): { lines: WrittenLine[], logger: ReturnType<typeof createLogger> } {
  const lines: WrittenLine[] = []
  return { lines, logger: createLogger('application', (line) => lines.push(line)) }
}

t.test('the channels have the names that the guide tells', async (t) => {
  t.strictSame([DECISION_CHANNEL, BREAKER_CHANNEL, RELOAD_CHANNEL], ['fastify-sluice:decision', 'fastify-sluice:breaker', 'fastify-sluice:reload'])
})

t.test('subscribers hear of each decision, with its request', async (t) => {
  const messages = heard(t, 'fastify-sluice:decision')
  const request = createRefusalLog(t).request()
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
  const request = createRefusalLog(t).request()
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
  logBreakerChange(logger, opened)
  logBreakerChange(logger, closed)
  t.strictSame(messages, [opened, closed])
  t.strictSame(lines, [
    { level: 'warn', fields: { registration: 'app', store: 'redis', breaker: 'open', lastError: 'DEADLINE' }, message: 'rate limit: the breaker of the store is open', by: 'application' },
    { level: 'warn', fields: { registration: 'app', store: 'redis', breaker: 'closed', lastError: 'DEADLINE' }, message: 'rate limit: the breaker of the store is closed', by: 'application' }
  ])
})

t.test('a reload is logged and told, and one that is refused with why', async (t) => {
  const messages = heard(t, 'fastify-sluice:reload')
  const { lines, logger } = kept()
  const error = new Error('rate-limit.toml:1:1: max: expected an integer')
  const taken = { registration: 'app', source: 'file', result: 'success' } as const
  const refused = { registration: 'app', source: 'signal', result: 'failure', error } as const
  logReload(logger, taken)
  logReload(logger, refused)
  t.equal(messages[0], taken)
  t.equal(messages[1], refused)
  t.strictSame(lines, [
    { level: 'info', fields: { registration: 'app', source: 'file' }, message: 'rate limit: configuration reloaded', by: 'application' },
    { level: 'error', fields: { err: error, registration: 'app', source: 'signal' }, message: 'rate limit: the new configuration is refused, the old one stays', by: 'application' }
  ])
})

t.test('a change is told though the logger throws', async (t) => {
  const messages = heard(t, 'fastify-sluice:breaker')
  logBreakerChange(createLogger('application', () => { throw new Error('disk full') }), { registration: 'app', store: 'redis', state: 'open', lastError: null })
  t.equal(messages.length, 1)
})

t.test('a subscriber that throws stops neither the publisher nor other subscribers, and is an uncaught exception', async (t) => {
  // In a process of its own: a test does not survive an uncaught exception.
  const script = `
    import { subscribe } from 'node:diagnostics_channel'
    import { publishBreaker } from './.compiled/lib/observability/channels.js'
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
