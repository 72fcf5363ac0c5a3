import assert from 'node:assert/strict'
import { isExact, withMaxDelay } from '../../../lib/algorithms/quota.js'
import { createMemoryStore, type MemoryStore } from '../../../lib/stores/memory/store.js'
import type { RedisStore } from '../../../lib/stores/redis/redis-store.js'
import { isUnavailable, type Charge, type Limit, type Penalty, type Receipt } from '../../../lib/stores/store.js'
import { ALGORITHMS, createGrid, limitOf, penaltyWith } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'
import type { Seeded } from '../../fixtures/seeded.js'
import type { Bench } from './open-store.js'

const PARTITIONS = ['ip:203.0.113.9', 'user:42', 'key:{a}%:\n']
const MAXIMA = [0, 1, 3, 7, 10, 100, 130, 1000, 700_000, 999_983]
const WINDOWS_US = [1, 1000, 333_333, 1_000_000, 10_000_000, 60_000_000, 86_400_000_000]
const COSTS = [1, 1, 1, 1, 0, 2, 5, 50, 10 ** 15]
/** In emission intervals, the first as good as none. */
const MAX_DELAYS = [0.001, 1, 3.7, 20, 300]
const WITHINS_US = [1_000_000, 12_345_678, 60_000_000, 7_200_000_000]
const COOLDOWNS_US = [1, 1000, 333_333, 10_000_000]

/** A penalty whose rule is drawn; strikes count for no longer than `maxWithinUs`. */
export function drawPenalty (random: Seeded, bucket: string, maxWithinUs = Infinity): Penalty {
  const cooldownUs = random.pick(COOLDOWNS_US)
  return penaltyWith({
    bucket,
    strikes: 1 + random.nextInt(5),
    withinUs: random.pick(WITHINS_US.filter((us) => us <= maxWithinUs)),
    cooldownUs,
    factor: random.pick([1, 1.1, 1.5, 2, 10]),
    maxCooldownUs: cooldownUs * random.pick([1, 3, 1000])
  })
}

/** A limit whose numbers are drawn; it has one of the penalties, or none. */
export function drawLimit (random: Seeded, bucket: string, penalties: readonly Penalty[]): Limit {
  while (true) {
    const max = random.pick(MAXIMA)
    const windowUs = random.pick(WINDOWS_US)
    const mayDelay = random.nextInt(2) === 0
    const limit = limitOf({
      algorithm: random.pick(ALGORITHMS),
      max,
      windowUs,
      // A small burst, or hardly anybody would have to wait.
      burst: max > 0 && random.nextInt(2) === 0 ? 1 + random.nextInt(mayDelay ? 4 : 2 * max) : undefined,
      bucket,
      mode: random.nextInt(4) === 0 ? 'shadow' : 'enforce',
      by: random.nextInt(6) === 0 ? 'global' : 'client',
      maxDelayUs: mayDelay ? Math.ceil(random.pick(MAX_DELAYS) * windowUs / Math.max(1, max)) : undefined,
      penalty: penalties.length === 0 || random.nextInt(4) === 0 ? null : random.pick(penalties)
    })
    if (isExact(limit)) return limit
  }
}

/** The same limit with a period in place of a window. */
export function withPeriod (random: Seeded, { max, windowUs, bucket, mode, by, penalty }: Limit): Limit {
  const calendar = createGrid(windowUs, { offsetUs: Math.floor(random.nextInt(4) / 4 * windowUs), keepsEnd: random.nextInt(4) === 0 })
  return limitOf({ algorithm: 'calendar-window', max, windowUs, bucket, mode, by, penalty, calendar })
}

/** The two stores on one clock: whatever is asked of one is asked of the other, and must be answered alike. */
export class SideBySide {
  readonly clock = new ManualClock()
  readonly memory: MemoryStore = createMemoryStore({ clock: this.clock, maxKeys: 100_000, seed: 7 })
  readonly redis: RedisStore
  limits: readonly Limit[]
  penalties: readonly Penalty[]
  /** Receipts of the present limits. */
  receipts: Receipt[] = []
  refusals = 0
  delays = 0
  /** Blocks that began, and requests that one refused. */
  began = 0
  blocked = 0
  readonly #random: Seeded

