import { admittedRequests, createGradient, observeLatency, type GradientState, type GradientTerms } from '../algorithms/gradient.js'
import type { Clock } from '../common/clock.js'
import type { SlotRoom } from '../stores/store.js'
import { mayStart, type Level } from './shares.js'

/** For so long after its last request, slots are kept for a level. */
const PRESENT_US = 10_000_000

interface SeenLevel extends Level {
  lastUs: number
}

/** The slots of one limit that follows latency: of all clients together, in this process. */
export class AdaptiveSlots {
  /** Those of the latest request: a reload may change them. */
  #terms: GradientTerms
  readonly #clock: Clock
  readonly #gradient: GradientState
  /** By priority. */
  readonly #levels = new Map<number, SeenLevel>()
  #inFlight = 0
  /** Whether a request was refused since the last one that ended. */
  #hasRefused = false

  constructor (terms: GradientTerms, clock: Clock) {
    this.#terms = terms
    this.#clock = clock
    this.#gradient = createGradient(terms, clock.nowUs())
  }

  /** How many requests may be in flight now. */
  get max (): number {
    return admittedRequests(this.#gradient, this.#terms)
  }

  /** The slots, as the requests of one priority find them. */
  getRoom (priority: number, terms: GradientTerms): SlotRoom {
    const level = this.#getLevel(priority)
    const slots = this
    return {
      get max () { return slots.max },
      min: terms.min,
      get left () { return Math.max(0, slots.max - slots.#inFlight) },
      hasSlot: () => this.#hasSlot(level, terms),
      change: (count) => {
        level.inFlight += count
        this.#inFlight += count
      }
    }
  }

  /**
   * Note that a request has ended, after its slot was given back. `isWhole`: whether the response was sent, and not by a failure.
   * Otherwise it says only that a whole one would have taken longer.
   */
  observe (latencyUs: number, nowUs: number, isWhole: boolean): void {
    if (!isWhole && latencyUs < (this.#gradient.baselineUs ?? Infinity)) return
    // With slots kept for others, requests are refused before the limit is reached: it is still too low.
    const inFlight = Math.max(this.#inFlight + 1, this.#hasRefused ? Math.floor(this.#gradient.limit) : 0)
    this.#hasRefused = false
    observeLatency(this.#gradient, this.#terms, latencyUs, inFlight, nowUs)
  }

  #getLevel (priority: number): SeenLevel {
    const level = this.#levels.get(priority) ?? { priority, inFlight: 0, lastUs: -Infinity }
    this.#levels.set(priority, level)
    return level
  }

  #hasSlot (level: SeenLevel, terms: GradientTerms): boolean {
    this.#terms = terms
    const hasSlot = this.#levels.size === 1 ? this.#inFlight < this.max : mayStart(level, this.#findPresent(level), this.max)
    // A probe refuses more than the limit does.
    if (!hasSlot && this.#gradient.probing === 0) this.#hasRefused = true
    return hasSlot
  }

  /** The levels with requests in flight or lately, and the one of this request. */
  #findPresent (own: SeenLevel): SeenLevel[] {
    const nowUs = this.#clock.nowUs()
    own.lastUs = nowUs
    return [...this.#levels.values()].filter(({ inFlight, lastUs }) => inFlight > 0 || nowUs - lastUs < PRESENT_US)
  }
}
