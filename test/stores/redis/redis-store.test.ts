// What the store asks Redis for, in which calls, and what it makes of the replies. The connection is scripted.
import t from 'tap'
import { createQuota } from '../../../lib/algorithms/quota.js'
import { InFlightCounts } from '../../../lib/stores/memory/in-flight-counts.js'
import type { ConnectionPool } from '../../../lib/stores/redis/connections.js'
import { KeyWriter } from '../../../lib/stores/redis/keys.js'
import { packAdjustments } from '../../../lib/stores/redis/pack-adjustments.js'
import { RedisStore, type RedisStoreOptions } from '../../../lib/stores/redis/redis-store.js'
import { loadScript, type Script } from '../../../lib/stores/redis/scripts.js'
import { ANSWER_BYTES, packLimit, TIME_BYTES, writeNumber } from '../../../lib/stores/redis/wire-format.js'
import type { Limit, Standing } from '../../../lib/stores/store.js'
import { limitOf, penaltyWith } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'
import { sleep } from '../../fixtures/until.js'

const limit = limitOf({ max: 1000, bucket: 'app/store' })
const other = limitOf({ max: 1000, bucket: 'app/other' })
const slots = { ...limitOf({ bucket: 'app/slots' }), ...createQuota('concurrency', 10, 60_000_000) }
const keys = new KeyWriter('store:')
const CROSSSLOT = Object.assign(new Error('CROSSSLOT no'), { name: 'ReplyError' })
const NAMES = new Map(['take', 'adjust', 'reset', 'report-slots'].map((name) => [loadScript(name).sha, name]))

interface Call {
  readonly script: string
  readonly keys: readonly string[]
  readonly args: readonly Buffer[]
}

/** Grants each charge; its number of remaining units counts up. */
function grantAll (count: number): [Buffer, Buffer] {
  const packed = Buffer.alloc(TIME_BYTES + count * ANSWER_BYTES)
  for (let i = 0; i < count; i++) {
    packed[TIME_BYTES + i * ANSWER_BYTES] = 3
    writeNumber(packed, i + 1, TIME_BYTES + i * ANSWER_BYTES + 1)
  }
  return [packed, Buffer.alloc(0)]
}

function open ({ hasSlots = false, maxPending = 100, reply }: { hasSlots?: boolean, maxPending?: number, reply?: (call: Call) => unknown } = {}) {
  const calls: Call[] = []
  const failures: string[] = []
  const events: string[] = []
  const answered: string[] = []
  const state = { hasSlots, isReady: true }
  const inFlight = new InFlightCounts()
  const pool = {
    get hasSlots () { return state.hasSlots },
    get isReady () { return state.isReady },
    isEnded: false,
    async evalScript ({ sha }: Script, keys: readonly string[], args: readonly Buffer[]) {
      const call = { script: NAMES.get(sha) ?? sha, keys: [...keys], args: [...args] }
      calls.push(call)
      return reply === undefined ? call.script === 'take' ? grantAll(keys.length) : Buffer.alloc(0) : reply(call)
    },
    cork: (write: () => void) => { write() },
    separateSlots: () => { state.hasSlots = true; return true },
    explainError: (error: Error) => error.message,
    explainDeadline: () => 'late',
    formatCode: (code: string) => code,
    reconnect () {},
    async ping () { events.push('ping') },
    async close () { events.push('pool closed') }
  } as unknown as ConnectionPool
  const store = new RedisStore({
    pool,
    callGuard: { begin: () => ({ settle () {} }), close: () => { events.push('guard closed') } },
    onFailure: (_reason, code) => { failures.push(code) },
    clock: new ManualClock(),
    onAnswer: (operation) => { answered.push(operation) },
    keyPrefix: 'store:',
    maxPending,
    inFlight
  } satisfies RedisStoreOptions)
  return { store, calls, failures, events, answered, state, inFlight }
}

function createStanding (limit: Limit, partition = 'a'): Standing {
  return { limit, partition, charged: 1, granted: true, remaining: 5, resetUs: 7, delayUs: 0, retryUs: 0, blockedUs: 0 }
}

const adjustmentOf = (limit: Limit, units: number, partition = 'a') => ({ standing: createStanding(limit, partition), atUs: 3, units })
const bucketKeys = (...limits: readonly Limit[]) => limits.map((limit) => keys.formatBucketKey(limit, 'a'))

