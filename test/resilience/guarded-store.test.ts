import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { createQuota } from '../../lib/algorithms/quota.js'
import { CallGuard } from '../../lib/resilience/call-guard.js'
import { GuardedStore } from '../../lib/resilience/guarded-store.js'
import { createMemoryStore } from '../../lib/stores/memory/store.js'
import type { Adjustment, Answer, Receipt, Standing, Store } from '../../lib/stores/store.js'
import { limitOf } from '../fixtures/limits.js'
import { ManualClock } from '../fixtures/manual-clock.js'
import { storeContract } from '../fixtures/store-contract.js'

t.teardown(() => { mock.timers.reset() })

const limit = limitOf({ max: 3 })
const charges = [{ limit, partition: 'a', cost: 1 }]
const standing: Standing = { limit, partition: 'a', charged: 1, granted: true, remaining: 2, resetUs: 1, delayUs: 0, retryUs: 0, blockedUs: 0 }
const receipt: Receipt = { granted: true, atUs: 1, standings: [standing], blocks: [] }

/** A store that does what the test says; the rest of it answers as if nothing was ever used. */
function storeWith (methods: object): Store {
  return {
    kind: 'custom',
    take: () => receipt,
    peek: () => [standing],
    adjust: () => {},
    reset: () => 0,
    ping: () => {},
    ...methods
  }
}

interface Guarded {
  readonly guarded: GuardedStore
  /** What its listeners heard, in order. */
  readonly heard: string[]
  readonly causes: unknown[]
  readonly clock: ManualClock
  pass (ms: number): void
}

/** A deadline of 50 ms, and a breaker that opens at the third failure. */
function guard (t: Test, store: Store, maxPending = 100): Guarded {
  // Anew for each: what Node.js 20 mocks forgets intervals once one of them was cleared.
  mock.timers.reset()
  mock.timers.enable({ apis: ['setInterval', 'setImmediate'] })
  const clock = new ManualClock()
  const heard: string[] = []
  const causes: unknown[] = []
  const guarded = new GuardedStore({
    store,
    callGuard: new CallGuard(50, { failures: 3, withinMs: 10_000, openForMs: 5000 }, clock, (state) => { heard.push(state) }),
    maxPending,
    deadlineMs: 50,
    clock,
    onAnswer: (operation, tookUs) => { heard.push(`${operation} ${tookUs}`) },
    onFailure (reason, code, cause) {
      heard.push(`${reason} ${code}`)
      causes.push(cause)
    }
  })
  t.teardown(() => { guarded.close() })
  function pass (ms: number) {
    for (let i = 0; i < ms; i += 10) {
      clock.advance(10_000)
      mock.timers.tick(10)
    }
  }
  return { guarded, heard, causes, clock, pass }
}

/** Once everybody has heard of every promise that is settled. */
function drained (): Promise<void> {
  return new Promise((resolve) => { process.nextTick(resolve) })
}

storeContract(t, 'guarded', (clock) => guard(t, createMemoryStore({ clock, maxKeys: 100_000 })).guarded)

t.test('what is answered in the same turn stays so, without a promise', async (t) => {
  const { guarded, heard } = guard(t, storeWith({}))
  t.equal(guarded.take(charges), receipt)
  t.strictSame(heard, ['take 0'])
})

t.test('an answer in time is handed on as it came, and its duration is told', async (t) => {
  let settle = (_: Answer): void => {}
  const { guarded, heard, pass } = guard(t, storeWith({ take: () => new Promise<Answer>((resolve) => { settle = resolve }) }))
  const answer = guarded.take(charges)
  pass(20)
  settle(receipt)
  t.equal(await answer, receipt)
  t.strictSame(heard, ['take 20000'])
})

t.test('a promise of another make is one too', async (t) => {
  const { guarded } = guard(t, storeWith({ take: () => ({ then: (resolve: (answer: Answer) => void) => { resolve(receipt) } }) }))
  t.equal(await guarded.take(charges), receipt)
})

