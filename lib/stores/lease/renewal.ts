import type { Clock } from '../../common/clock.js'
import type { Check } from '../redis/batch.js'
import type { LeaseRequest } from '../../algorithms/lease.js'
import type { LeaseCharge, LeaseStanding } from '../redis/wire-format.js'
import { isUnavailable, type Answer, type Limit, type Unavailable } from '../store.js'
import type { Ask, BucketAsks } from './bucket-asks.js'

/** A renewal waits for other checks for at most this part of the time for which the units in hand last. */
const WAIT_SHARE = 3

/** How long units that are given back wait for other checks, microseconds. */
const MAX_RETURN_US = 15_000

/** The bucket whose leases are renewed. */
export interface RenewedBucket {
  readonly limit: Limit
  readonly partition: string
  readonly asks: BucketAsks
  lastsUs (nowUs: number): number
  beginAsk (isAsking: boolean): void
  createRequest (mayLease: boolean, nowUs: number): LeaseRequest
  receive (standing: LeaseStanding, atUs: number, sentAtUs: number, nowUs: number): void
  finishAsk (ask: Ask, failure: Unavailable | null): void
}

/** What renewals share. */
export interface RenewalContext {
  readonly clock: Clock
  /** Called with each blocked partition. */
  readonly onBlock: (partition: string) => void
}

/**
 * A check of no units that no request waits for. It reports what was spent, and may ask for more units. A busy bucket has one
 * per grid, so it makes no promise, and is used again: new objects would outlive a garbage collection.
 */
export class Renewal implements Check {
  readonly #charge: { -readonly [Key in keyof LeaseCharge]: LeaseCharge[Key] }
  /** Complete after `prepare`. */
  readonly charges: readonly [LeaseCharge]
  readonly #bucket: RenewedBucket
  readonly #context: RenewalContext
  #isAsking = false
  #sentAtUs = 0
  /** How long it may wait for other checks, microseconds. */
  withinUs = 0

  constructor (bucket: RenewedBucket, context: RenewalContext) {
    const { limit, partition } = bucket
    this.#charge = { limit, partition, cost: 0, lease: undefined }
    this.charges = [this.#charge]
    this.#bucket = bucket
    this.#context = context
  }

  /** Begin a renewal, after the one before is resolved. `isAsking`: whether it asks for more units, or only reports. */
  begin (isAsking: boolean): this {
    this.#isAsking = isAsking
    this.withinUs = isAsking ? this.#bucket.lastsUs(this.#context.clock.nowUs()) / WAIT_SHARE : MAX_RETURN_US
    this.#bucket.beginAsk(isAsking)
    return this
  }

  /**
   * Write the request, once, and just before it is sent: it reports what was spent until then, and the life of a lease begins
   * with it.
   */
  prepare (): readonly [LeaseCharge] {
    this.#sentAtUs = this.#context.clock.nowUs()
    this.#charge.lease = this.#bucket.createRequest(this.#isAsking, this.#sentAtUs)
    return this.charges
  }

  resolve (answer: Answer | Promise<Answer>): void {
    if (answer instanceof Promise) answer.then((settled) => { this.#settle(settled) }, () => { this.#settle({ unavailable: 'error' }) })
    else this.#settle(answer)
  }

  #settle (answer: Answer): void {
    const nowUs = this.#context.clock.nowUs()
    const ask = { isAsking: this.#isAsking, sentAtUs: this.#sentAtUs, nowUs }
    this.#charge.lease = undefined
    if (isUnavailable(answer)) {
      this.#bucket.finishAsk(ask, answer)
      return
    }
    for (const { partition } of answer.blocks) this.#context.onBlock(partition)
    const standing: LeaseStanding = answer.standings[0]
    this.#bucket.receive(standing, answer.atUs, this.#sentAtUs, nowUs)
    this.#bucket.asks.note(standing, standing.lease !== undefined, ask)
    this.#bucket.finishAsk(ask, null)
  }
}
