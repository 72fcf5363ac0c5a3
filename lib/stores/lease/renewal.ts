import type { Clock } from '../../common/clock.js'
import type { Check } from '../redis/batch.js'
import type { LeaseCharge, LeaseStanding } from '../redis/wire-format.js'
import { isUnavailable, type Answer } from '../store.js'
import type { BucketLeases } from './bucket-leases.js'

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

  /** `isAsking`: whether it asks for more units, or only reports. */
  constructor (bucket: BucketLeases, isAsking: boolean, context: RenewalContext) {
    const { limit, partition } = bucket
    this.charges = [{ limit, partition, cost: 0 }]
    this.#bucket = bucket
    this.#context = context
    this.#isAsking = isAsking
    bucket.asks.begin(isAsking)
  }

  /** Write the request, just before it is sent: it reports what was spent until then, and the life of a lease begins with it. */
  prepare (): void {
    const { limit, partition } = this.#bucket
    this.#sentAtUs = this.#context.clock.nowUs()
    this.charges = [{ limit, partition, cost: 0, lease: this.#bucket.createRequest(this.#isAsking, this.#sentAtUs) }]
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
