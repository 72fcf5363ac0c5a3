// A guarded store with the deny cache before it answers as the bare store would, field by field.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { CallGuard } from '../../lib/resilience/call-guard.js'
import { DenyCache } from '../../lib/resilience/deny-cache.js'
import { GuardedStore } from '../../lib/resilience/guarded-store.js'
import { MemoryStore } from '../../lib/stores/memory/store.js'
import { isUnavailable, type Answer, type Charge, type Limit, type Receipt } from '../../lib/stores/store.js'
import { ALGORITHMS, limitOf, penaltyWith, SECOND_US } from '../fixtures/limits.js'
import { ManualClock } from '../fixtures/manual-clock.js'
import { assertPropertyAsync } from '../fixtures/property.js'

const NEVER_OPENS = { failures: 1_000_000, withinMs: 10_000, openForMs: 1000 }
const PARTITIONS = ['user:1', 'user:2']

/** Time passes, or something is asked of both stores. */
type Step =
  | { readonly kind: 'advance', readonly us: number }
  | { readonly kind: 'take', readonly limits: readonly number[], readonly costs: readonly number[], readonly partition: string, readonly strikes: number, readonly times: number }
  | { readonly kind: 'refund', readonly back: number, readonly units: number }
  | { readonly kind: 'reset', readonly partition: string }
  | { readonly kind: 'peek', readonly partition: string }

const waitsUs = [1, 1, 999, 1000, 10_000, 33_333, 47_619, 100_000, 250_000, 300_000, 999_999, SECOND_US, 10 * SECOND_US]
const limits = fc.array(fc.record({
  algorithm: fc.constantFrom(...ALGORITHMS),
  max: fc.constantFrom(0, 1, 1, 2, 3, 7),
  windowUs: fc.constantFrom(333_333, SECOND_US, 7 * SECOND_US, 60 * SECOND_US),
  hasPenalty: fc.constantFrom(0, 0, 1, 2),
  by: fc.constantFrom('client', 'client', 'client', 'global')
}), { minLength: 1, maxLength: 3 })
const rules = fc.tuple(...[1, 2].map((name) => fc.record({
  bucket: fc.constant(`app/penalty-${name}`),
  strikes: fc.integer({ min: 1, max: 4 }),
  withinUs: fc.constantFrom(SECOND_US, 60 * SECOND_US),
  cooldownUs: fc.constantFrom(1, 50_000, 300_000, SECOND_US, 20 * SECOND_US),
  factor: fc.constantFrom(1, 2),
  maxCooldownUs: fc.constantFrom(20 * SECOND_US, 100 * SECOND_US)
})))
const partition = fc.constantFrom(PARTITIONS[0], PARTITIONS[0], ...PARTITIONS)
const steps: fc.Arbitrary<Step[]> = fc.array(fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('advance' as const), us: fc.constantFrom(...waitsUs) }) },
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('take' as const),
      limits: fc.constantFrom([0, 1, 2], [0, 1, 2], [0, 1, 2], [0, 1, 2], [0, 1, 2], [0], [0, 1], [1]),
      costs: fc.constantFrom([1, 1, 1], [1, 1, 1], [1, 1, 1], [1, 1, 1], [1, 1, 1], [2, 2, 2], [1, 2, 1], [0, 0, 0], [9, 9, 9]),
      partition,
      times: fc.integer({ min: 1, max: 3 }),
      strikes: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, 0, 1)
    })
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('refund' as const), back: fc.nat(5), units: fc.integer({ min: -2, max: 2 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reset' as const), partition }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('peek' as const), partition }) }
), { minLength: 40, maxLength: 120, size: 'max' })

/** Both stores on one clock. */
class Pair {
  readonly clock = new ManualClock()
  readonly bare = new MemoryStore({ clock: this.clock, maxKeys: 1000 })
  readonly behind = new MemoryStore({ clock: this.clock, maxKeys: 1000 })
  readonly guarded = new GuardedStore({
    store: this.behind,
    callGuard: new CallGuard(1000, NEVER_OPENS, this.clock, () => {}),
    maxPending: 1000,
    deadlineMs: 1000,
    clock: this.clock,
    onAnswer: () => {},
    onFailure: (_reason, code) => { throw new Error(code) }
  })

