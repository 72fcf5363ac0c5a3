import { isConcurrency, type Limit, type Standing } from '../../stores/store.js'
import { STEPS, StepCounts } from './hour-steps.js'
import type { RecordedPolicy } from './recorded-decision.js'
import { RequestSample } from './request-sample.js'

/** Limits with counts: 3 kB each. Those that were idle for an hour make room for others. */
const MAX_LIMITS = 100

/** Limits with a sample of requests: 160 kB each. */
const MAX_SAMPLES = 16

/** A replay of an hour shows nothing of longer windows. */
const MAX_WINDOW_US = 3_600_000_000

/** Limits are counted by the minute: only their sums are shown. */
const STEPS_PER_MINUTE = 6
const MINUTES = STEPS / STEPS_PER_MINUTE

/** The columns of a limit, and then one for each tenth of it. */
export const REFUSALS = 0
export const BOUND = 1
export const FIRST_TENTH = 2
export const TENTHS = 10

/** What is counted of one limit. */
export class LimitTraffic {
  /** As of its last request: a reload may have changed the numbers. */
  limit: Limit
  /** The slots in use, of a concurrency limit. */
  readonly usage: { readonly inFlight: number } | null
  readonly counts = new StepCounts(FIRST_TENTH + TENTHS, MINUTES)
  /** `null` if the limit cannot be replayed, or past the bound. */
  readonly sample: RequestSample | null
  lastStep: number

  constructor (limit: Limit, usage: LimitTraffic['usage'], sample: RequestSample | null, step: number) {
    this.limit = limit
    this.usage = usage
    this.sample = sample
    this.lastStep = step
  }

  count (column: number, times: number): void {
    this.counts.cells[(toMinute(this.lastStep) % MINUTES) * (FIRST_TENTH + TENTHS) + column] += times
  }
}

/** The limits by their buckets. */
export class LimitsTraffic {
  /** Hashes of sampled clients are below this number. */
  maxHash = 0
  readonly #limits = new Map<string, LimitTraffic>()
  #samples = 0

  /** The counts of a limit; `undefined` for an unknown one. */
  find (bucket: string): LimitTraffic | undefined {
    return this.#limits.get(bucket)
  }

  /** The counts of a limit, for a request in this step; `null` past the bound. */
  findOrAdd (limit: Limit, { concurrency }: RecordedPolicy, step: number): LimitTraffic | null {
    const known = this.#limits.get(limit.bucket) ?? this.#add(limit, concurrency, step)
    if (known === null) return null
    known.limit = limit
    known.lastStep = step
    return known
  }

  /** See `StepCounts.advance`. */
  advance (last: number, next: number, nowUs: number): void {
    for (const [bucket, { counts, sample, lastStep }] of this.#limits) {
      if (next - lastStep >= STEPS) {
        this.#limits.delete(bucket)
        if (sample !== null) this.#samples--
      } else {
        counts.advance(toMinute(last), toMinute(next))
        sample?.advance(nowUs)
      }
    }
    this.#updateMaxHash()
  }

  /** Add a request to a sample of these. See `RequestSample.add`. */
  addToSample (sample: RequestSample, timeUs: number, client: number, cost: number): void {
    const { maxHash } = sample
    sample.add(timeUs, client, cost)
    if (sample.maxHash !== maxHash) this.#updateMaxHash()
  }

  [Symbol.iterator] (): Iterator<LimitTraffic> {
    return this.#limits.values()
  }

  #add (limit: Limit, concurrency: RecordedPolicy['concurrency'], step: number): LimitTraffic | null {
    if (this.#limits.size >= MAX_LIMITS) return null
    const hasSample = canSimulate(limit) && this.#samples < MAX_SAMPLES
    if (hasSample) this.#samples++
    const usage = concurrency !== null && isConcurrency(limit) ? concurrency.usage : null
    const added = new LimitTraffic(limit, usage, hasSample ? new RequestSample() : null, step)
    this.#limits.set(limit.bucket, added)
    this.#updateMaxHash()
    return added
  }

  #updateMaxHash (): void {
    this.maxHash = 0
    for (const { sample } of this.#limits.values()) {
      if (sample !== null && sample.maxHash > this.maxHash) this.maxHash = sample.maxHash
    }
  }
}

/** The part of a limit that a request left in use, in tenths, from 0 to 9. */
export function findUsedTenth ({ limit, remaining }: Standing): number {
  const capacity = findCapacity(limit)
  if (capacity === 0) return TENTHS - 1
  const used = Math.max(0, capacity - remaining)
  return Math.min(TENTHS - 1, Math.floor(used * TENTHS / capacity))
}

/** The units of a limit, or its slots now. */
export function findCapacity ({ capacity, room }: Limit): number {
  return room == null ? capacity : room.max
}

function toMinute (step: number): number {
  return Math.floor(step / STEPS_PER_MINUTE)
}

function canSimulate (limit: Limit): boolean {
  return limit.calendar === null && !isConcurrency(limit) && limit.windowUs <= MAX_WINDOW_US
}
