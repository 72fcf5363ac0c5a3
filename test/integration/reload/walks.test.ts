// Walks over `max`, `burst` and `timeWindow`, by reload after reload. Both stores answer alike, and used units stay used: a
// reference that knows only what was granted, and when, checks what a client gets.
import assert from 'node:assert/strict'
import t from 'tap'
import fc from 'fast-check'
import type { Algorithm } from '../../../lib/algorithms/quota.js'
import { createMemoryStore, type MemoryStore } from '../../../lib/stores/memory/store.js'
import { isUnavailable, type Limit, type Standing, type Store } from '../../../lib/stores/store.js'
import { ALGORITHMS, limitOf, SECOND_US } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'
import { assertProperty, assertPropertyAsync } from '../../fixtures/property.js'
import { openBench } from '../redis/open-store.js'

type Numbers = readonly [max: number, seconds: number, burst?: number]

/** One request: how long after the one before it, under which numbers, and for how many units, 0 for all that remain. */
interface Step {
  readonly afterUs: number
  readonly numbers: Numbers | null
  readonly cost: number
}

const PARTITION = 'user:42'
const FIRST: Numbers = [20, 60]

const numbers: fc.Arbitrary<Numbers> = fc.tuple(
  fc.constantFrom(1, 5, 6, 7, 10, 20, 30, 100, 120, 1000),
  fc.constantFrom(1, 10, 60, 60, 60, 3600),
  fc.option(fc.constantFrom(1, 3, 20, 200), { nil: undefined, freq: 2 })
)

function walksOver (changes: fc.Arbitrary<Numbers>): fc.Arbitrary<readonly Step[]> {
  return fc.array(fc.record({
    afterUs: fc.constantFrom(0, 0, 0, 1, 1000, 333_333, SECOND_US, 5 * SECOND_US, 30 * SECOND_US, 61 * SECOND_US),
    numbers: fc.option(changes, { freq: 2 }),
    cost: fc.constantFrom(0, 0, 1, 1, 2, 9)
  }), { minLength: 2, maxLength: 40, size: 'max' })
}

interface Grant {
  readonly units: number
  readonly atUs: number
  /** When the store said that the full limit is available again. */
  readonly endUs: number
  readonly limit: Limit
}

function rateOf ({ max, windowUs }: Limit): number {
  return max / windowUs
}

/** Between any two grants, both included, a client gets at most the largest capacity in force, and the units of the fastest rate. */
function checkIntervals (algorithm: Algorithm, grants: readonly Grant[]): void {
  for (let first = 0; first < grants.length; first++) {
    let [units, capacity, rate] = [0, 0, 0]
    for (const grant of grants.slice(first)) {
      units += grant.units
      capacity = Math.max(capacity, grant.limit.capacity)
      rate = Math.max(rate, rateOf(grant.limit))
      // A fixed window can be used up at its end, and the next one at its start.
      const atOnce = algorithm === 'fixed-window' ? 2 * capacity : capacity
      const most = atOnce + (grant.atUs - grants[first].atUs) * rate
      assert.ok(units <= most + 1e-3, `${units} of ${most}, from grant ${first}`)
    }
  }
}

/** While the length of the window stays the same, no window grants more than the largest `max` in force in it. */
function checkWindows (algorithm: Algorithm, grants: readonly Grant[]): void {
  if (algorithm === 'fixed-window') return checkFixedWindows(grants)
  for (let first = 0; first < grants.length; first++) {
    let [units, max] = [0, 0]
    for (let end = first; end < grants.length && grants[end].atUs - grants[first].atUs < grants[first].limit.windowUs; end++) {
      units += grants[end].units
      max = Math.max(max, grants[end].limit.max)
      assert.ok(units <= max, `${units} of ${max}, from grant ${first}`)
    }
  }
}

/** A lowered window that is used up begins again, so the windows are those that the store names. */
function checkFixedWindows (grants: readonly Grant[]): void {
  let [units, max, endUs] = [0, 0, 0]
  for (const grant of grants) {
    if (grant.units > 0 && grant.endUs !== endUs) [units, max, endUs] = [0, 0, grant.endUs]
    units += grant.units
    max = Math.max(max, grant.limit.max)
    assert.ok(units <= max, `${units} of ${max} until ${endUs}`)
  }
}