const boom = Object.assign(new Error('boom'), { code: 'ECONNREFUSED' })
const failing: ReadonlyArray<readonly [what: string, take: () => unknown, code: string]> = [
  ['throws', () => { throw boom }, 'ECONNREFUSED'],
  ['rejects', async () => { throw boom }, 'ECONNREFUSED'],
  ['throws what is no error', () => { throw 'boom' }, 'ERROR'], // eslint-disable-line no-throw-literal
  ['rejects with nothing', () => Promise.reject(), 'ERROR'], // eslint-disable-line prefer-promise-reject-errors
  ['throws a code that is no word', () => { throw Object.assign(new Error('x'), { code: 'postgres://user:secret@host' }) }, 'ERROR'],
  ['answers with a promise that throws', () => ({ then () { throw boom } }), 'ECONNREFUSED'],
  ['answers with what throws when it is looked at', () => ({ get granted () { throw boom } }), 'ECONNREFUSED'],
  ['answers nothing', () => undefined, 'BAD_ANSWER'],
  ['answers null, later', async () => null, 'BAD_ANSWER'],
  ['answers a number', () => 5, 'BAD_ANSWER'],
  ['gives a reason that is none', () => ({ unavailable: 'tired' }), 'BAD_ANSWER'],
  ['gives a reason of a prototype', () => ({ unavailable: 'constructor' }), 'BAD_ANSWER'],
  ['grants by a word', () => ({ ...receipt, granted: 'yes' }), 'BAD_ANSWER'],
  ['knows no time', () => ({ ...receipt, atUs: NaN }), 'BAD_ANSWER'],
  ['has no standings', () => ({ ...receipt, standings: undefined }), 'BAD_ANSWER'],
  ['has none for the charge', () => ({ ...receipt, standings: [] }), 'BAD_ANSWER'],
  ['has one too many', () => ({ ...receipt, standings: [standing, standing] }), 'BAD_ANSWER'],
  ['has a hole in place of a standing', () => ({ ...receipt, standings: [null] }), 'BAD_ANSWER'],
  ["speaks of a copy of the charge's limit", () => ({ ...receipt, standings: [{ ...standing, limit: { ...limit } }] }), 'BAD_ANSWER'],
  ['speaks of another partition', () => ({ ...receipt, standings: [{ ...standing, partition: 'b' }] }), 'BAD_ANSWER'],
  ['grants a standing by a number', () => ({ ...receipt, standings: [{ ...standing, granted: 1 }] }), 'BAD_ANSWER'],
  ['charged a part of a unit', () => ({ ...receipt, standings: [{ ...standing, charged: 0.5 }] }), 'BAD_ANSWER'],
  ['has less than nothing left', () => ({ ...receipt, standings: [{ ...standing, remaining: -1 }] }), 'BAD_ANSWER'],
  ['resets at infinity', () => ({ ...receipt, standings: [{ ...standing, resetUs: Infinity }] }), 'BAD_ANSWER'],
  ['delays by a word', () => ({ ...receipt, standings: [{ ...standing, delayUs: '1' }] }), 'BAD_ANSWER'],
  ['waits for nothing known', () => ({ ...receipt, standings: [{ ...standing, retryUs: null }] }), 'BAD_ANSWER'],
  ['blocks for nothing known', () => ({ ...receipt, standings: [{ ...standing, blockedUs: undefined }] }), 'BAD_ANSWER'],
  ['charged at no time', () => ({ ...receipt, standings: [{ ...standing, atUs: 'now' }] }), 'BAD_ANSWER'],
  ['has no blocks', () => ({ ...receipt, blocks: undefined }), 'BAD_ANSWER'],
  ['has blocks of nobody', () => ({ ...receipt, blocks: [{ blockedUs: 1, began: true }] }), 'BAD_ANSWER']
]
for (const [what, take, code] of failing) {
  t.test(`a take that ${what} is no answer`, async (t) => {
    const { guarded, heard } = guard(t, storeWith({ take }))
    t.strictSame(await guarded.take(charges), { unavailable: 'error' })
    t.strictSame(heard, [`error ${code}`])
  })
}

