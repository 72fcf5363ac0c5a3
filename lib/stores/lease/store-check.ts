import type { LeaseCharge, LeaseStanding } from '../redis/wire-format.js'
import { type Answer, type Charge, type Receipt, type Standing, canLease, isUnavailable } from '../store.js'
import type { BucketLeases } from './bucket-leases.js'
import type { Lease } from './lease.js'

/** One charge of a check that the store takes part in. */
interface Part {
  readonly charge: Charge
  /** `null` while the bucket is not busy. */
  readonly bucket: BucketLeases | null
  /** The lease that pays for the charge; `null` if the store decides it. */
  readonly lease: Lease | null
  /** Whether the charge asks the store for a lease. */
  readonly isAsking: boolean
}

/**
 * A check that leases do not cover. Charges with units in hand are paid from these, and the store decides the others. The
 * units in hand are reserved until then: the check is granted as a whole or not at all.
 */
export class StoreCheck {
  readonly #parts: readonly Part[]
  readonly #sentAtUs: number
  /** The charges for the store. */
  readonly sent: readonly LeaseCharge[]

  constructor (parts: readonly Part[], sent: readonly LeaseCharge[], nowUs: number) {
    this.#parts = parts
    this.sent = sent
    this.#sentAtUs = nowUs
    for (const { bucket, lease, isAsking } of parts) if (lease === null) bucket?.beginAsk(isAsking)
  }

  /** Combine the answer of the store with the units in hand. `onBlock`: called with each blocked partition. */
  complete (answer: Answer, nowUs: number, onBlock: (partition: string) => void): Answer {
    if (isUnavailable(answer)) {
      for (const { charge, bucket, lease } of this.#parts) {
        if (lease !== null) bucket?.settle(lease, charge.cost, false, nowUs)
      }
      return answer
    }
    const { granted, atUs, blocks } = answer
    for (const { partition } of blocks) onBlock(partition)
    let sent = 0
    const standings = this.#parts.map(({ charge, bucket, lease, isAsking }): Standing => {
      if (bucket === null || lease === null) {
        const standing: LeaseStanding = answer.standings[sent++]
        bucket?.receive(standing, standing.atUs ?? atUs, this.#sentAtUs, nowUs)
        bucket?.asks.note(standing, standing.lease !== undefined, { isAsking, sentAtUs: this.#sentAtUs, nowUs })
        return standing
      }
      // A shadow limit is charged by itself, unless a block refuses the request.
      const isSpent = charge.limit.mode === 'shadow' ? blocks.length === 0 : granted
      bucket.settle(lease, charge.cost, isSpent, nowUs)
      return bucket.createStanding(isSpent ? charge.cost : 0, lease.id, nowUs)
    })
    return { granted, atUs, standings, blocks } satisfies Receipt
  }

  /** The store has answered. Call it after `complete`, as it lets other checks go on. */
  finish (answer: Answer, nowUs: number): void {
    const failure = isUnavailable(answer) ? answer : null
    for (const { bucket, lease, isAsking } of this.#parts) {
      if (lease === null) bucket?.finishAsk({ isAsking, sentAtUs: this.#sentAtUs, nowUs }, failure)
    }
  }
}

/** `buckets`: of the charges, by their index. */
export function createStoreCheck (
  charges: readonly Charge[], buckets: ReadonlyArray<BucketLeases | undefined>, nowUs: number
): StoreCheck {
  const mayLease = charges.every(({ limit }) => canLease(limit))
  const sent: LeaseCharge[] = []
  const parts = charges.map((charge, i): Part => {
    const bucket = buckets[i] ?? null
    // A bucket that is charged twice is decided by the store, which knows the sum.
    const isShared = bucket !== null && buckets.indexOf(bucket) !== buckets.lastIndexOf(bucket)
    const lease = bucket === null || isShared || (charge.strikes ?? 0) > 0 ? null : bucket.reserve(charge.cost, nowUs)
    if (lease !== null) return { charge, bucket, lease, isAsking: false }
    const leaseCharge = bucket === null ? charge : createLeaseCharge(charge, bucket, mayLease, nowUs)
    sent.push(leaseCharge)
    return { charge, bucket, lease, isAsking: isAsking(leaseCharge) }
  })
  return new StoreCheck(parts, sent, nowUs)
}

function isAsking ({ lease }: LeaseCharge): boolean {
  return lease !== undefined && lease.want > 0
}

function createLeaseCharge (charge: Charge, bucket: BucketLeases, mayLease: boolean, nowUs: number): LeaseCharge {
  // The refusal of a moment ago is repeated without a call, and would lose the reports.
  if (bucket.asks.isEmpty(nowUs)) return charge
  const { limit, partition, cost, strikes } = charge
  const isAsking = bucket.countDemand(cost, nowUs) && mayLease && bucket.asks.canAsk(nowUs)
  return { limit, partition, cost, strikes, lease: bucket.createRequest(isAsking, nowUs) }
}
