// Calls that fail, come late, or cannot be sent: what the checks of a batch are answered, and what the breaker learns.
import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { systemClock } from '../../../lib/common/clock.js'
import { Batcher } from '../../../lib/stores/redis/batcher.js'
import type { ConnectionPool } from '../../../lib/stores/redis/connections.js'
import { KeyWriter } from '../../../lib/stores/redis/keys.js'
import { ScriptRunner, type ScriptRunnerOptions } from '../../../lib/stores/redis/script-runner.js'
import { ANSWER_BYTES, TIME_BYTES, writeNumber } from '../../../lib/stores/redis/wire-format.js'
import type { Charge } from '../../../lib/stores/store.js'
import { createHeldSlots } from '../../fixtures/held-slots.js'
import { limitOf } from '../../fixtures/limits.js'

const limit = limitOf({ max: 1000, bucket: 'app/failures' })
const chargeOf = (partition: string): Charge[] => [{ limit, partition, cost: 1 }]
const NO_ERROR = Buffer.alloc(0)
const redisError = (message: string) => Object.assign(new Error(message), { name: 'ReplyError' })
const CROSSSLOT = redisError("CROSSSLOT Keys in request don't hash to the same slot")

/** The reply of `take.lua` that grants so many charges, at a time of Redis. */
function createReply (charges: number, redisUs = 1): [Buffer, Buffer] {
  const packed = Buffer.alloc(TIME_BYTES + charges * ANSWER_BYTES)
  writeNumber(packed, redisUs, 0)
  for (let i = 0; i < charges; i++) packed[TIME_BYTES + i * ANSWER_BYTES] = 3
  return [packed, NO_ERROR]
}

interface Call {
  readonly keys: readonly string[]
  readonly resolve: (reply: unknown) => void
  readonly reject: (error: Error) => void
}

/** A batcher whose replies the test gives. */
function open ({ hasSlots = false } = {}) {
  const calls: Call[] = []
  const settled: boolean[] = []
  const failures: string[] = []
  const retaken: string[] = []
  const expires: Array<() => void> = []
  let corks = 0
  const state = { hasSlots, isReady: true, isEnded: false }
  const pool = {
    get hasSlots () { return state.hasSlots },
    get isReady () { return state.isReady },
    get isEnded () { return state.isEnded },
    evalScript: (_script: unknown, keys: readonly string[]) => new Promise((resolve, reject) => { calls.push({ keys: [...keys], resolve, reject }) }),
    cork: (write: () => void) => { corks++; write() },
    separateSlots: () => { state.hasSlots = true; return true },
    explainError: (error: Error | null) => error === null ? 'ended' : `because of ${error.message}`,
    explainDeadline: () => 'late',
    formatCode: (code: string) => code,
    reconnect: () => {}
  } as unknown as ConnectionPool
  const options = {
    pool,
    callGuard: { begin: (onExpire: () => void) => { expires.push(onExpire); return { settle: (isSuccess: boolean) => { settled.push(isSuccess) } } } },
    onFailure: (reason: string, code: string) => { failures.push(`${reason} ${code}`) },
    clock: systemClock,
    onAnswer () {}
  } as unknown as ScriptRunnerOptions
  const batcher = new Batcher(options, new ScriptRunner(options), new KeyWriter('failures:'), createHeldSlots(), ([{ partition }]) => {
    retaken.push(partition)
    return { unavailable: 'overload' }
  })
  return { batcher, calls, settled, failures, retaken, expires, state, get corks () { return corks } }
}

/** Let a batch leave: checks of a few turns are collected. */
async function turns (): Promise<void> {
  for (let i = 0; i < 4; i++) await nextTurn()
}

const UNAVAILABLE = (reason: string) => ({ unavailable: reason })

t.test('an error fails every check of the call, with its cause', async (t) => {
  const { batcher, calls, settled, failures, retaken } = open()
  const answers = [batcher.add(chargeOf('a')), batcher.add(chargeOf('b'))]
  await turns()
  t.strictSame([calls.length, batcher.pending], [1, 2])
  calls[0].reject(redisError('OOM'))
  t.strictSame(await Promise.all(answers), [UNAVAILABLE('error'), UNAVAILABLE('error')])
  t.strictSame([settled, failures, retaken, batcher.pending], [[false], ['error because of OOM'], [], 0])
})