t.test('nonsense is told in words, and an error as it was', async (t) => {
  const { guarded, causes } = guard(t, storeWith({ take: () => ({ ...receipt, standings: [{ ...standing, retryUs: -1 }] }), reset: () => { throw boom } }))
  guarded.take(charges)
  await t.rejects(guarded.reset([limit], 'a'), { code: 'FST_SLUICE_STORE', cause: boom })
  t.match(causes, [{ message: 'standings[0].retryUs: expected whole microseconds or "never"' }, boom])
})

t.test("a store's own word that it cannot answer is handed on, and a failure", async (t) => {
  const { guarded, heard } = guard(t, storeWith({ take: () => ({ unavailable: 'connection' }) }))
  for (let i = 0; i < 3; i++) t.strictSame(guarded.take(charges), { unavailable: 'connection' })
  t.strictSame(heard, ['connection UNAVAILABLE', 'connection UNAVAILABLE', 'connection UNAVAILABLE', 'open'])
})

t.test('what a store did not try is counted elsewhere, with the request', async (t) => {
  const { guarded, heard } = guard(t, storeWith({ take: () => ({ unavailable: 'overload' }) }))
  t.strictSame(guarded.take(charges), { unavailable: 'overload' })
  t.strictSame(heard, [])
})

t.test('a take that hangs ends at the deadline, and what comes later is dropped', async (t) => {
  const settle: Array<(answer: Answer | Promise<never>) => void> = []
  const { guarded, heard, pass } = guard(t, storeWith({ take: () => new Promise<Answer>((resolve) => { settle.push(resolve) }) }))
  const answers = [guarded.take(charges), guarded.take(charges)]
  pass(80)
  t.strictSame(await Promise.all(answers), [{ unavailable: 'deadline' }, { unavailable: 'deadline' }])
  settle[0](receipt)
  settle[1](Promise.reject(boom))
  await drained()
  t.strictSame(heard, ['deadline DEADLINE', 'deadline DEADLINE', 'take 80000'], 'how long it took; the failure was told once')
})

t.test('the breaker opens, the store is not asked, and one probe closes it', async (t) => {
  let calls = 0
  let isDown = true
  const { guarded, heard, clock } = guard(t, storeWith({
    take () {
      calls++
      if (isDown) throw boom
      return receipt
    }
  }))
  for (let i = 0; i < 5; i++) guarded.take(charges)
  t.equal(calls, 3)
  t.strictSame(guarded.take(charges), { unavailable: 'breaker' })
  await t.rejects(guarded.peek([limit], 'a'), { code: 'FST_SLUICE_STORE' })
  await t.rejects(guarded.reset([limit], 'a'), { code: 'FST_SLUICE_STORE' })
  await guarded.adjust([])
  clock.advance(5_000_000)
  isDown = false
  t.equal(guarded.take(charges), receipt)
  t.strictSame(heard.slice(-4), ['open', 'half-open', 'take 0', 'closed'])
})

t.test('past maxPending a take is not made, until one has ended', async (t) => {
  const settle: Array<(answer: Answer) => void> = []
  const { guarded, pass } = guard(t, storeWith({ take: () => new Promise<Answer>((resolve) => { settle.push(resolve) }) }), 2)
  const first = guarded.take(charges)
  const second = guarded.take(charges)
  t.strictSame(guarded.take(charges), { unavailable: 'overload' })
  settle[0](receipt)
  t.equal(await first, receipt)
  const third = guarded.take(charges)
  t.strictSame(guarded.take(charges), { unavailable: 'overload' })
  pass(80)
  t.strictSame(await Promise.all([second, third]), [{ unavailable: 'deadline' }, { unavailable: 'deadline' }])
  settle[1](receipt)
  await drained()
  t.equal(settle.length, 3)
  guarded.take(charges)
  guarded.take(charges)
  t.equal(settle.length, 5, 'one that answered too late makes no more room than it took')
  t.strictSame(guarded.take(charges), { unavailable: 'overload' })
})

