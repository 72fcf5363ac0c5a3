// What clients see while answers arrive together: no leased unit is counted twice. The store is scripted by the test.
import t from 'tap'
import { createLeaseTerms } from '../../../lib/algorithms/lease.js'
import { Leases } from '../../../lib/stores/lease/leases.js'
import type { Check } from '../../../lib/stores/redis/batch.js'
import type { LeaseCharge, LeaseStanding } from '../../../lib/stores/redis/wire-format.js'
import type { Answer, Limit, Receipt, Standing } from '../../../lib/stores/store.js'
import { limitOf } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'

const PARTITION = 'ip:203.0.113.9'
const FREE = 500

function createLimit (): Limit {
  const limit = limitOf({ max: 1000, windowUs: 1_000_000, bucket: 'app/seen' })
  const lease = createLeaseTerms(limit, 2_000_000)
  if (typeof lease === 'string') throw new TypeError(lease)
  return { ...limit, lease }
}

/** A store whose answers the test gives. */
class ScriptedStore {
  readonly kind = 'scripted'
  readonly limit = createLimit()
  readonly clock = new ManualClock()
  /** Checks without an answer, in order. */
  readonly asked: Array<{ readonly charges: readonly LeaseCharge[], readonly resolve: (answer: Answer) => void }> = []
  readonly later: Check[] = []
  flushes = 0
  resolvePeek = (_standings: Standing[]): void => {}
  readonly leases = new Leases({ store: this, source: this, clock: this.clock, maxPending: 100 })

  take (charges: readonly LeaseCharge[]): Promise<Answer> {
    return new Promise((resolve) => { this.asked.push({ charges, resolve }) })
  }

  takeLater (check: Check): void { this.later.push(check) }
  flushLater (): void { this.flushes++ }
  async peek (): Promise<Standing[]> { return await new Promise((resolve) => { this.resolvePeek = resolve }) }
  async adjust (): Promise<void> {}
  async reset (): Promise<number> { return 0 }
  async ping (): Promise<void> {}

  /** Nothing answers any more. */
  end (): void { this.leases.close().catch(() => {}) }

  /** A standing of a bucket of which `remaining` units are free. */
  standing (remaining: number, charged: number, units = 0): LeaseStanding {
    const standing: Standing = {
      limit: this.limit, partition: PARTITION, charged, granted: true, remaining, resetUs: (1000 - remaining) * 1000, delayUs: 0, retryUs: 0, blockedUs: 0
    }
    return units === 0 ? standing : { ...standing, lease: { units, lifeUs: 1_000_000, slotEndUs: 10_000_000, apart: units } }
  }

  receipt (standing: LeaseStanding, atUs: number): Receipt {
    return { granted: true, atUs, standings: [standing], blocks: [] }
  }

  takeOne (): Answer | Promise<Answer> { return this.leases.take([{ limit: this.limit, partition: PARTITION, cost: 1 }]) }

  /** Answer the oldest check. */
  answer (standing: LeaseStanding, atUs: number): void { this.asked.shift()?.resolve(this.receipt(standing, atUs)) }

  /** Make checks until a lease is asked for, which is then the only one without an answer. */
  async askForLease (): Promise<void> {
    for (let i = 0; i < 20; i++) {
      const answer = this.takeOne()
      if (this.asked[0]?.charges[0].lease?.want) return
      this.answer(this.standing(FREE, 1), 1000 + i)
      await answer
    }
    throw new Error('no lease was asked for')
  }
}

t.test('a renewal reports what was spent until it is sent', async (t) => {
  const store = new ScriptedStore()
  t.teardown(() => { store.end() })
  await store.askForLease()
  store.answer(store.standing(FREE, 1, 10), 2000)
  await Promise.resolve()
  let spent = 0
  for (; store.later.length === 0 && spent < 10; spent++) t.notOk(store.takeOne() instanceof Promise)
  t.ok(spent < 10, 'asked for before the units in hand are used up')
  store.takeOne()
  store.later[0].prepare?.()
  const reports = store.later[0].charges[0].lease?.reports ?? []
  t.equal(reports.reduce((sum, report) => sum + report.spent, 0), spent + 1)
})

t.test('a peek adds no lease that was granted after it', async (t) => {
  const store = new ScriptedStore()
  t.teardown(() => { store.end() })
  for (let i = 0; i < 7; i++) {
    const answer = store.takeOne()
    store.answer(store.standing(FREE, 1), 1000 + i)
    await answer
  }
  const peeked = store.leases.peek([store.limit], PARTITION)
  await Promise.resolve()
  await store.askForLease()
  store.resolvePeek([store.standing(FREE, 0)])
  // In the same turn: the store decided it after the peek.
  store.answer(store.standing(FREE - 11, 1, 10), 2000)
  t.equal((await peeked)[0].remaining, FREE)
})

t.test('a peek waits for a lease that is on its way, and adds it', async (t) => {
  const store = new ScriptedStore()
  t.teardown(() => { store.end() })
  await store.askForLease()
  const peeked = store.leases.peek([store.limit], PARTITION)
  t.ok(store.flushes > 0)
  store.answer(store.standing(FREE - 11, 1, 10), 2000)
  for (let i = 0; i < 10; i++) await Promise.resolve()
  store.resolvePeek([store.standing(FREE - 11, 0)])
  t.equal((await peeked)[0].remaining, FREE - 1)
})

t.test('an answer from before a lease, which arrives after it, counts none of its units', async (t) => {
  const store = new ScriptedStore()
  t.teardown(() => { store.end() })
  await store.askForLease()
  // Another bucket of the request is not known, so it does not wait.
  const other = limitOf({ max: 10, bucket: 'app/other' })
  store.clock.advance(10_001)
  const late = store.leases.take([{ limit: store.limit, partition: PARTITION, cost: 600 }, { limit: other, partition: PARTITION, cost: 1 }])
  store.clock.advance(10_001)
  const [asked] = store.asked.splice(0, 1)
  asked.resolve(store.receipt(store.standing(FREE - 11, 1, 10), 3000))
  for (let i = 0; i < 10; i++) await Promise.resolve()
  t.equal(store.asked.length, 1, 'it did not wait')
  store.asked.shift()?.resolve({
    granted: true, atUs: 2000, standings: [store.standing(FREE - 1, 1), { ...store.standing(9, 1), limit: other }], blocks: []
  })
  await late
  const answer = store.takeOne()
  if (answer instanceof Promise || !('standings' in answer)) throw new Error('not leased')
  t.ok(answer.standings[0].remaining <= FREE - 2, String(answer.standings[0].remaining))
})
