import assert from 'node:assert/strict'
import t from 'tap'
import fc from 'fast-check'
import { assessFixedWindow, chargeFixedWindow, refundFixedWindow } from '../../../lib/algorithms/fixed-window.js'
import { appendGrant, assessSlidingWindow, chargeSlidingWindow, createGrantLog, refundSlidingWindow } from '../../../lib/algorithms/sliding-window.js'
import { assessTokenBucket, chargeTokenBucket, refundTokenBucket } from '../../../lib/algorithms/token-bucket.js'
import { createCheckResult, type CheckResult } from '../../../lib/algorithms/check-result.js'
import type { Charge, Limit, Receipt, Standing } from '../../../lib/stores/store.js'
import { createMemoryStore, type MemoryStore } from '../../../lib/stores/memory/store.js'
import { ALGORITHMS, limitOf, SECOND_US } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'
import { assertProperty } from '../../fixtures/property.js'
import { scaleToLane } from '../../fixtures/lane.js'

const LIMITS: readonly Limit[] = ALGORITHMS.flatMap(algorithm => [
  limitOf({ algorithm, max: 5, windowUs: 7 * SECOND_US, bucket: `app/${algorithm}` }),
  limitOf({ algorithm, max: 3, windowUs: SECOND_US, bucket: `app/${algorithm}/shadow`, mode: 'shadow' })
])
const PARTITIONS = ['ip:203.0.113.9', 'user:42', 'user:\u0139']

/** One object a bucket in a plain Map, nothing shared, nothing dropped: as simple as a store can be. */
class ModelStore {
  readonly #buckets = new Map<string, { timeUs: number, count: number, log: number[] }>()
  readonly #clock: ManualClock

  constructor (clock: ManualClock) {
    this.#clock = clock
  }

  take (charges: readonly Charge[]): Receipt {
    const nowUs = this.#clock.nowUs()
    const verdicts = charges.map(({ limit, partition, cost }) => this.#assess(limit, partition, cost))
    const granted = charges.every(({ limit }, i) => limit.mode === 'shadow' || verdicts[i].granted)
    const standings = charges.map(({ limit, partition, cost }, i) => {
      const isCharged = verdicts[i].granted && (granted || limit.mode === 'shadow')
      if (isCharged) this.#commit(limit, partition, cost, verdicts[i])
      const after = this.#assess(limit, partition, 0)
      return { limit, partition, charged: isCharged ? cost : 0, granted: verdicts[i].granted, remaining: after.remaining, resetUs: after.resetUs, delayUs: 0, retryUs: verdicts[i].retryUs, blockedUs: 0 }
    })
    return { granted, atUs: nowUs, standings, blocks: [] }
  }

  adjust (standing: Standing, atUs: number, units: number): void {
    const nowUs = this.#clock.nowUs()
    const { limit, partition, resetUs } = standing
    const bucket = this.#bucket(limit, partition)
    const verdict = createCheckResult()
    const refund = { units: -units, chargedAtUs: atUs, chargedUntilUs: atUs + resetUs }
    if (limit.algorithm === 'token-bucket') {
      if (units > 0) chargeTokenBucket(limit, bucket, units, nowUs, verdict)
      else refundTokenBucket(limit, bucket, refund, nowUs, verdict)
    } else if (limit.algorithm === 'fixed-window') {
      if (units > 0) chargeFixedWindow(limit, bucket, units, nowUs, verdict)
      else refundFixedWindow(limit, bucket, refund, nowUs, verdict)
    } else {
      if (units > 0) chargeSlidingWindow(limit, bucket.log, units, nowUs, verdict)
      else refundSlidingWindow(limit, bucket.log, refund, nowUs, verdict)
    }
    Object.assign(bucket, { timeUs: verdict.timeUs, count: verdict.count })
  }

  reset (limit: Limit, partition: string): void {
    this.#buckets.delete(`${limit.bucket} ${partition}`)
  }

  #bucket (limit: Limit, partition: string): { timeUs: number, count: number, log: number[] } {
    const key = `${limit.bucket} ${partition}`
    const bucket = this.#buckets.get(key) ?? { timeUs: 0, count: 0, log: createGrantLog() }
    this.#buckets.set(key, bucket)
    return bucket
  }