const hang = () => new Promise<never>(() => {})

t.test('the other calls end at the deadline too', async (t) => {
  const { guarded, heard, pass } = guard(t, storeWith({ peek: hang, reset: hang, adjust: hang, ping: hang }))
  const rejected = { code: 'FST_SLUICE_STORE', message: 'the store did not answer: deadline (DEADLINE)' }
  const calls = [t.rejects(guarded.peek([limit], 'a'), rejected), t.rejects(guarded.reset([limit], 'a'), rejected), t.rejects(guarded.ping(), rejected), guarded.adjust([])]
  pass(100)
  await Promise.all(calls)
  t.strictSame(heard, ['deadline DEADLINE', 'deadline DEADLINE', 'deadline DEADLINE', 'open'], 'a ping is no matter of the breaker')
})

t.test('the other calls reject when they are answered with nonsense', async (t) => {
  const { guarded } = guard(t, storeWith({ peek: () => [], reset: () => 'some', ping: () => { throw boom } }))
  await t.rejects(guarded.peek([limit], 'a'), { code: 'FST_SLUICE_STORE', cause: { message: 'expected 1 standings, one for each limit' } })
  await t.rejects(guarded.reset([limit], 'a'), { code: 'FST_SLUICE_STORE', cause: { message: 'expected a whole number, 0 or more' } })
  await t.rejects(guarded.ping(), { code: 'FST_SLUICE_STORE', cause: boom })
})

t.test('an adjustment that fails is reported and lost', async (t) => {
  const { guarded, heard } = guard(t, storeWith({ adjust: async () => { throw boom } }))
  await guarded.adjust([])
  t.strictSame(heard, ['error ECONNREFUSED'])
})

t.test('a ping asks whatever the breaker thinks', async (t) => {
  const { guarded } = guard(t, storeWith({ take: () => null }))
  for (let i = 0; i < 3; i++) guarded.take(charges)
  t.strictSame(guarded.take(charges), { unavailable: 'breaker' })
  await guarded.ping()
})

t.test('closing gives up what is waited for, and leaves the store to its owner', async (t) => {
  const { guarded } = guard(t, storeWith({ take: hang, ping: hang, close: () => t.fail('it was closed') }))
  const answer = guarded.take(charges)
  const ping = t.rejects(guarded.ping(), { code: 'FST_SLUICE_STORE' })
  guarded.close()
  t.strictSame(await answer, { unavailable: 'deadline' })
  await ping
})

t.test('a slot that is granted too late is given back', async (t) => {
  const slots = { ...limitOf({ bucket: 'app/slots' }), ...createQuota('concurrency', 2, 10_000_000) }
  let grant: (answer: Answer) => void = () => {}
  const adjusted: unknown[] = []
  const { guarded, pass } = guard(t, storeWith({
    countsInFlight: true,
    take: () => new Promise<Answer>((resolve) => { grant = resolve }),
    adjust (adjustments: readonly Adjustment[]) { adjusted.push(...adjustments) }
  }))
  const slot = { ...standing, limit: slots }
  const answer = guarded.take([...charges, { limit: slots, partition: 'a', cost: 1 }])
  pass(100)
  t.strictSame(await answer, { unavailable: 'deadline' })
  grant({ ...receipt, standings: [standing, slot] })
  for (let i = 0; i < 5; i++) await Promise.resolve()
  t.strictSame(adjusted, [{ standing: slot, atUs: 1, units: -1 }])
})
