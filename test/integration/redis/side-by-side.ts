import assert from 'node:assert/strict'
import { isExact } from '../../../lib/algorithms/quota.js'
import { createMemoryStore, type MemoryStore } from '../../../lib/stores/memory/store.js'
import type { RedisStore } from '../../../lib/stores/redis/redis-store.js'
import { isUnavailable, type Charge, type Limit, type Receipt } from '../../../lib/stores/store.js'
import { ALGORITHMS, limitOf } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'
import type { Seeded } from '../../fixtures/seeded.js'
import type { Bench } from './open-store.js'

const PARTITIONS = ['ip:203.0.113.9', 'user:42', 'key:{a}%:\n']
const MAXIMA = [0, 1, 3, 7, 10, 100, 130, 1000, 700_000, 999_983]
const WINDOWS_US = [1, 1000, 333_333, 1_000_000, 10_000_000, 60_000_000, 86_400_000_000]
const COSTS = [1, 1, 1, 1, 0, 2, 5, 50, 10 ** 15]

/** A limit whose numbers are drawn. */
export function drawLimit (random: Seeded, bucket: string): Limit {
  while (true) {
    const max = random.oneOf(MAXIMA)
    const limit = limitOf({
      algorithm: random.oneOf(ALGORITHMS),
      max,
      windowUs: random.oneOf(WINDOWS_US),
      burst: max > 0 && random.below(2) === 0 ? 1 + random.below(2 * max) : undefined,
      bucket,
      mode: random.below(4) === 0 ? 'shadow' : 'enforce'
    })
    if (isExact(limit)) return limit
  }
}

/** The two stores on one clock: whatever is asked of one is asked of the other, and must be answered alike. */
export class SideBySide {
  readonly clock = new ManualClock()
  readonly memory: MemoryStore = createMemoryStore({ clock: this.clock, seed: 7 })
  readonly redis: RedisStore
  limits: readonly Limit[]
  /** Receipts of the present limits. */
  receipts: Receipt[] = []
  refusals = 0
  readonly #random: Seeded

  constructor (bench: Bench, keyPrefix: string, random: Seeded, limits: readonly Limit[]) {
    this.redis = bench.store({ keyPrefix, timeUs: () => this.clock.nowUs() })
    this.#random = random
    this.limits = limits
  }

  /** Several checks, which travel to Redis together. */
  async take (): Promise<void> {
    const random = this.#random
    const checks = Array.from({ length: 1 + random.below(5) }, () => this.#drawCharges())
    const answers = await Promise.all(checks.map((charges) => this.redis.take(charges)))
    checks.forEach((charges, i) => {
      const answer = answers[i]
      if (isUnavailable(answer)) throw new Error(`no answer: ${answer.unavailable}`)
      assert.deepEqual(answer, this.memory.take(charges))
      this.receipts.push(answer)
      if (!answer.granted) this.refusals++
    })
  }

  async adjust (): Promise<void> {
    const random = this.#random
    if (this.receipts.length === 0) return
    const { atUs, standings } = this.receipts[this.receipts.length - 1 - random.below(Math.min(8, this.receipts.length))]
    const adjustments = standings
      .map((standing) => ({ standing, atUs, units: random.below(2) === 0 ? -standing.charged : random.below(20) - 5 }))
      .filter(({ standing, units }) => units >= -standing.charged)
    await this.redis.adjust(adjustments)
    this.memory.adjust(adjustments)
  }

  async peek (): Promise<void> {
    for (const partition of PARTITIONS) {
      assert.deepEqual(await this.redis.peek(this.limits, partition), this.memory.peek(this.limits, partition))
    }
  }

  async reset (): Promise<void> {
    const partition = this.#random.oneOf(PARTITIONS)
    const limits = this.limits.slice(this.#random.below(this.limits.length))
    assert.equal(await this.redis.reset(limits, partition), this.memory.reset(limits, partition))
  }

  /** Drop what has expired, as Redis's own clock would, or a step back would bring it to life in one store only. */
  async expire (): Promise<void> {
    await this.peek()
    for (const partition of PARTITIONS) {
      for (const { limit, resetUs } of this.memory.peek(this.limits, partition)) {
        if (resetUs > 0) continue
        this.memory.reset([limit], partition)
        await this.redis.reset([limit], partition)
      }
    }
  }

  close (): void {
    this.memory.close()
  }

  /** Mostly all limits of one partition, as a request charges them; else any, some of them twice. */
  #drawCharges (): Charge[] {
    const random = this.#random
    const partition = random.oneOf(PARTITIONS)
    const cost = random.oneOf(COSTS)
    if (random.below(4) > 0) return this.limits.map((limit) => ({ limit, partition, cost }))
    return Array.from({ length: random.below(5) }, () => ({ limit: random.oneOf(this.limits), partition: random.oneOf(PARTITIONS), cost: random.oneOf(COSTS) }))
  }
}
