import type { FastifyRequest } from 'fastify'
import type { Client } from '../model/client.js'
import { durationMs } from '../config/schema/durations.js'
import { MAX_UNITS } from '../config/schema/policy-schema.js'
import type { FaultReporter } from '../common/log.js'
import { waitFor } from '../common/time-budget.js'
import { isThenable } from '../common/type-guards.js'
import type { Limit } from '../stores/store.js'
import type { LimitDraft } from './limit-draft.js'
import { GenerationCache } from '../common/generation-cache.js'

/** A limit for immediate charges, and the same limit for charges that may be held until they are due. */
export interface LimitPair {
  readonly immediate: Limit
  readonly delayable: Limit
}

/** Compiles a pair of limits from its numbers; `null` if their arithmetic would not be exact. */
export type CompileLimitPair = (max: number, windowMs: number) => LimitPair | null

/** Maximum of cached pairs per generation. Applications need a few; further pairs are compiled again. */
const MAX_PAIRS = 500

/**
 * A limit whose numbers a function computes for each request. Each pair of numbers has its own buckets, as tiers do: in a
 * shared bucket, a request with small numbers would cut the usage counted under large ones. So a function should return
 * one of a few values.
 *
 * If the function throws or returns an invalid value, the error is logged and its strictest result so far applies. Before
 * the first result, the built-in numbers apply. So an error makes requests neither free nor impossible.
 */
export class DynamicLimit {
  readonly #draft: LimitDraft
  readonly #compile: CompileLimitPair
  readonly #builtIn: LimitPair
  readonly #pairs = new GenerationCache<string, LimitPair>(MAX_PAIRS)
  #strictest: LimitPair | null = null

  /** `builtIn`: applies if the function fails before its first result. */
  constructor (draft: LimitDraft, builtIn: LimitPair, compile: CompileLimitPair) {
    this.#draft = draft
    this.#builtIn = builtIn
    this.#compile = compile
  }

  /** The fixed part of the numbers, for messages. */
  get description (): string {
    const { max, windowMs } = this.#draft
    if (typeof max === 'number') return `${max} per time by function`
    return typeof windowMs === 'number' ? `max by function per ${windowMs} ms` : 'by function'
  }

  /** The limits of all cached numbers, for calls without a request, such as `peek`. */
  limits (): Limit[] {
    const cached = Array.from(this.#pairs.entries(), ([, { immediate }]) => immediate)
    return cached.length === 0 ? [this.#builtIn.immediate] : cached
  }

  /** Take over the numbers of the limit that this one replaces, if they can still be counted exactly. */
  rememberFrom (previous: DynamicLimit): void {
    const { max, windowMs } = this.#draft
    for (const [, { immediate }] of previous.#pairs.entries()) {
      const units = typeof max === 'function' ? immediate.max : max
      const ms = typeof windowMs === 'function' ? immediate.windowUs / 1000 : windowMs
      const pair = this.#compile(units, ms)
      if (pair !== null) this.#addPair(`${units}/${ms}`, pair)
    }
  }

  /** Synchronous if the functions are. A promise never rejects. */
  resolve (request: FastifyRequest, client: Client, faults: FaultReporter, deadlineMs: number): LimitPair | Promise<LimitPair> {
    const { max, windowMs } = this.#draft
    try {
      const units = typeof max === 'function' ? max(request, client) : max
      // Before the other function is called: if that one throws, a rejection of this one must not end the process.
      if (isThenable(units)) return this.#settle(this.#resolveLater(units, request, client), faults, deadlineMs)
      const window = typeof windowMs === 'function' ? windowMs(request, client) : windowMs
      return isThenable(window) ? this.#settle(Promise.all([units, window]), faults, deadlineMs) : this.#resolvePair(units, window)
    } catch (error) {
      return this.#fallBack(error, faults)
    }
  }

  /** Both functions are called at once. */
  #resolveLater (units: PromiseLike<unknown>, request: FastifyRequest, client: Client): Promise<readonly unknown[]> {
    const { windowMs } = this.#draft
    const window = typeof windowMs === 'function' ? new Promise<unknown>((resolve) => { resolve(windowMs(request, client)) }) : windowMs
    return Promise.all([units, window])
  }

  async #settle (pending: Promise<readonly unknown[]>, faults: FaultReporter, deadlineMs: number): Promise<LimitPair> {
    try {
      // The array is the result of `Promise.all`.
      const [units, window] = await waitFor(pending, deadlineMs, 'limit') as readonly unknown[]
      return this.#resolvePair(units, window)
    } catch (error) {
      return this.#fallBack(error, faults)
    }
  }

  #fallBack (error: unknown, faults: FaultReporter): LimitPair {
    faults.report('limit', error)
    return this.#strictest ?? this.#builtIn
  }

  #resolvePair (units: unknown, window: unknown): LimitPair {
    const windowMs = durationMs(window)
    if (typeof units !== 'number' || !Number.isInteger(units) || units < 0 || units > MAX_UNITS || windowMs === null) {
      throw new TypeError(`${this.#draft.place}: expected an integer from 0 to ${MAX_UNITS} and a duration, ` +
        `got ${describeValue(units)} and ${describeValue(window)}`)
    }
    const numbers = `${units}/${windowMs}`
    const known = this.#pairs.get(numbers)
    if (known !== undefined) return known
    const pair = this.#compile(units, windowMs)
    if (pair === null) throw new RangeError(`${this.#draft.place}: ${units} per ${windowMs} ms cannot be counted exactly`)
    return this.#addPair(numbers, pair)
  }

  #addPair (numbers: string, pair: LimitPair): LimitPair {
    this.#pairs.set(numbers, pair)
    // `max: 0` (maintenance) is no fallback: an error would disable the route.
    const isStrictest = this.#strictest === null || isStricter(pair.immediate, this.#strictest.immediate)
    if (pair.immediate.max > 0 && isStrictest) this.#strictest = pair
    return pair
  }
}

function isStricter (a: Limit, b: Limit): boolean {
  return a.max * b.windowUs < b.max * a.windowUs
}

/** Format a value for a message. Text is never shown: it may come from a client. */
function describeValue (value: unknown): string {
  return typeof value === 'number' ? String(value) : typeof value
}