t.test('a connection that breaks is another reason', async (t) => {
  const { batcher, calls, failures } = open()
  const answer = batcher.add(chargeOf('a'))
  await turns()
  calls[0].reject(new Error('closed'))
  t.strictSame([await answer, failures], [UNAVAILABLE('connection'), ['connection because of closed']])
})

t.test('keys of several slots are a call for each partition, and no failure', async (t) => {
  const { batcher, calls, settled, failures, retaken, state } = open()
  const answers = [batcher.add(chargeOf('a')), batcher.add(chargeOf('b'))]
  await turns()
  calls[0].reject(CROSSSLOT)
  t.strictSame(await Promise.all(answers), [UNAVAILABLE('overload'), UNAVAILABLE('overload')], 'as the store answers them')
  t.strictSame([retaken, settled, failures, batcher.pending, state.hasSlots], [['a', 'b'], [true], [], 0, true])
})

t.test('a call of one partition that is refused for its slots fails', async (t) => {
  const { batcher, calls, settled, retaken } = open()
  const answer = batcher.add(chargeOf('a'))
  await turns()
  calls[0].reject(CROSSSLOT)
  t.strictSame([await answer, settled, retaken], [UNAVAILABLE('error'), [false], []])
})

t.test('a batch that was filled before slots were known is divided before it is sent', async (t) => {
  const { batcher, calls, retaken, state, settled } = open()
  const answers = [batcher.add(chargeOf('a')), batcher.add(chargeOf('b'))]
  state.hasSlots = true
  await Promise.all(answers)
  t.strictSame([calls.length, retaken, settled, batcher.pending], [0, ['a', 'b'], [true], 0])
  const one = open()
  const answer = one.batcher.add(chargeOf('a'))
  one.state.hasSlots = true
  await turns()
  one.calls[0].resolve(createReply(1))
  t.match(await answer, { granted: true })
})

for (const [why, reply] of [
  ['of another type', 'OK'],
  ['that is nothing', null],
  ['without an error', [createReply(1)[0]]],
  ['whose error is no text', [createReply(1)[0], 5]],
  ['whose first part is no buffer', ['text', NO_ERROR]],
  ['for more charges', createReply(2)],
  ['without a time', [Buffer.alloc(3), Buffer.from('PERIOD')]]
] as const) {
  t.test(`a reply ${why} fails the call`, async (t) => {
    const { batcher, calls, settled, failures } = open()
    const answer = batcher.add(chargeOf('a'))
    await turns()
    calls[0].resolve(reply)
    t.strictSame(await answer, UNAVAILABLE('error'))
    t.strictSame([settled, failures, batcher.pending], [[false], ['error BAD_REPLY'], 0])
  })
}

t.test('an error inside a reply is a failure only if it is not of one key', async (t) => {
  for (const [text, isSuccess, expected] of [['', true, []], ['WRONGTYPE a list', true, ['error WRONGTYPE']], ['OOM no memory', false, ['error OOM']]] as const) {
    const { batcher, calls, settled, failures } = open()
    const answer = batcher.add(chargeOf('a'))
    await turns()
    calls[0].resolve([createReply(1)[0], Buffer.from(text)])
    t.match(await answer, { granted: true })
    t.strictSame([settled, failures], [[isSuccess], expected])
  }
})

t.test('a call that decided nothing for its time is sent again, once', async (t) => {
  const { batcher, calls, settled, failures } = open()
  const answer = batcher.add(chargeOf('a'))
  await turns()
  calls[0].resolve([createReply(0, 77)[0], Buffer.from('PERIOD')])
  await turns()
  t.strictSame([calls.length, calls[1].keys, settled, batcher.pending], [2, calls[0].keys, [], 1])
  calls[1].resolve([createReply(0, 77)[0], Buffer.from('PERIOD')])
  t.strictSame(await answer, UNAVAILABLE('error'))
  t.strictSame([calls.length, settled, failures, batcher.pending], [2, [false], ['error PERIOD'], 0])
})