t.test('with as many checks in flight as may be, no further one is sent', async (t) => {
  const { store, calls } = open({ maxPending: 2 })
  const charges = [{ limit, partition: 'a', cost: 1 }]
  const sent = [store.take(charges), store.take(charges)]
  t.strictSame(store.take(charges), { unavailable: 'overload' })
  const answers: unknown[] = []
  store.takeLater({ charges, resolve: (answer) => { answers.push(answer) } }, 60_000)
  t.strictSame(answers, [{ unavailable: 'overload' }])
  await Promise.all(sent)
  store.takeLater({ charges, resolve: (answer) => { answers.push(answer) } }, 60_000)
  store.flushLater()
  t.match(await store.take(charges), { granted: true })
  t.strictSame([answers.length, calls.map(({ keys }) => keys.length)], [2, [2, 2]])
})

t.test('on a Cluster each partition of a check has a call', async (t) => {
  const charges = ['a', 'b', 'a'].map((partition, i) => ({ limit: [limit, limit, other][i], partition, cost: 1 }))
  for (const hasSlots of [false, true]) {
    const { store, calls } = open({ hasSlots })
    t.match(await store.take(charges), { granted: true, standings: charges.map(({ limit, partition }) => ({ limit, partition, charged: 1 })) })
    t.strictSame(calls.map(({ keys }) => keys.length), hasSlots ? [2, 1] : [3])
  }
})

t.test('on a Cluster a check of one partition is one call, with one time', async (t) => {
  const { store, calls } = open({ hasSlots: true })
  const answer = await store.take([limit, other].map((one) => ({ limit: one, partition: 'a', cost: 1 })))
  t.match(answer, { granted: true, standings: [{ remaining: 1 }, { remaining: 2 }] })
  t.strictSame([calls.length, 'standings' in answer && answer.standings.map(({ atUs }) => atUs)], [1, [undefined, undefined]])
})

t.test('a look has a standing for each limit, in order', async (t) => {
  const { store, calls } = open()
  t.match(await store.peek([limit, other], 'a'), [{ limit, remaining: 1, charged: 0 }, { limit: other, remaining: 2, charged: 0 }])
  t.strictSame(calls.map(({ script, keys }) => [script, keys]), [['take', bucketKeys(limit, other)]])
})

t.test('a look without an answer is an error', async (t) => {
  const { store } = open({ reply: () => { throw new Error('gone') } })
  await t.rejects(store.peek([limit], 'a'), { code: 'FST_SLUICE_STORE', message: /connection \(no standing\)/ })
})

t.test('units of rates are corrected in one call, and slots are given back by themselves', async (t) => {
  const { store, calls, inFlight } = open()
  inFlight.take(slots, 'a', 3)
  const rates = [adjustmentOf(limit, -1), adjustmentOf(other, 2, 'b')]
  await store.adjust([adjustmentOf(slots, -1), ...rates, adjustmentOf(slots, 1), adjustmentOf(slots, 0)])
  t.strictSame(calls, [{ script: 'adjust', keys: [...bucketKeys(limit), keys.formatBucketKey(other, 'b')], args: packAdjustments(rates, 0) }])
  t.equal(inFlight.get(slots, 'a'), 2)
  calls.length = 0
  await store.adjust([adjustmentOf(slots, -1)])
  await store.adjust([])
  t.strictSame([calls.length, inFlight.get(slots, 'a')], [0, 1])
  await sleep(20)
  t.strictSame(calls.map(({ script, keys }) => [script, keys]), [['report-slots', bucketKeys(slots)]])
})

t.test('on a Cluster corrections are a call for each partition', async (t) => {
  const { store, calls } = open({ hasSlots: true })
  await store.adjust([adjustmentOf(limit, -1), adjustmentOf(limit, -1, 'b'), adjustmentOf(other, -1)])
  t.strictSame(calls.map(({ keys }) => keys), [bucketKeys(limit, other), [keys.formatBucketKey(limit, 'b')]])
})

t.test('a correction that is refused for its slots is made again per partition', async (t) => {
  let isRefused = false
  const { store, calls, state } = open({
    reply () {
      if (isRefused) return Buffer.alloc(0)
      isRefused = true
      throw CROSSSLOT
    }
  })
  await store.adjust([adjustmentOf(limit, -1), adjustmentOf(limit, -1, 'b')])
  t.strictSame([calls.map(({ keys }) => keys.length), state.hasSlots], [[2, 1, 1], true])
})

t.test('another failure loses the correction, and is reported', async (t) => {
  for (const [error, partition] of [[new Error('gone'), 'b'], [CROSSSLOT, 'a']] as const) {
    const { store, calls, failures } = open({ reply: () => { throw error } })
    await store.adjust([adjustmentOf(limit, -1), adjustmentOf(limit, -1, partition)])
    t.strictSame([calls.length, failures], [1, [error.message]])
  }
})