/** Requests on a store and, where there is another one, on both; returns what was granted and which limits were in force. */
class Walk {
  readonly grants: Grant[] = []
  limit: Limit
  readonly #memory: MemoryStore
  readonly #clock = new ManualClock()
  readonly #algorithm: Algorithm
  readonly #redis: Store | null

  constructor (algorithm: Algorithm, openRedis: ((timeUs: () => number) => Store) | null = null) {
    this.#algorithm = algorithm
    this.#memory = createMemoryStore({ clock: this.#clock, maxKeys: 1000, seed: 7 })
    this.#redis = openRedis === null ? null : openRedis(() => this.#clock.nowUs())
    this.limit = this.#limitWith(FIRST)
  }

  async run (steps: readonly Step[]): Promise<this> {
    for (const step of steps) {
      this.#advance(step)
      const units = step.cost === 0 ? this.#take(0).remaining : step.cost
      if (step.cost === 0) await this.#compare(0)
      this.#take(units)
      await this.#compare(units)
    }
    this.#memory.close()
    return this
  }

  runInMemory (steps: readonly Step[]): this {
    for (const step of steps) {
      this.#advance(step)
      this.#take(step.cost === 0 ? this.#take(0).remaining : step.cost)
    }
    this.#memory.close()
    return this
  }

  #last: Standing | null = null

  #advance ({ afterUs, numbers }: Step): void {
    this.#clock.advance(afterUs)
    if (numbers !== null) this.limit = this.#limitWith(numbers)
  }

  /** Take from memory, and remember the grant; one of no units remembers the limit, which was in force. */
  #take (cost: number): Standing {
    const { atUs, standings: [standing] } = this.#memory.take([{ limit: this.limit, partition: PARTITION, cost }])
    const { charged, remaining, resetUs, retryUs } = standing
    this.grants.push({ units: charged, atUs, endUs: atUs + resetUs, limit: this.limit })
    assert.ok(remaining >= 0 && remaining <= this.limit.capacity, `${remaining} remain`)
    if (cost === 1) assert.ok(retryUs !== 'never' && retryUs <= this.limit.windowUs, `wait for ${retryUs}`)
    this.#last = standing
    return standing
  }

  async #compare (cost: number): Promise<void> {
    const answer = await this.#redis?.take([{ limit: this.limit, partition: PARTITION, cost }])
    if (answer === undefined) return
    if (isUnavailable(answer)) throw new Error(`no answer: ${answer.unavailable}`)
    assert.deepEqual(answer.standings[0], this.#last)
  }

  #limitWith ([max, seconds, burst]: Numbers): Limit {
    return limitOf({ algorithm: this.#algorithm, max, windowUs: seconds * SECOND_US, burst: this.#algorithm === 'token-bucket' ? burst : undefined })
  }
}

/** Changes at one moment, all units taken under each. Never more than the largest capacity of them. */
const ROWS: ReadonlyArray<readonly [string, readonly Numbers[], number]> = [
  ['100, 10, 100', [[100, 60], [10, 60], [100, 60]], 100],
  ['100, 10, 120', [[100, 60], [10, 60], [120, 60]], 120],
  ['20, 5, 6, 30', [[20, 60], [5, 60], [6, 60], [30, 60]], 30],
  ['1000 an hour, 5 a second, 1000 an hour', [[1000, 3600], [5, 1], [1000, 3600]], 1000],
  ['1000 an hour, 5 a second, 7 a minute, 1001 an hour', [[1000, 3600], [5, 1], [7, 60], [1001, 3600]], 1001],
  ['a burst of 200, 1, 3, 200', [[20, 60, 200], [20, 60, 1], [20, 60, 3], [20, 60, 200]], 200]
]

function toStep (numbers: Numbers): Step {
  return { afterUs: 0, numbers, cost: 0 }
}

const bench = await openBench(t)
let stores = 0
const openRedis = (timeUs: () => number): Store => bench.store({ keyPrefix: `walk-${stores++}:`, timeUs })