  #assess (limit: Limit, partition: string, cost: number): CheckResult {
    const bucket = this.#bucket(limit, partition)
    const verdict = createCheckResult()
    if (limit.algorithm === 'token-bucket') assessTokenBucket(limit, bucket, cost, this.#clock.nowUs(), verdict)
    else if (limit.algorithm === 'fixed-window') assessFixedWindow(limit, bucket, cost, this.#clock.nowUs(), verdict)
    else assessSlidingWindow(limit, bucket.log, cost, this.#clock.nowUs(), verdict)
    return verdict
  }

  #commit (limit: Limit, partition: string, cost: number, verdict: CheckResult): void {
    const bucket = this.#bucket(limit, partition)
    if (limit.algorithm === 'sliding-window') appendGrant(limit, bucket.log, cost, this.#clock.nowUs())
    else Object.assign(bucket, { timeUs: verdict.timeUs, count: verdict.count })
  }
}

const limits = fc.constantFrom(...LIMITS)
const partitions = fc.constantFrom(...PARTITIONS)
const charge = fc.record({ limit: limits, partition: partitions, cost: fc.integer({ min: 0, max: 4 }) })

const steps = fc.array(fc.oneof(
  { weight: 6, arbitrary: fc.record({ does: fc.constant('take' as const), charges: fc.uniqueArray(charge, { minLength: 1, maxLength: 6, selector: ({ limit, partition }) => `${limit.bucket} ${partition}` }) }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('adjust' as const), pick: fc.nat(), units: fc.integer({ min: -4, max: 12 }) }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('reset' as const), limit: limits, partition: partitions }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('sweep' as const) }) },
  { weight: 3, arbitrary: fc.record({ does: fc.constant('wait' as const), us: fc.oneof(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 8 * SECOND_US })) }) }
), { maxLength: 60, size: 'max' })

function snapshot (store: MemoryStore): string {
  return JSON.stringify(PARTITIONS.map(partition => store.peek(LIMITS, partition).map(({ remaining, resetUs }) => [remaining, resetUs])))
}

t.test('the store answers as a plain Map of buckets would', async () => {
  assertProperty(steps, 500, (steps) => {
    const clock = new ManualClock()
    const store = createMemoryStore({ clock, maxKeys: 100_000, seed: 7 })
    const model = new ModelStore(clock)
    const receipts: Receipt[] = []
    for (const step of steps) {
      if (step.does === 'wait') {
        clock.advance(step.us)
      } else if (step.does === 'sweep') {
        for (let shard = 0; shard < 32; shard++) store.sweep()
      } else if (step.does === 'reset') {
        store.reset([step.limit], step.partition)
        model.reset(step.limit, step.partition)
      } else if (step.does === 'adjust') {
        if (receipts.length === 0) continue
        const { atUs, standings } = receipts[step.pick % receipts.length]
        const standing = standings[step.pick % standings.length]
        const units = Math.max(step.units, -standing.charged)
        store.adjust([{ standing, atUs, units }])
        model.adjust(standing, atUs, units)
      } else {
        const receipt = store.take(step.charges)
        assert.deepEqual(receipt, model.take(step.charges))
        receipts.push(receipt)
      }
    }
    store.close()
  })
})

t.test('a refused take leaves every enforced bucket as it was', async (t) => {
  let refusals = 0
  const takes = fc.array(fc.tuple(fc.array(charge, { minLength: 1, maxLength: 6 }), fc.integer({ min: 0, max: SECOND_US })), { maxLength: 30, size: 'max' })
  assertProperty(takes, 300, (takes) => {
    const clock = new ManualClock()
    const store = createMemoryStore({ clock, maxKeys: 100_000, seed: 7 })
    for (const [charges, waitUs] of takes) {
      clock.advance(waitUs)
      const enforced = charges.filter(({ limit }) => limit.mode === 'enforce')
      const before = snapshot(store)
      const size = store.size
      if (store.take(enforced).granted) continue
      refusals++
      if (snapshot(store) !== before || store.size !== size) throw new Error('a refused take changed a bucket')
    }
    store.close()
  })
  t.ok(refusals > scaleToLane(100))
})

t.test('what one take charges, with repetitions, never exceeds what its buckets had', async () => {
  const charges = fc.array(charge, { minLength: 1, maxLength: 12 })
  assertProperty(fc.array(charges, { maxLength: 10, size: 'max' }), 300, (takes) => {
    const store = createMemoryStore({ clock: new ManualClock(), maxKeys: 100_000, seed: 7 })
    for (const charges of takes) {
      const had = charges.map(({ limit, partition }) => store.peek([limit], partition)[0].remaining)
      const { standings } = store.take(charges)
      standings.forEach(({ limit, partition, remaining }, i) => {
        const taken = standings.reduce((sum, other) => other.limit === limit && other.partition === partition ? sum + other.charged : sum, 0)
        if (had[i] - taken !== remaining) throw new Error(`${had[i]} - ${taken} is not ${remaining}`)
      })
    }
    store.close()
  })
})
