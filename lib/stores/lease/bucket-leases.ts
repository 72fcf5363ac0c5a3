import type { LeaseRequest, LeaseTerms } from '../../algorithms/lease.js'
import type { LeaseStanding } from '../redis/wire-format.js'
import type { Limit, Standing } from '../store.js'
import { BucketAsks } from './bucket-asks.js'
import { BucketEstimate } from './bucket-estimate.js'
import { Lease } from './lease.js'
import type { LeasedStanding, LeaseHolder } from './leased-standing.js'
import { LeaseReports } from './lease-reports.js'
import type { LeaseCounters } from './lease-counters.js'
import type { LeaseSizing } from './sizing.js'

/** What this process knows of a busy bucket, and its leases. */
export class BucketLeases implements LeaseHolder {
  readonly limit: Limit
  readonly partition: string
  readonly asks = new BucketAsks()
  readonly #gridUs: number
  readonly #counters: LeaseCounters
  readonly #sizing: LeaseSizing
  readonly #estimate: BucketEstimate
  readonly #reports = new LeaseReports()
  #current: Lease | null = null
  #next: Lease | null = null
  /** More units are asked for when this many are left, and from this time on, so that no check finds the lease ended. */
  #lowMark = 0
  #renewAtUs = 0

  constructor (limit: Limit, partition: string, { gridUs }: LeaseTerms, sizing: LeaseSizing, counters: LeaseCounters) {
    this.limit = limit
    this.partition = partition
    this.#gridUs = gridUs
    this.#counters = counters
    this.#sizing = sizing
    this.#estimate = new BucketEstimate(limit)
  }

