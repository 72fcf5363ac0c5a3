import type { Clock } from '../common/clock.js'
import type { GradientTerms } from '../algorithms/gradient.js'
import { AdaptiveSlots } from './adaptive-slots.js'
import { SlotLine, type Place } from './slot-line.js'

/** Of this many slots, one is measured: two readings of the clock would be most of what a slot costs. */
const SAMPLED = 8

/** The weight of one measurement in the mean. */
const WEIGHT = 1 / 8

/** The mean before the first measurement. */
const UNKNOWN_HOLD_US = 1_000_000

/** Requests that wait for slots of one limit in this process, of all partitions together. */
const MAX_WAITING = 10_000

/** How many requests of a partition may wait in this process, and for how long, milliseconds. */
export interface LineLimits {
  readonly maxWaiting: number
  readonly maxWaitMs: number
}

/** The slots of one concurrency limit that this process holds, for all partitions, and for how long they are held. */
export class SlotUsage {
  /** The scope of the limit, for metrics. */
  readonly scope: string
  /** Requests in flight. */
  inFlight = 0
  /** Requests that wait here. */
  waiting = 0
  /** By partition. A partition without waiting requests has no line. */
  readonly #lines = new Map<string, SlotLine>()
  readonly #clock: Clock
  #count = 0
  #isClosed = false
  #meanHoldUs: number | null = null
  #adaptive: AdaptiveSlots | null = null

  constructor (scope: string, clock: Clock) {
    this.scope = scope
    this.#clock = clock
  }

  /** The slots of a limit that follows latency. `terms`: until the first request. */
  adapt (terms: GradientTerms): AdaptiveSlots {
    this.#adaptive ??= new AdaptiveSlots(terms, this.#clock)
    return this.#adaptive
  }

  /** How many requests may be in flight, if that follows latency; else `null`. */
  get adaptiveMax (): number | null {
    return this.#adaptive === null ? null : this.#adaptive.max
  }

  /** Note a slot that was taken. Returns the time for `end`, microseconds; 0 if its time is not measured. */
  begin (): number {
    this.inFlight++
    return this.#adaptive !== null || ++this.#count % SAMPLED === 1 ? this.#clock.nowUs() : 0
  }

  /** Microseconds, for the time of a wait. */
  nowUs (): number {
    return this.#clock.nowUs()
  }

  /** Whether requests of a partition wait here. A later one must not overtake them. */
  hasLine (partition: string): boolean {
    return this.#lines.size > 0 && this.#lines.has(partition)
  }

  /** Wait for a slot. Returns `null` if the line is full or closed. */
  enterLine (partition: string, { maxWaiting, maxWaitMs }: LineLimits): Place | null {
    const line = this.#lines.get(partition) ?? this.#createLine(partition)
    if (this.#isClosed || this.waiting >= MAX_WAITING || line.size >= maxWaiting) return null
    this.#lines.set(partition, line)
    this.waiting++
    return line.enter(maxWaitMs)
  }

  #createLine (partition: string): SlotLine {
    return new SlotLine((isEmpty) => {
      this.waiting--
      if (isEmpty) this.#lines.delete(partition)
    })
  }

  /** A slot of a partition is free: it is the turn of the first request that waits. */
  wake (partition: string): void {
    if (this.#lines.size > 0) this.#lines.get(partition)?.wake()
  }

  /** No request waits any longer, now and later. */
  closeLines (): void {
    this.#isClosed = true
    for (const line of this.#lines.values()) line.close()
  }

  /** Note that a slot was given back. `beganUs`: the result of `begin`. `isWhole`: see `AdaptiveSlots.observe`. */
  end (beganUs: number, isWhole: boolean): void {
    this.inFlight--
    if (beganUs === 0) return
    const nowUs = this.#clock.nowUs()
    const holdUs = nowUs - beganUs
    this.#adaptive?.observe(holdUs, nowUs, isWhole)
    this.#meanHoldUs = this.#meanHoldUs === null ? holdUs : this.#meanHoldUs + (holdUs - this.#meanHoldUs) * WEIGHT
  }

  /**
   * An estimate of the time until a slot is free, milliseconds: the mean time of a request, and up to half as much again, at
   * random. Otherwise all clients that were refused together would come back together. 1 or more.
   */
  estimateRetryMs (): number {
    return Math.max(1, Math.ceil((this.#meanHoldUs ?? UNKNOWN_HOLD_US) * (1 + Math.random() / 2) / 1000))
  }
}

/** The usage of each concurrency limit, by the `bucket` of the limit. A reload keeps it. */
export class SlotUsages {
  readonly #clock: Clock
  readonly #usages = new Map<string, SlotUsage>()

  constructor (clock: Clock) {
    this.#clock = clock
  }

  /** The usage of every limit so far. */
  [Symbol.iterator] (): Iterator<SlotUsage> {
    return this.#usages.values()
  }

  /** No request waits any longer, now and later. */
  closeLines (): void {
    for (const usage of this.#usages.values()) usage.closeLines()
  }

  /** `bucket`, `scope`: of the limit. */
  get (bucket: string, scope: string): SlotUsage {
    let usage = this.#usages.get(bucket)
    if (usage === undefined) {
      usage = new SlotUsage(scope, this.#clock)
      this.#usages.set(bucket, usage)
    }
    return usage
  }
}
