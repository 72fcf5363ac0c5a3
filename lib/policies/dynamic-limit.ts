import type { FastifyRequest } from 'fastify'
import type { Client } from '../model/client.js'
import { durationMs } from '../config/schema/durations.js'
import { MAX_UNITS } from '../config/schema/policy-schema.js'
import type { FaultLog } from '../common/log.js'
import type { Limit } from '../stores/store.js'
import type { LimitDraft, PerRequest } from './limit-draft.js'
import { GenerationCache } from '../common/generation-cache.js'

/** A limit for charges at once, and for those that may be held until they are due. */
export interface LimitPair {
  readonly immediate: Limit
  readonly delayable: Limit
}

/** Makes a pair of limits from its numbers; `null` where their arithmetic would not be exact. */
export type CompileLimitPair = (max: number, windowMs: number) => LimitPair | null

/** Pairs of numbers cached per generation; a plan has a few, and more are compiled again. */
const MAX_PAIRS = 500

/**
 * A limit whose numbers a function works out for each request. Each pair of numbers has buckets of its own, as tiers
 * have: if all shared one, a request with small numbers would cut what was used under large ones. So what a function
 * answers should be one of a few values.
 *
 * Where the function fails, or answers no number, that is logged and the strictest of its answers so far holds in its
 * place, the built-in number before the first: a mistake must make requests neither free nor impossible.
 */
export class DynamicLimit {
  readonly #draft: LimitDraft
  readonly #compile: CompileLimitPair
  readonly #builtIn: LimitPair
  readonly #pairs = new GenerationCache<string, LimitPair>(MAX_PAIRS)
  #strictest: LimitPair | null = null

  /** `createBuiltIn`: what holds where the function fails before it has answered. */
  constructor (draft: LimitDraft, builtIn: LimitPair, compile: CompileLimitPair) {
    this.#draft = draft
    this.#builtIn = builtIn
    this.#compile = compile
  }

  /** What is written down of the numbers. */
  get description (): string {
    const { max, windowMs } = this.#draft
    if (typeof max === 'number') return `${max} per time by function`
    return typeof windowMs === 'number' ? `max by function per ${windowMs} ms` : 'by function'
  }

  /** The limits of all numbers that are remembered, for whoever looks without a request. */
  limits (): Limit[] {
    const made = Array.from(this.#pairs.entries(), ([, { immediate }]) => immediate)
    return made.length === 0 ? [this.#builtIn.immediate] : made
  }

  /** Know the numbers of a maker that this one follows, as far as they can still be counted. */
  rememberFrom (previous: DynamicLimit): void {
    const { max, windowMs } = this.#draft
    for (const [, { immediate }] of previous.#pairs.entries()) {
      const units = typeof max === 'function' ? immediate.max : max
      const ms = typeof windowMs === 'function' ? immediate.windowUs / 1000 : windowMs
      const pair = this.#compile(units, ms)
      if (pair !== null) this.#addPair(`${units}/${ms}`, pair)
    }
  }

  resolve (request: FastifyRequest, client: Client, faults: FaultLog): LimitPair {
    const { max, windowMs } = this.#draft
    try {
      const units = typeof max === 'function' ? evaluate(max, request, client) : max
      const window = typeof windowMs === 'function' ? evaluate(windowMs, request, client) : windowMs
      return this.#resolvePair(units, window)
    } catch (error) {
      faults.report('limit', error)
      return this.#strictest ?? this.#builtIn
    }
  }

  #resolvePair (units: unknown, window: unknown): LimitPair {
    const windowMs = durationMs(window)
    if (typeof units !== 'number' || !Number.isInteger(units) || units < 0 || units > MAX_UNITS || windowMs === null) {
      throw new TypeError(`${this.#draft.place}: expected an integer of units and a duration at once, got ${describeValue(units)} and ${describeValue(window)}`)
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
    // Maintenance is no fallback: a failure would switch the route off.
    if (pair.immediate.max > 0 && (this.#strictest === null || isStricter(pair.immediate, this.#strictest.immediate))) this.#strictest = pair
    return pair
  }
}

function isStricter (a: Limit, b: Limit): boolean {
  return a.max * b.windowUs < b.max * a.windowUs
}

/** What a function answers; a promise is none, and its rejection must not end the process, whatever the other function does. */
function evaluate (compute: PerRequest<unknown>, request: FastifyRequest, client: Client): unknown {
  const result = compute(request, client)
  if (result instanceof Promise) result.catch(() => {})
  return result
}

/** A value in a message: never a text, which may be a client's. */
function describeValue (value: unknown): string {
  return typeof value === 'number' ? String(value) : value instanceof Promise ? 'a promise' : typeof value
}
