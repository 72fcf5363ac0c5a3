// Checks that no request waits for: when they are sent, and what becomes of them if they cannot be. The connection is scripted.
import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { systemClock } from '../../../lib/common/clock.js'
import type { Check } from '../../../lib/stores/redis/batch.js'
import { Batcher } from '../../../lib/stores/redis/batcher.js'
import type { ConnectionPool } from '../../../lib/stores/redis/connections.js'
import { KeyWriter } from '../../../lib/stores/redis/keys.js'
import { ScriptRunner, type ScriptRunnerOptions } from '../../../lib/stores/redis/script-runner.js'
import { ANSWER_BYTES, TIME_BYTES, type LeaseCharge } from '../../../lib/stores/redis/wire-format.js'
import type { Answer } from '../../../lib/stores/store.js'
import { createHeldSlots } from '../../fixtures/held-slots.js'
import { limitOf } from '../../fixtures/limits.js'
import { until } from '../../fixtures/until.js'

const limit = limitOf({ max: 1000, bucket: 'app/later' })
const REPORTS = [{ slotEndUs: 10_000_000, spent: 7, returned: 1 }, { slotEndUs: 0, spent: 0, returned: 0 }] as const
const CROSSSLOT = Object.assign(new Error("CROSSSLOT Keys in request don't hash to the same slot"), { name: 'ReplyError' })

/** Grants every charge. */
function grantAll (keys: readonly string[]): [Buffer, Buffer] {
  const packed = Buffer.alloc(TIME_BYTES + keys.length * ANSWER_BYTES)
  for (let i = 0; i < keys.length; i++) packed[TIME_BYTES + i * ANSWER_BYTES] = 3
  return [packed, Buffer.alloc(0)]
}

function createBatcher ({ hasSlots = false, isEnded = false, isBreakerOpen = false, refusesSlots = false, clock = systemClock } = {}) {
  /** The keys of each call. */
  const calls: string[][] = []
  const failures: string[] = []
  const retaken: Array<readonly LeaseCharge[]> = []
  const pool = {
    hasSlots,
    isReady: !isEnded,
    isEnded,
    evalScript: async (_script: unknown, keys: readonly string[]) => {
      calls.push([...keys])
      if (refusesSlots) throw CROSSSLOT
      return grantAll(keys)
    },
    cork: (write: () => void) => { write() },
    separateSlots: () => true,
    explainError: () => 'ended',
    explainDeadline: () => 'late',
    formatCode: (code: string) => code,
    reconnect: () => {}
  } as unknown as ConnectionPool
  const options: ScriptRunnerOptions = {
    pool,
    callGuard: { begin: () => isBreakerOpen ? null : { settle () {} } } as unknown as ScriptRunnerOptions['callGuard'],
    onFailure: (_reason, code) => { failures.push(code) },
    clock,
    onAnswer () {}
  }
  const batcher = new Batcher(options, new ScriptRunner(options), new KeyWriter('later:'), createHeldSlots(), async (charges) => {
    retaken.push(charges)
    return { granted: true, atUs: 1, standings: [], blocks: [] }
  })
  return { batcher, calls, failures, retaken }
}

/** A check of its own partition, and what it was answered. */
function createCheck (partition: string): Check & { answer: Answer | null } {
  const lease = { gridUs: 100_000, want: 0, soon: 0, reports: REPORTS }
  const check = {
    charges: [{ limit, partition, cost: 0, lease }],
    answer: null as Answer | null,
    resolve: (answer: Answer | Promise<Answer>) => {
      if (answer instanceof Promise) answer.then(check.resolve, () => {})
      else check.answer = answer
    }
  }
  return check
}

/** How long the checks of most tests may wait for others. */
const SOON_US = 15_000

const createChecks = (count: number) => Array.from({ length: count }, (_, i) => createCheck(`user:${i}`))

t.test('the ninety-seventh check sends those before it, and a timer sends the rest', async (t) => {
  const { batcher, calls } = createBatcher()
  const checks = createChecks(97)
  for (const check of checks) batcher.addLater(check, SOON_US)
  await until('the first call', 5000, async () => checks[95].answer !== null)
  t.equal(calls[0].length, 96)
  await until('the second call', 5000, async () => checks[96].answer !== null)
  t.strictSame(calls.map((keys) => keys.length), [96, 1])
  t.equal(batcher.pending, 0)
})

t.test('so many checks are sent at once, however long they may wait', async (t) => {
  const { batcher, calls } = createBatcher()
  for (const check of createChecks(97)) batcher.addLater(check, Infinity)
  for (let i = 0; i < 4; i++) await nextTurn()
  t.strictSame(calls.map((keys) => keys.length), [96])
})

t.test('of two that wait, the one that may not wait for long is sent first', async (t) => {
  const order: string[] = []
  for (const [name, withinUs] of [['patient', Infinity], ['urgent', SOON_US]] as const) {
    createBatcher().batcher.addLater({ ...createCheck(name), resolve: () => { order.push(name) } }, withinUs)
  }
  await until('both', 5000, () => order.length === 2)
  t.strictSame(order, ['urgent', 'patient'])
})

