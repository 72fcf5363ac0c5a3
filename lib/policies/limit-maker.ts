import type { FastifyRequest } from 'fastify'
import type { Client } from '../clients/client.js'
import { durationMs } from '../config/durations.js'
import type { FaultLog } from '../observability/fault-log.js'
import type { Limit } from '../stores/store.js'
import type { LimitDraft, PerRequest } from './limit-draft.js'

/** A limit for charges at once, and for those that may be held until they are due. */
export interface LimitPair {
  readonly prompt: Limit
  readonly patient: Limit
}

/** Makes a pair of limits from its numbers; `null` where their arithmetic would not be exact. */
export type CompileNumbers = (max: number, windowMs: number) => LimitPair | null

/** Pairs of numbers remembered; a plan has a few, and more are made anew. */
const MOST_REMEMBERED = 1000

/** Counts are stored in four bytes. */
const MOST_UNITS = 2 ** 32 - 1

/**
 * A limit whose numbers a function works out for each request. All of them share their buckets: what a client used
 * stays used when its numbers change. Where the function fails, or answers no number, that is logged and the built-in
 * number holds in its place: a mistake must make requests neither free nor impossible.
 */
export class LimitMaker {
  readonly #draft: LimitDraft
  readonly #compile: CompileNumbers
  readonly #fallback: LimitPair
  readonly #made = new Map<string, LimitPair>()
  #latest: LimitPair

  /** `fallback`: what holds where the function fails. */
  constructor (draft: LimitDraft, fallback: LimitPair, compile: CompileNumbers) {
    this.#draft = draft
    this.#fallback = fallback
    this.#compile = compile
    this.#latest = fallback
  }

  /** The numbers that were used last, for standings without a request. */
  get latest (): Limit {
    return this.#latest.prompt
  }

  limitFor (request: FastifyRequest, client: Client, faults: FaultLog): LimitPair {
    const { max, windowMs } = this.#draft
    try {
      const units = typeof max === 'function' ? answerOf(max, request, client) : max
      const window = typeof windowMs === 'function' ? answerOf(windowMs, request, client) : windowMs
      this.#latest = this.#pairOf(units, window)
      return this.#latest
    } catch (error) {
      faults.report('limit', error)
      return this.#fallback
    }
  }

  #pairOf (units: unknown, window: unknown): LimitPair {
    const windowMs = durationMs(window)
    if (typeof units !== 'number' || !Number.isInteger(units) || units < 0 || units > MOST_UNITS || windowMs === null) {
      throw new TypeError(`${this.#draft.place}: expected an integer of units and a duration at once, got ${nameOf(units)} and ${nameOf(window)}`)
    }
    const numbers = `${units}/${windowMs}`
    const known = this.#made.get(numbers)
    if (known !== undefined) return known
    const pair = this.#compile(units, windowMs)
    if (pair === null) throw new RangeError(`${this.#draft.place}: ${units} per ${windowMs} ms cannot be counted exactly`)
    if (this.#made.size >= MOST_REMEMBERED) this.#made.clear()
    this.#made.set(numbers, pair)
    return pair
  }
}

/** What a function answers; a promise is none, and its rejection must not end the process, whatever the other function does. */
function answerOf (make: PerRequest<unknown>, request: FastifyRequest, client: Client): unknown {
  const answer = make(request, client)
  if (answer instanceof Promise) answer.catch(() => {})
  return answer
}

/** A value in a message: never a text, which may be a client's. */
function nameOf (value: unknown): string {
  return typeof value === 'number' ? String(value) : value instanceof Promise ? 'a promise' : typeof value
}
