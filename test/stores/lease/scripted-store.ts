import { createLeaseTerms } from '../../../lib/algorithms/lease.js'
import type { LeaseSource } from '../../../lib/stores/lease/lease-source.js'
import { Leases } from '../../../lib/stores/lease/leases.js'
import type { Check } from '../../../lib/stores/redis/batch.js'
import type { LeaseCharge, LeaseStanding } from '../../../lib/stores/redis/wire-format.js'
import type { Adjustment, Answer, Limit, Receipt, Standing } from '../../../lib/stores/store.js'
import { limitOf } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'

export const PARTITION = 'ip:203.0.113.9'
/** Units that are free in the store. */
export const FREE = 500

/** A limit of a thousand units in a second that is leased. */
export function createLeasedLimit (settings: Parameters<typeof limitOf>[0] = {}): Limit {
  const limit = limitOf({ max: 1000, windowUs: 1_000_000, bucket: 'app/seen', ...settings })
  const lease = createLeaseTerms(limit, 2_000_000)
  if (typeof lease === 'string') throw new TypeError(lease)
  return { ...limit, lease }
}

/** A store whose answers the test gives, below leases. */
export class ScriptedStore implements LeaseSource {
  readonly kind = 'scripted'
  readonly limit: Limit
  readonly clock = new ManualClock()
  /** Checks without an answer, in order. */
  readonly asked: Array<{ readonly charges: readonly LeaseCharge[], readonly resolve: (answer: Answer) => void }> = []
  readonly later: Check[] = []
  flushes = 0
  resolvePeek = (_standings: Standing[]): void => {}
  readonly leases: Leases
  readonly adjusted: Array<readonly Adjustment[]> = []

  constructor (limit = createLeasedLimit(), maxPending = 100) {
    this.limit = limit
    this.leases = new Leases({ store: this, source: this, clock: this.clock, maxPending })
  }

  take (charges: readonly LeaseCharge[]): Promise<Answer> {
    return new Promise((resolve) => { this.asked.push({ charges, resolve }) })
  }

  takeLater (check: Check): void { this.later.push(check) }
  flushLater (): void { this.flushes++ }
  async peek (): Promise<Standing[]> { return await new Promise((resolve) => { this.resolvePeek = resolve }) }
  async adjust (adjustments: readonly Adjustment[]): Promise<void> { this.adjusted.push(adjustments) }
  async reset (): Promise<number> { return 0 }
  async ping (): Promise<void> {}

  /** The checks that no request waits for, as they are sent. */
  prepareLater (): readonly Check[] {
    for (const check of this.later) check.prepare?.()
    return this.later
  }

  /** Nothing answers any more. */
  end (): void { this.leases.close().catch(() => {}) }

  /** A standing of a bucket of which `remaining` units are free. */
  standing (remaining: number, charged: number, units = 0): LeaseStanding {
    const standing: Standing = {
      limit: this.limit, partition: PARTITION, charged, granted: true, remaining, resetUs: (1000 - remaining) * 1000, delayUs: 0, retryUs: 0, blockedUs: 0
    }
    return units === 0 ? standing : { ...standing, lease: { units, lifeUs: 1_000_000, slotEndUs: 10_000_000, apart: units } }
  }

  receipt (standing: LeaseStanding, atUs: number): Receipt {
    return { granted: true, atUs, standings: [standing], blocks: [] }
  }

  takeOne (): Answer | Promise<Answer> { return this.leases.take([{ limit: this.limit, partition: PARTITION, cost: 1 }]) }

  /** Answer the oldest check. */
  answer (standing: LeaseStanding, atUs: number): void { this.asked.shift()?.resolve(this.receipt(standing, atUs)) }

  /** Make checks until a lease is asked for, which is then the only one without an answer. */
  async askForLease (): Promise<void> {
    for (let i = 0; i < 20; i++) {
      const answer = this.takeOne()
      if (this.asked[0]?.charges[0].lease?.want) return
      this.answer(this.standing(FREE, 1), 1000 + i)
      await answer
    }
    throw new Error('no lease was asked for')
  }
}
