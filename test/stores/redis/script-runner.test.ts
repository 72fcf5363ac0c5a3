// Calls of scripts: their deadline, what the breaker learns, and what is reported. The connection is scripted.
import t from 'tap'
import type { ConnectionPool } from '../../../lib/stores/redis/connections.js'
import { ScriptRunner, toFailureReason, type ScriptRunnerOptions } from '../../../lib/stores/redis/script-runner.js'
import { ManualClock } from '../../fixtures/manual-clock.js'

const script = { lua: 'return 1', sha: 'sha' }
const redisError = (message: string) => Object.assign(new Error(message), { name: 'ReplyError' })
const CROSSSLOT = redisError('CROSSSLOT no')
const isFine = () => ''

interface Settings {
  readonly isBreakerOpen?: boolean
  readonly timeUs?: () => number
  readonly hasSlots?: boolean
}

function open (reply: () => unknown = () => 'OK', { isBreakerOpen = false, timeUs, hasSlots = false }: Settings = {}) {
  const events: string[] = []
  const calls: unknown[] = []
  const expires: Array<() => void> = []
  const clock = new ManualClock()
  let separate = !hasSlots
  const pool = {
    evalScript: async (...call: unknown[]) => { calls.push(call); return reply() },
    explainError: (error: Error) => `because of ${error.message}`,
    explainDeadline: () => 'late',
    formatCode: (code: string) => `formatted ${code}`,
    reconnect: (code: string) => { events.push(`reconnect ${code}`) },
    separateSlots: () => { const isNew = separate; separate = false; return isNew }
  } as unknown as ConnectionPool
  const options = {
    pool,
    callGuard: {
      begin: (onExpire: () => void) => {
        if (isBreakerOpen) return null
        expires.push(onExpire)
        return { settle: (isSuccess: boolean) => { events.push(`settle ${String(isSuccess)}`) } }
      }
    },
    onFailure: (reason: string, code: string) => { events.push(`${reason} ${code}`) },
    onSlotsEnforced: () => { events.push('slots') },
    clock,
    onAnswer: (operation: string, tookUs: number) => { events.push(`${operation} took ${tookUs}`) },
    ...timeUs === undefined ? {} : { timeUs }
  } as unknown as ScriptRunnerOptions
  return { runner: new ScriptRunner(options), options, events, calls, expires, clock }
}

t.test('the time of Redis is that of the process until another one is noted', async (t) => {
  const { runner, clock } = open()
  t.equal(runner.redisTimeUs, clock.nowUs())
  runner.noteRedisTime(5000)
  clock.advance(7)
  t.equal(runner.redisTimeUs, 5007)
})

t.test('a reply is returned, and its time is measured from the start', async (t) => {
  const { runner, events, calls, clock } = open(() => { clock.advance(30); return 'OK' })
  t.equal(await runner.call('reset', script, ['a'], [Buffer.from('b')], isFine), 'OK')
  t.strictSame([events, calls], [['reset took 30', 'settle true'], [[script, ['a'], [Buffer.from('b')]]]])
})

t.test('a test gives the scripts the time as their last argument', async (t) => {
  const { runner, calls } = open(undefined, { timeUs: () => 77 })
  await runner.call('take', script, ['a'], [Buffer.from('b')], isFine)
  t.strictSame(calls, [[script, ['a'], [Buffer.from('b'), Buffer.from('77')]]])
})

for (const [why, reply, findError, expected, events] of [
  ['a reply of another format', () => 'OK', () => null, /error \(BAD_REPLY\)/, ['reconnect BAD_REPLY', 'error formatted BAD_REPLY', 'settle false']],
  ['an error of Redis', () => { throw redisError('OOM') }, isFine, /error \(because of OOM\)/, ['error formatted because of OOM', 'settle false']],
  ['a connection that broke', () => { throw new Error('gone') }, isFine, /connection \(because of gone\)/, ['connection formatted because of gone', 'settle false']]
] as const) {
  t.test(`${why} fails the call`, async (t) => {
    const { runner, events: seen } = open(reply)
    await t.rejects(runner.call('reset', script, ['a'], [], findError), { code: 'FST_SLUICE_STORE', message: expected })
    t.strictSame(seen, events)
  })
}

t.test('the cause of a failed call is kept', async (t) => {
  const cause = redisError('OOM')
  await t.rejects(open(() => { throw cause }).runner.call('reset', script, ['a'], [], isFine), { cause })
})

for (const [text, events] of [
  ['WRONGTYPE a list', ['error formatted WRONGTYPE', 'reset took 0', 'settle true']],
  ['DAMAGED a value', ['error formatted DAMAGED', 'reset took 0', 'settle true']],
  ['OOM no memory', ['error formatted OOM', 'settle false']],
  ['READONLY a replica', ['reconnect READONLY', 'error formatted READONLY', 'settle false']]
] as const) {
  t.test(`the error "${text}" inside a reply is reported, and its reply returned`, async (t) => {
    const { runner, events: seen } = open()
    t.equal(await runner.call('reset', script, ['a'], [], () => text), 'OK')
    t.strictSame(seen, events)
  })
}

t.test('a call without a reply fails at its deadline', async (t) => {
  const { runner, events, expires } = open(() => new Promise(() => {}))
  const call = runner.call('adjust', script, ['a'], [], isFine)
  expires[0]()
  await t.rejects(call, { code: 'FST_SLUICE_STORE', message: /deadline \(late\)/ })
  t.strictSame(events, ['deadline formatted late'])
})

t.test('while the breaker is open, no call is made', async (t) => {
  const { runner, events, calls } = open(undefined, { isBreakerOpen: true })
  await t.rejects(runner.call('adjust', script, ['a'], [], isFine), { code: 'FST_SLUICE_STORE', message: /breaker \(circuit breaker is open\)/ })
  t.strictSame([events, calls], [[], []])
  t.equal(runner.begin('take', () => {}), null)
})

t.test('a call that was not begun is settled too', async (t) => {
  const { runner, events } = open()
  runner.settle(null, '')
  t.strictSame(events, [])
})

t.test('slots that an endpoint enforces are reported once', async (t) => {
  const { runner, events } = open()
  t.strictSame([redisError('OOM'), CROSSSLOT, CROSSSLOT].map((error) => runner.detectSlots(error)), [false, true, false])
  t.strictSame(events, ['slots'])
  t.equal(open(undefined, { hasSlots: true }).runner.detectSlots(CROSSSLOT), false, 'a Cluster has them')
  const { options } = open()
  t.equal(new ScriptRunner({ ...options, onSlotsEnforced: undefined }).detectSlots(CROSSSLOT), true)
})

t.test('Redis has replied with an error, or was not reached', async (t) => {
  t.strictSame([redisError('OOM'), new Error('gone'), 'text', { name: 'ReplyError' }].map(toFailureReason), ['error', 'connection', 'connection', 'connection'])
})