  constructor (bench: Bench, keyPrefix: string, random: Seeded, limits: readonly Limit[], penalties: readonly Penalty[]) {
    this.redis = bench.store({ keyPrefix, timeUs: () => this.clock.nowUs() })
    this.#random = random
    this.limits = limits
    this.penalties = penalties
  }

  /** Several checks, which travel to Redis together. */
  async take (): Promise<void> {
    const random = this.#random
    const checks = Array.from({ length: 1 + random.nextInt(5) }, () => this.#drawCharges())
    const answers = await Promise.all(checks.map((charges) => this.redis.take(charges)))
    checks.forEach((charges, i) => {
      const answer = answers[i]
      if (isUnavailable(answer)) throw new Error(`no answer: ${answer.unavailable}`)
      assert.deepEqual(answer, this.memory.take(charges))
      this.receipts.push(answer)
      if (!answer.granted) this.refusals++
      if (answer.standings.some(({ delayUs }) => delayUs > 0)) this.delays++
      if (answer.blocks.some(({ began }) => began)) this.began++
      else if (answer.blocks.length > 0) this.blocked++
    })
  }

  async adjust (): Promise<void> {
    const random = this.#random
    if (this.receipts.length === 0) return
    const { atUs, standings } = this.receipts[this.receipts.length - 1 - random.nextInt(Math.min(8, this.receipts.length))]
    const adjustments = standings
      .map((standing) => ({ standing, atUs, units: random.nextInt(2) === 0 ? -standing.charged : random.nextInt(20) - 5 }))
      .filter(({ standing, units }) => units >= -standing.charged)
      .map((adjustment) => random.nextInt(2) === 0 ? adjustment : { ...adjustment, onlyIfLast: true as const })
    await this.redis.adjust(adjustments)
    this.memory.adjust(adjustments)
  }

  async peek (): Promise<void> {
    for (const partition of PARTITIONS) {
      assert.deepEqual(await this.redis.peek(this.limits, partition), this.memory.peek(this.limits, partition))
    }
  }

  async reset (): Promise<void> {
    const partition = this.#random.pick(PARTITIONS)
    const limits = this.limits.slice(this.#random.nextInt(this.limits.length))
    assert.equal(await this.redis.reset(limits, partition), this.memory.reset(limits, partition))
  }

  /** Drop what has expired, as Redis's own clock would, or a step back would bring it to life in one store only. */
  async expire (): Promise<void> {
    await this.peek()
    for (const partition of PARTITIONS) {
      const idle = this.memory.peek(this.limits, partition)
        .filter(({ resetUs }) => resetUs === 0)
        .map(({ limit }) => ({ ...limit, penalty: null }))
      // These have no bucket: to reset one drops the conduct only.
      const penal = this.penalties.map((penalty) => limitOf({ max: 0, bucket: 'app/none', penalty }))
      // Both are asked, for a look may shorten a block.
      const seen = await this.redis.peek(penal, partition)
      assert.deepEqual(seen, this.memory.peek(penal, partition))
      const free = seen.filter(({ blockedUs }) => blockedUs === 0).map(({ limit }) => limit)
      for (const limits of [idle, free]) assert.equal(await this.redis.reset(limits, partition), this.memory.reset(limits, partition))
    }
  }

  close (): void {
    this.memory.close()
  }

  /** Mostly all limits of one partition, as a request charges them; else any, some of them twice. */
  #drawCharges (): Charge[] {
    const random = this.#random
    const partition = random.pick(PARTITIONS)
    const cost = random.pick(COSTS)
    if (random.nextInt(4) > 0) return this.limits.map((limit) => this.#drawCharge(limit, partition, cost))
    return Array.from({ length: random.nextInt(5) }, () => this.#drawCharge(random.pick(this.limits), random.pick(PARTITIONS), random.pick(COSTS)))
  }

  /** Sometimes without the limit's patience, as where the line is full, and sometimes with strikes that were counted elsewhere. */
  #drawCharge (limit: Limit, partition: string, cost: number): Charge {
    const random = this.#random
    const charge = { limit: random.nextInt(4) === 0 ? withMaxDelay(limit, 0) : limit, partition, cost }
    return random.nextInt(10) === 0 ? { ...charge, strikes: random.nextInt(4) } : charge
  }
}
