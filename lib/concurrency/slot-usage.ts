import type { Clock } from '../common/clock.js'

/** Of this many slots, one is measured: two readings of the clock would be most of what a slot costs. */
const SAMPLED = 8

/** The weight of one measurement in the mean. */
const WEIGHT = 1 / 8

/** The mean before the first measurement. */
const UNKNOWN_HOLD_US = 1_000_000

/** The slots of one concurrency limit that this process holds, for all partitions, and for how long they are held. */
export class SlotUsage {
  /** Requests in flight. */
  inFlight = 0
  readonly #clock: Clock
  #count = 0
  #meanHoldUs: number | null = null

  constructor (clock: Clock) {
    this.#clock = clock
  }

  /** Note a slot that was taken. Returns the time for `end`, microseconds; 0 if its time is not measured. */
  begin (): number {
    this.inFlight++
    return ++this.#count % SAMPLED === 1 ? this.#clock.nowUs() : 0
  }

  /** Note that a slot was given back. `beganUs`: the result of `begin`. */
  end (beganUs: number): void {
    this.inFlight--
    if (beganUs === 0) return
    const holdUs = this.#clock.nowUs() - beganUs
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

  get (bucket: string): SlotUsage {
    let usage = this.#usages.get(bucket)
    if (usage === undefined) {
      usage = new SlotUsage(this.#clock)
      this.#usages.set(bucket, usage)
    }
    return usage
  }
}