for (const algorithm of ALGORITHMS) {
  for (const [title, changes, most] of ROWS) {
    t.test(`${algorithm}: ${title}`, async (t) => {
      const { grants } = await new Walk(algorithm, openRedis).run(changes.map(toStep))
      const expected = algorithm !== 'token-bucket' && title.includes('burst') ? 20 : most
      t.equal(grants.reduce((sum, { units }) => sum + units, 0), expected)
    })
  }

  t.test(`${algorithm}: no walk grants more than the limits in force promise`, async () => {
    assertProperty(walksOver(numbers), 2500, (steps) => { checkIntervals(algorithm, new Walk(algorithm).runInMemory(steps).grants) })
  })

  if (algorithm !== 'token-bucket') {
    t.test(`${algorithm}: no walk over max alone grants more than the largest max in any window`, async () => {
      const maxima = numbers.map(([max]): Numbers => [max, 60])
      assertProperty(walksOver(maxima), 2500, (steps) => { checkWindows(algorithm, new Walk(algorithm).runInMemory(steps).grants) })
    })
  }

  t.test(`${algorithm}: both stores answer alike on every walk`, async () => {
    await assertPropertyAsync(walksOver(numbers), 250, async (steps) => { await new Walk(algorithm, openRedis).run(steps) })
  })
}

/** Sweep every shard. */
function sweep (memory: MemoryStore): void {
  for (let shard = 0; shard < 4096; shard++) memory.sweep()
}

for (const algorithm of ALGORITHMS) {
  t.test(`${algorithm}: units above the capacity are kept until they have drained, and no longer`, async (t) => {
    const clock = new ManualClock()
    const memory = createMemoryStore({ clock, maxKeys: 1000, seed: 7 })
    t.teardown(() => { memory.close() })
    const keyPrefix = `kept-${algorithm}:`
    const redis = bench.store({ keyPrefix, timeUs: () => clock.nowUs() })
    const take = async (limit: Limit, cost: number) => {
      for (const store of [memory, redis]) await store.take([{ limit, partition: PARTITION, cost }])
    }
    await take(limitOf({ algorithm, max: 1000, windowUs: 3600 * SECOND_US }), 1000)
    await take(limitOf({ algorithm, max: 5, windowUs: SECOND_US }), 1)
    const [key] = await bench.redis.keys(`${keyPrefix}*`)
    const ttlMs = await bench.redis.pttl(key) - 3_600_000
    t.ok(ttlMs > 100_000 && ttlMs <= 200_000, `1000 units at 5 a second, and the hour that a test adds: ${ttlMs}`)
    clock.advance(200 * SECOND_US - 1)
    sweep(memory)
    t.equal(memory.size, 1)
    clock.advance(1)
    sweep(memory)
    t.equal(memory.size, 0)
  })

  t.test(`${algorithm}: what is charged later, or given back, counts when the limit is raised again`, async (t) => {
    const clock = new ManualClock()
    const memory = createMemoryStore({ clock, maxKeys: 1000, seed: 7 })
    t.teardown(() => { memory.close() })
    const redis = bench.store({ keyPrefix: `adjusted-${algorithm}:`, timeUs: () => clock.nowUs() })
    const large = limitOf({ algorithm, max: 1000, windowUs: 3600 * SECOND_US })
    const small = limitOf({ algorithm, max: 5, windowUs: SECOND_US })
    for (const store of [memory, redis]) {
      const receipt = await store.take([{ limit: large, partition: PARTITION, cost: 900 }])
      if (isUnavailable(receipt)) throw new Error(`no answer: ${receipt.unavailable}`)
      const { atUs, standings: [standing] } = receipt
      await store.take([{ limit: small, partition: PARTITION, cost: 1 }])
      await store.adjust([{ standing: { ...standing, limit: small }, atUs, units: 7 }])
      const [charged] = await store.peek([large], PARTITION) as readonly Standing[]
      t.equal(charged.remaining, 93)
      await store.take([{ limit: small, partition: PARTITION, cost: 1 }])
      await store.adjust([{ standing: { ...standing, limit: small }, atUs, units: -50 }])
      const [refunded] = await store.peek([large], PARTITION) as readonly Standing[]
      t.equal(refunded.remaining, 143)
    }
  })
}