t.test('after the deadline checks are unavailable, and a late reply is only a sign of life', async (t) => {
  for (const [late, expected] of [[createReply(1), [true]], [[createReply(0)[0], Buffer.from('PERIOD')], [true]], ['OK', [false]]] as const) {
    const { batcher, calls, expires, failures, settled } = open()
    const answer = batcher.add(chargeOf('a'))
    await turns()
    expires[0]()
    t.strictSame([await answer, failures, batcher.pending], [UNAVAILABLE('deadline'), ['deadline late'], 0])
    calls[0].resolve(late)
    await turns()
    t.strictSame([failures.length, batcher.pending, calls.length], [typeof late[0] === 'string' || late[1].length === 0 ? 1 : 2, 0, 1])
    t.strictSame(settled.length, expected.length)
  }
})

t.test('a late error is not reported a second time', async (t) => {
  const { batcher, calls, expires, failures, settled } = open()
  const answer = batcher.add(chargeOf('a'))
  await turns()
  expires[0]()
  await answer
  calls[0].reject(redisError('OOM'))
  await turns()
  t.strictSame([failures, settled, batcher.pending], [['deadline late'], [false], 0])
})

t.test('batches wait for a connection until it is ready', async (t) => {
  const { batcher, calls, state } = open()
  state.isReady = false
  const answer = batcher.add(chargeOf('a'))
  await turns()
  t.equal(calls.length, 0)
  batcher.resume()
  t.equal(calls.length, 0, 'it is not')
  state.isReady = true
  batcher.resume()
  batcher.resume()
  t.equal(calls.length, 1, 'once')
  calls[0].resolve(createReply(1))
  t.match(await answer, { granted: true })
})

t.test('a batch that expired while it waited is not sent', async (t) => {
  const { batcher, calls, state, expires } = open()
  state.isReady = false
  const answer = batcher.add(chargeOf('a'))
  await turns()
  expires[0]()
  t.strictSame(await answer, UNAVAILABLE('deadline'))
  state.isReady = true
  batcher.resume()
  t.equal(calls.length, 0)
})

t.test('nor one that expired before it was sent', async (t) => {
  const { batcher, calls, expires } = open()
  const answer = batcher.add(chargeOf('a'))
  expires[0]()
  t.strictSame(await answer, UNAVAILABLE('deadline'))
  await turns()
  t.equal(calls.length, 0)
})

t.test('on a closed pool a check fails', async (t) => {
  const { batcher, calls, state, settled, failures } = open()
  Object.assign(state, { isReady: false, isEnded: true })
  t.strictSame(await batcher.add(chargeOf('a')), UNAVAILABLE('connection'))
  t.strictSame([calls.length, settled, failures, batcher.pending], [0, [false], ['connection ended'], 0])
})

t.test('on a Cluster sixteen partitions leave at once, in one write', async (t) => {
  const opened = open({ hasSlots: true })
  const { batcher, calls } = opened
  const answers = Array.from({ length: 15 }, (_, i) => batcher.add(chargeOf(`user:${i}`)))
  t.equal(calls.length, 0)
  answers.push(batcher.add(chargeOf('user:15')))
  t.strictSame([calls.length, opened.corks], [16, 1])
  for (const { resolve } of calls) resolve(createReply(1))
  await Promise.all(answers)
  const last = batcher.add(chargeOf('user:16'))
  await turns()
  t.strictSame([calls.length, opened.corks], [17, 1], 'a single one needs no cork')
  calls[16].resolve(createReply(1))
  await last
})

t.test('checks that no request waits for wait for more of them', async (t) => {
  const { batcher, calls } = open()
  for (const partition of ['a', 'b']) batcher.addLater({ charges: chargeOf(partition), resolve () {} }, 60_000)
  await turns()
  t.equal(calls.length, 0)
  const answer = batcher.add(chargeOf('c'))
  await turns()
  t.equal(calls[0].keys.length, 3, 'or for the next call')
  calls[0].resolve(createReply(3))
  await answer
})