  /** Unspent units of living leases. */
  countLeft (nowUs: number): number {
    return (this.#current?.leftAt(nowUs) ?? 0) + (this.#next?.leftAt(nowUs) ?? 0)
  }

  get hasReports (): boolean { return !this.#reports.isEmpty }

  /** Spend units in hand. Returns the lease that they are from, or `null` if they do not suffice. */
  spend (cost: number, nowUs: number): Lease | null {
    const lease = this.#current
    if (lease === null || lease.left < cost || nowUs > lease.endUs) return this.#spendNext(cost, nowUs)
    lease.left -= cost
    this.#estimate.use(cost, nowUs)
    return lease
  }

  /** Take units out of a lease until the other limits of their request are decided. `null` if those in hand do not suffice. */
  reserve (cost: number, nowUs: number): Lease | null {
    this.#turn(nowUs)
    const lease = this.#current
    if (lease === null || lease.left < cost) return null
    lease.left -= cost
    lease.reserved += cost
    return lease
  }

  /** End a reservation. `isSpent`: whether the request was granted. */
  settle (lease: Lease, cost: number, isSpent: boolean, nowUs: number): void {
    lease.reserved -= cost
    if (isSpent) this.#estimate.settle(cost, lease.endUs, nowUs)
    else lease.left += cost
    // It was closed in the meantime, with these units reserved.
    if (lease !== this.#current && lease !== this.#next) this.#drop(lease, this.limit.algorithm === 'fixed-window')
  }

  refund (lease: Lease, units: number, nowUs: number): number {
    if (lease !== this.#current && lease !== this.#next) return 0
    const returned = lease.refund(units, nowUs)
    this.#estimate.use(-returned, nowUs)
    return returned
  }

  charge (units: number, nowUs: number): number {
    const spent = Math.min(units, this.countLeft(nowUs))
    return spent > 0 && this.spend(spent, nowUs) !== null ? spent : 0
  }

  /** Whether to ask for more before the units in hand are used up, or their lease ends. */
  shouldRenew (nowUs: number): boolean {
    const lease = this.#current
    return lease !== null && (lease.left <= this.#lowMark || nowUs >= this.#renewAtUs) &&
      this.#next === null && this.asks.canAsk(nowUs)
  }

  /** For how long the units in hand suffice, microseconds. */
  lastsUs (nowUs: number): number {
    return this.#current === null ? 0 : Math.min(this.#current.endUs - nowUs, this.#sizing.lastsUs(this.#current.left))
  }

  /** A request for more units, with the reports so far. `mayLease`: whether it may ask for some, or only reports. */
  createRequest (mayLease: boolean, nowUs: number): LeaseRequest {
    this.#turn(nowUs)
    const lease = this.#current
    let inHand = 0
    if (lease !== null) {
      this.#report(lease)
      this.#learn(lease)
      inHand = Math.min(lease.left, this.#sizing.usedIn(lease.endUs - nowUs))
    }
    this.#sizing.observe(nowUs)
    const want = mayLease && this.#next === null ? this.#sizing.wanted(inHand, nowUs) : 0
    return { gridUs: this.#gridUs, want, soon: Math.min(want, this.#sizing.soon), reports: this.#reports.remove() }
  }

  /** Whether the store decides a check as without leases: the bucket was empty a moment ago, or it is not busy, and is counted. */
  isUnleased (units: number, nowUs: number): boolean {
    if (this.asks.isEmpty(nowUs)) return true
    if (this.#current?.isSettled === false || this.#next !== null || this.asks.isAskingForLease || this.hasReports) return false
    return this.asks.isScarce ? !this.asks.canAsk(nowUs) : this.#sizing.countIdle(units, nowUs)
  }

  /** Count units that the store was asked for. Returns whether the bucket is still busy. */
  countDemand (units: number, nowUs: number): boolean { return this.#sizing.countDemand(units, nowUs) }

  /** Take over what the store replied. `atUs`: its time. `sentAtUs`: before the call was sent. */
  receive (standing: LeaseStanding, atUs: number, sentAtUs: number, nowUs: number): void {
    this.#turn(nowUs)
    this.#sizing.use(standing.charged)
    if (standing.lease !== undefined) this.#hold(new Lease(standing.lease, sentAtUs, atUs), nowUs)
    // Answers to several checks arrive together, and not in the order in which the store decided them.
    const unspent = (this.#current?.unspentIn(atUs, sentAtUs) ?? 0) + (this.#next?.unspentIn(atUs, sentAtUs) ?? 0)
    this.#estimate.update(standing, unspent, { atUs, sentAtUs, nowUs })
  }

  /** End the leases at once. `isReturned`: whether their units are to be given back to the bucket. */
  end (isReturned: boolean): void {
    for (const lease of [this.#current, this.#next]) if (lease !== null) this.#drop(lease, isReturned)
    this.#current = null
    this.#next = null
  }

  /** End the leases, and report nothing: the bucket was reset. */
  forget (): void {
    this.end(false)
    this.#reports.remove()
  }

  /** The leases in hand. */
  get held (): readonly Lease[] { return [this.#current, this.#next].filter((lease) => lease !== null) }

  /** A standing that the store returned, with what is left of the leases that were in hand before. It counts them as used. */
  addLeft (standing: Standing, held: readonly Lease[], nowUs: number): Standing {
    return this.#estimate.addLeft(standing, held.reduce((left, lease) => left + lease.leftAt(nowUs), 0))
  }

  /** Close leases that are over. Returns whether the store must learn about them. */
  closeEnded (nowUs: number): boolean {
    this.#turn(nowUs)
    return this.hasReports
  }

  /** The state of the bucket as far as this process knows it, after a charge of `charged` units. */
  createStanding (charged: number, lease: Lease, nowUs: number): LeasedStanding {
    const resetUs = this.#estimate.resetUs(nowUs)
    return {
      limit: this.limit,
      partition: this.partition,
      charged,
      atUs: this.#estimate.storeTimeUs(nowUs),
      granted: true,
      remaining: this.#estimate.remaining(this.countLeft(nowUs), resetUs),
      resetUs,
      delayUs: 0,
      retryUs: 0,
      blockedUs: 0,
      lease,
      holder: this,
      drainedUs: this.#estimate.drainedUs(nowUs)
    }
  }

  /** Spend across two leases: a cost above what is left must not strand the rest. */
  #spendNext (cost: number, nowUs: number): Lease | null {
    this.#turn(nowUs)
    const lease = this.#current
    if (lease === null) return null
    const fromNext = Math.max(0, cost - lease.left)
    const next = this.#next
    if (fromNext > 0 && (next === null || next.leftAt(nowUs) < fromNext)) return null
    lease.left -= cost - fromNext
    if (next !== null) next.left -= fromNext
    this.#estimate.use(cost, nowUs)
    return fromNext === 0 || next === null ? lease : next
  }

  /** Go on to the next lease, if the current one is over or used up. */
  #turn (nowUs: number): void {
    const lease = this.#current
    if (lease !== null && (nowUs > lease.endUs || (lease.left === 0 && lease.reserved === 0 && this.#next !== null))) {
      this.#close(lease, nowUs)
      this.#current = null
    }
    if (this.#current === null && this.#next !== null) {
      const next = this.#next
      this.#next = null
      if (nowUs <= next.endUs) this.#start(next)
      else this.#close(next, nowUs)
    }
  }

  #hold (lease: Lease, nowUs: number): void {
    if (nowUs > lease.endUs) this.#close(lease, nowUs)
    else if (this.#current === null || (this.#current.left === 0 && this.#current.reserved === 0)) {
      if (this.#current !== null) this.#close(this.#current, nowUs)
      this.#start(lease)
    } else this.#next = lease
  }

  #start (lease: Lease): void {
    const { isSlow, renewUs } = this.#sizing
    this.#current = lease
    this.#lowMark = isSlow ? -1 : this.#sizing.lowMark(lease.size)
    this.#renewAtUs = isSlow ? Infinity : lease.endUs - renewUs
  }

  #close (lease: Lease, nowUs: number): void {
    if (nowUs > lease.endUs) this.#sizing.observeLapse(lease.size, lease.left, nowUs)
    this.#learn(lease)
    // Units of a token bucket drain from the end of their slot. A window would keep them until it ends.
    this.#drop(lease, this.limit.algorithm === 'fixed-window')
  }

  #drop (lease: Lease, isReturned: boolean): void {
    this.#report(lease)
    if (isReturned) this.#reports.add(lease.slotEndUs, 0, lease.left)
    else this.#counters.lapsedUnits += lease.left
    // Units that return later from a reservation are neither spent nor returned again.
    lease.reported += lease.left
    lease.left = 0
  }

  /** A larger lease is worth trying once half of one was used. */
  #learn (lease: Lease): void {
    if (lease.left * 2 <= lease.size) this.#sizing.grow(lease.size)
  }

  #report (lease: Lease): void {
    const units = lease.unreported
    lease.reported += units
    this.#sizing.use(units)
    // Leased units of a window are used units already.
    if (this.limit.algorithm === 'token-bucket') this.#reports.add(lease.slotEndUs, units, 0)
  }
}