t.test('a correction that Redis has no period for is made again with the time of Redis, once', async (t) => {
  const monthly = limitOf({ algorithm: 'calendar-window', windowUs: 1_000_000, bucket: 'app/monthly' })
  const { store, calls, failures } = open({ reply: () => Buffer.from('PERIOD 55000000') })
  const adjustment = adjustmentOf(monthly, 1)
  await store.adjust([adjustment])
  t.strictSame([calls.length, failures], [2, []])
  t.strictSame(calls[1].args, packAdjustments([adjustment], 55_000_000))
  await store.adjust([adjustment])
  t.strictSame(calls[2].args, packAdjustments([adjustment], 55_000_000), 'whose time is known from then on')
})

for (const [text, expected] of [
  ['', []], ['OOM no memory', ['OOM']], ['PERIOD', ['PERIOD']], ['PERIOD x', ['PERIOD']], ['PERIOD 1.5', ['PERIOD']], ['ERR 5', ['ERR']]
] as const) {
  t.test(`the reply "${text}" to a correction`, async (t) => {
    const { store, failures, calls } = open({ reply: () => Buffer.from(text) })
    await store.adjust([adjustmentOf(limit, 1)])
    t.strictSame([failures, calls.length], [expected, 1])
  })
}

t.test('a correction whose reply is no text fails', async (t) => {
  const { store, failures } = open({ reply: () => 'OK' })
  await store.adjust([adjustmentOf(limit, 1)])
  t.strictSame(failures, ['BAD_REPLY'])
})

t.test('a reset names the buckets, and the states under their penalties', async (t) => {
  const penalty = penaltyWith()
  const penal = ['app/one', 'app/two'].map((bucket) => limitOf({ bucket, penalty }))
  const shared = limitOf({ bucket: 'app/shared', by: 'global', penalty })
  const { store, calls } = open({ reply: () => 3 })
  t.equal(await store.reset([limit, slots, ...penal, shared], 'a'), 3)
  t.strictSame(calls, [{
    script: 'reset', keys: [...bucketKeys(limit, ...penal, shared), keys.formatPenaltyKey(penalty, 'a')], args: [packLimit(penal[1]), Buffer.alloc(0)]
  }])
  t.equal(await store.reset([slots], 'a'), 0)
  t.equal(calls.length, 1, 'requests in flight stay in flight')
})

for (const [reply, expected] of [[0, 0], [3, 3], ['3', 3], [-1, null], [1.5, null], ['x', null], [null, null], [[1], null], [Buffer.from('1'), null]] as const) {
  t.test(`the reply ${JSON.stringify(reply)} to a reset`, async (t) => {
    const { store } = open({ reply: () => reply })
    if (expected === null) await t.rejects(store.reset([limit], 'a'), { code: 'FST_SLUICE_STORE', message: /BAD_REPLY/ })
    else t.equal(await store.reset([limit], 'a'), expected)
  })
}

t.test('slots are reported for each partition where keys have slots', async (t) => {
  for (const hasSlots of [false, true]) {
    const { store, calls, inFlight } = open({ hasSlots })
    for (const partition of ['a', 'b']) inFlight.take(slots, partition, 2)
    await store.adjust([adjustmentOf(slots, -1), adjustmentOf(slots, -1, 'b')])
    await store.close()
    t.strictSame(calls.map(({ script, keys }) => [script, keys.length]), hasSlots ? [['report-slots', 1], ['report-slots', 1]] : [['report-slots', 2]])
  }
})

t.test('a report of slots that is refused for its slots is made again per partition', async (t) => {
  const { store, calls, inFlight, state } = open({
    reply ({ keys }) {
      if (keys.length > 1) throw CROSSSLOT
      return Buffer.alloc(0)
    }
  })
  for (const partition of ['a', 'b']) inFlight.take(slots, partition, 2)
  await store.adjust([adjustmentOf(slots, -1), adjustmentOf(slots, -1, 'b')])
  await sleep(20)
  t.strictSame([calls.map(({ keys }) => keys.length), state.hasSlots], [[2, 1, 1], true])
})