for (const [name, lease, turns] of [['without leases', undefined, 2], ['with leases switched off', null, 2], ['with leases', { gridUs: 100_000 }, 4]] as const) {
  t.test(`a limit ${name}: the checks of ${turns} turns share a call, unless they take more than a millisecond each`, async (t) => {
    const charges = [limit, { ...limit, lease }].map((limit) => ({ limit, partition: 'a', cost: 1 }))
    let nowUs = 5_000_000
    for (const [turnUs, expected] of [[0, turns], [1000, turns], [(turns - 1) * 1000, 2], [(turns - 1) * 1000 + 1, 1]]) {
      const { batcher, calls } = createBatcher({ clock: { nowUs: () => nowUs } })
      let passed = 0
      while (calls.length === 0) {
        batcher.add(charges)
        nowUs += turnUs
        await nextTurn()
        passed++
      }
      t.strictSame([passed, calls.map((keys) => keys.length)], [expected, [2 * expected]], `${turnUs} us`)
    }
  })
}

t.test('while the breaker is open, a check is refused at once', async (t) => {
  t.strictSame(createBatcher({ isBreakerOpen: true }).batcher.add(createCheck('a').charges), { unavailable: 'breaker' })
})

t.test('a check that may wait for longer is sent with one that may not', async (t) => {
  const { batcher, calls } = createBatcher()
  const [patient, urgent] = createChecks(2)
  batcher.addLater(patient, 1_000_000)
  batcher.addLater(urgent, SOON_US)
  await until('the answers', 5000, async () => patient.answer !== null && urgent.answer !== null)
  t.strictSame(calls.map((keys) => keys.length), [2])
})

t.test('a check that may wait is sent within a fraction of a second, and not at once', async (t) => {
  const { batcher } = createBatcher()
  const [check] = createChecks(1)
  const sinceMs = performance.now()
  batcher.addLater(check, Infinity)
  await until('the answer', 5000, async () => check.answer !== null)
  t.ok(performance.now() - sinceMs > 50, 'after five ticks of its timer')
})

t.test('a check is prepared once, before it is sent', async (t) => {
  const { batcher } = createBatcher()
  const [check] = createChecks(1)
  let prepared = 0
  batcher.addLater({ charges: check.charges, prepare: () => { prepared++ }, resolve: check.resolve }, SOON_US)
  t.equal(prepared, 0)
  await until('the answer', 5000, async () => check.answer !== null)
  t.equal(prepared, 1)
})

t.test('checks of later are before the check that starts a call', async (t) => {
  const { batcher, calls } = createBatcher()
  const [first, second] = createChecks(2)
  batcher.addLater(first, SOON_US)
  await batcher.add(second.charges)
  t.strictSame(calls.map((keys) => keys.map((key) => key.includes('user:0'))), [[true, false]])
})

t.test('while the breaker is open, they are answered so, and nothing is sent', async (t) => {
  const { batcher, calls } = createBatcher({ isBreakerOpen: true })
  const [first, second] = createChecks(2)
  batcher.addLater({
    charges: first.charges,
    resolve: (answer) => {
      first.resolve(answer)
      // As a bucket does that asks again.
      batcher.addLater(second, SOON_US)
    }
  }, SOON_US)
  batcher.flushLater()
  t.strictSame([first.answer, second.answer], [{ unavailable: 'breaker' }, null])
  await until('the timer', 5000, async () => second.answer !== null)
  t.strictSame([second.answer, calls.length, batcher.pending], [{ unavailable: 'breaker' }, 0, 0])
})

t.test('on a closed pool, they are answered as unavailable', async (t) => {
  const { batcher, calls, failures } = createBatcher({ isEnded: true })
  const checks = createChecks(3)
  for (const check of checks) batcher.addLater(check, SOON_US)
  batcher.flushLater()
  await until('the answers', 5000, async () => checks.every(({ answer }) => answer !== null))
  t.strictSame(checks.map(({ answer }) => answer), Array(3).fill({ unavailable: 'connection' }))
  t.strictSame([calls.length, failures, batcher.pending], [0, ['ended'], 0])
})

t.test('checks that are refused for their slots are made again, with their reports', async (t) => {
  const { batcher, retaken } = createBatcher({ refusesSlots: true })
  const checks = createChecks(2)
  for (const check of checks) batcher.addLater(check, SOON_US)
  batcher.flushLater()
  await until('the answers', 5000, async () => checks.every(({ answer }) => answer !== null))
  t.strictSame(retaken.map(([{ lease }]) => lease?.reports), [REPORTS, REPORTS])
  t.equal(batcher.pending, 0)
})

t.test('on a Cluster, each partition has a call, and a check without charges one of its own', async (t) => {
  const { batcher, calls } = createBatcher({ hasSlots: true })
  const checks = createChecks(3)
  for (const check of checks) batcher.addLater(check, SOON_US)
  const answer = await batcher.add([])
  t.strictSame(answer, { granted: true, atUs: 0, standings: [], blocks: [] })
  await nextTurn()
  t.strictSame(calls.map((keys) => keys.length).sort(), [0, 1, 1, 1])
  t.ok(checks.every(({ answer }) => answer !== null))
})