  readonly cached = new DenyCache(this.guarded, this.clock)
  readonly receipts: Receipt[] = []
  takes = 0
  calls = 0

  constructor () {
    const take = this.behind.take.bind(this.behind)
    this.behind.take = (charges) => {
      this.calls++
      return take(charges)
    }
  }

  async step (step: Step, limits: readonly Limit[]): Promise<void> {
    switch (step.kind) {
      case 'advance':
        this.clock.advance(step.us)
        return
      case 'take': {
        const charges = step.limits.filter((i) => i < limits.length).map((i): Charge => ({
          limit: limits[i], partition: step.partition, cost: step.costs[i], ...(step.strikes > 0 ? { strikes: step.strikes } : {})
        }))
        for (let time = 0; time < step.times; time++) {
          const expected = this.bare.take(charges)
          assertSame(await this.cached.take(charges), expected)
          this.takes++
          this.receipts.push(expected)
        }
        return
      }
      case 'refund': {
        const receipt = this.receipts.at(-1 - step.back)
        const adjustments = receipt?.standings.map((standing) => ({ standing, atUs: receipt.atUs, units: Math.max(step.units, -standing.charged) })) ?? []
        this.bare.adjust(adjustments)
        await this.cached.adjust(adjustments)
        return
      }
      case 'reset':
        assert.equal(await this.cached.reset(limits, step.partition), this.bare.reset(limits, step.partition))
        return
      case 'peek':
        assert.deepEqual(await this.cached.peek(limits, step.partition), this.bare.peek(limits, step.partition))
        return
      default: step satisfies never
    }
  }

  close (): void {
    this.bare.close()
    this.behind.close()
    this.cached.close()
  }
}

/** All fields are equal, but for the units of a sliding window: a refusal from the cache may say too few. */
function assertSame (answer: Answer, expected: Receipt): void {
  if (isUnavailable(answer)) throw new Error(answer.unavailable)
  const standings = answer.standings.map((standing, i) => {
    const { remaining } = expected.standings[i]
    const mayDiffer = standing.limit.algorithm === 'sliding-window' && !answer.granted && standing.remaining < remaining
    return mayDiffer ? { ...standing, remaining } : standing
  })
  assert.deepEqual({ ...answer, standings }, expected)
}

t.test('whatever is asked, an answer with the cache is the answer without it', async (t) => {
  let takes = 0
  let calls = 0
  await assertPropertyAsync(fc.tuple(limits, rules, steps), 1200, async ([drawn, penalties, steps]) => {
    const pair = new Pair()
    const made = drawn.map(({ hasPenalty, ...numbers }, i) => limitOf({
      ...numbers, bucket: `app/${i}`, penalty: hasPenalty === 0 ? null : penaltyWith(penalties[hasPenalty - 1])
    }))
    try {
      for (const step of steps) await pair.step(step, made)
    } finally {
      pair.close()
    }
    takes += pair.takes
    calls += pair.calls
  })
  t.ok(calls < takes * 0.8, `${calls} calls for ${takes} requests: the cache answered some`)
})

t.test('where the wait of the limit exceeds the cooldown, the block ends with the cooldown, and strikes count again', async (t) => {
  const pair = new Pair()
  const penalty = penaltyWith({ strikes: 2, withinUs: 60 * SECOND_US, cooldownUs: 300_000, factor: 2 })
  const limit = limitOf({ max: 1, windowUs: 60 * SECOND_US, penalty })
  const began: boolean[] = []
  for (let i = 0; i < 40; i++) {
    const answer = await pair.cached.take([{ limit, partition: 'user:1', cost: 1 }]) as Receipt
    assertSame(answer, pair.bare.take([{ limit, partition: 'user:1', cost: 1 }]))
    t.equal(answer.blocks.every(({ blockedUs }) => blockedUs > 0), true)
    began.push(...answer.blocks.map((block) => block.began))
    pair.clock.advance(100_000)
  }
  t.ok(began.filter(Boolean).length >= 2, 'a second block began')
  pair.close()
})