t.test('a report that failed is made again with the next heartbeat, one that was taken is not', async (t) => {
  for (const [replies, reports] of [[[Buffer.alloc(0)], 1], [['OK', new Error('gone')], 3]] as const) {
    const brief = { ...limitOf({ bucket: 'app/brief' }), ...createQuota('concurrency', 10, 150_000) }
    const left: unknown[] = [...replies]
    const { store, calls, inFlight } = open({
      reply () {
        const reply = left.shift() ?? Buffer.alloc(0)
        if (reply instanceof Error) throw reply
        return reply
      }
    })
    inFlight.take(brief, 'a', 1)
    await store.adjust([adjustmentOf(brief, -1)])
    await sleep(300)
    t.equal(calls.length, reports)
    await store.close()
  }
})

t.test('the store ends its reports, its calls and its connections', async (t) => {
  const { store, events } = open()
  await store.ping()
  await store.close()
  t.strictSame(events, ['ping', 'guard closed', 'pool closed'])
})

t.test('the store counts requests in flight, under its name', async (t) => {
  const { store } = open()
  t.match(store, { kind: 'redis', countsInFlight: true })
})

t.test('calls are measured by their operation', async (t) => {
  const { store, answered, inFlight } = open()
  inFlight.take(slots, 'a', 1)
  await store.take([{ limit, partition: 'a', cost: 1 }])
  await store.adjust([adjustmentOf(limit, 1)])
  await store.close()
  const resetting = open({ reply: () => 1 })
  await resetting.store.reset([limit], 'a')
  t.strictSame([answered, resetting.answered], [['take', 'adjust'], ['reset']])
  const { store: reporting, answered: reports, inFlight: counts } = open()
  counts.take(slots, 'a', 1)
  await reporting.adjust([adjustmentOf(slots, -1)])
  await reporting.close()
  t.strictSame(reports, ['adjust'])
})

t.test('on a Cluster a refusal of one partition gives back what another one charged', async (t) => {
  const { store, calls } = open({
    hasSlots: true,
    reply ({ script, keys }) {
      if (script !== 'take') return Buffer.alloc(0)
      const reply = grantAll(1)
      if (keys[0].includes('{b}')) reply[0][TIME_BYTES] = 0
      return reply
    }
  })
  t.match(await store.take(['a', 'b'].map((partition) => ({ limit, partition, cost: 3 }))), { granted: false })
  t.strictSame(calls.map(({ script, keys }) => [script, keys[0]]), [
    ['take', keys.formatBucketKey(limit, 'a')], ['take', keys.formatBucketKey(limit, 'b')], ['adjust', keys.formatBucketKey(limit, 'a')]
  ])
})

t.test('a check that is refused for its slots is made again per partition', async (t) => {
  const { store, calls } = open({
    reply ({ keys }) {
      if (keys.length > 1) throw CROSSSLOT
      return grantAll(1)
    }
  })
  t.match(await store.take(['a', 'b'].map((partition) => ({ limit, partition, cost: 1 }))), { granted: true })
  t.strictSame(calls.map(({ keys }) => keys.length), [2, 1, 1])
})

t.test('checks that no request waits for leave with a flush', async (t) => {
  const { store, calls } = open()
  store.takeLater({ charges: [{ limit, partition: 'a', cost: 0 }], resolve () {} }, 60_000)
  for (let i = 0; i < 4; i++) await new Promise(setImmediate)
  t.equal(calls.length, 0)
  store.flushLater()
  for (let i = 0; i < 4; i++) await new Promise(setImmediate)
  t.equal(calls.length, 1)
})

t.test('checks that wait for a connection are sent with it', async (t) => {
  const { store, calls, state } = open()
  state.isReady = false
  const answer = store.take([{ limit, partition: 'a', cost: 1 }])
  for (let i = 0; i < 4; i++) await new Promise(setImmediate)
  state.isReady = true
  t.equal(calls.length, 0)
  store.resume()
  t.match(await answer, { granted: true })
})

t.test('a correction by no slots is no report', async (t) => {
  const { store, calls } = open()
  await store.adjust([adjustmentOf(slots, 0)])
  await sleep(20)
  t.equal(calls.length, 0)
})

t.test('on a Cluster a report that one node has not taken is repeated', async (t) => {
  const brief = { ...limitOf({ bucket: 'app/brief' }), ...createQuota('concurrency', 10, 150_000) }
  const { store, calls, inFlight } = open({ hasSlots: true, reply: ({ keys }) => keys[0].includes('{b}') ? 'OK' : Buffer.alloc(0) })
  for (const partition of ['a', 'b']) inFlight.take(brief, partition, 1)
  await store.adjust([adjustmentOf(brief, -1), adjustmentOf(brief, -1, 'b')])
  await sleep(200)
  t.ok(calls.filter(({ keys }) => keys[0].includes('{b}')).length > 1)
  await store.close()
})
