import type { Clock } from '../../common/clock.js'
import type { Check } from '../redis/batch.js'
import type { LeaseCharge, LeaseStanding } from '../redis/wire-format.js'
import { isUnavailable, type Answer } from '../store.js'
import type { BucketLeases } from './bucket-leases.js'

/** A renewal waits for other checks for at most this part of the time for which the units in hand last. */
const WAIT_SHARE = 3

/** How long units that are given back wait for other checks, microseconds. */
const MAX_RETURN_US = 15_000

/** What renewals share. */
export interface RenewalContext {
  readonly clock: Clock
  /** Called with each blocked partition. */
  readonly onBlock: (partition: string) => void
}

/**
 * A check of no units that no request waits for. It reports what was spent, and may ask for more units. There are as many as
 * a busy bucket has grids, so it makes no promise.
 */
export class Renewal implements Check {
  /** Complete after `prepare`. */
  charges: readonly [LeaseCharge]
  readonly #bucket: BucketLeases
  readonly #context: RenewalContext
  readonly #isAsking: boolean
  #sentAtUs = 0
  /** How long it may wait for other checks, microseconds. */
  readonly withinUs: number

  /** `isAsking`: whether it asks for more units, or only reports. */
  constructor (bucket: BucketLeases, isAsking: boolean, context: RenewalContext) {
    const { limit, partition } = bucket
    this.charges = [{ limit, partition, cost: 0 }]
    this.#bucket = bucket
    this.#context = context
    this.#isAsking = isAsking
    this.withinUs = isAsking ? bucket.lastsUs(context.clock.nowUs()) / WAIT_SHARE : MAX_RETURN_US
    bucket.asks.begin(isAsking)
  }

  /**
   * Write the request, once, and just before it is sent: it reports what was spent until then, and the life of a lease begins
   * with it.
   */
  prepare (): readonly [LeaseCharge] {
    const { limit, partition } = this.#bucket
    this.#sentAtUs = this.#context.clock.nowUs()
    this.charges = [{ limit, partition, cost: 0, lease: this.#bucket.createRequest(this.#isAsking, this.#sentAtUs) }]
    return this.charges
  }

  resolve (answer: Answer | Promise<Answer>): void {
    if (answer instanceof Promise) answer.then((settled) => { this.#settle(settled) }, () => { this.#settle({ unavailable: 'error' }) })
    else this.#settle(answer)
  }

  #settle (answer: Answer): void {
    const nowUs = this.#context.clock.nowUs()
    const { asks } = this.#bucket
    const ask = { isAsking: this.#isAsking, sentAtUs: this.#sentAtUs, nowUs }
    if (isUnavailable(answer)) {
      asks.finish(ask, answer)
      return
    }
    for (const { partition } of answer.blocks) this.#context.onBlock(partition)
    const standing: LeaseStanding = answer.standings[0]
    this.#bucket.receive(standing, answer.atUs, this.#sentAtUs, nowUs)
    asks.note(standing, standing.lease !== undefined, ask)
    asks.finish(ask, null)
  }
}
