import type { LeaseRequest, LeaseTerms } from '../../algorithms/lease.js'
import type { LeaseStanding } from '../redis/wire-format.js'
import type { Limit, Standing, Unavailable } from '../store.js'
import { BucketAsks, type Ask } from './bucket-asks.js'
import { AHEAD, LEFT, type BucketRow } from './bucket-row.js'
import { Lease } from './lease.js'
import type { LeasedStanding } from './leased-standing.js'
import { LeaseLedger } from './lease-ledger.js'
import type { LeaseCounters } from './lease-counters.js'
import type { Renewal } from './renewal.js'
import type { LeaseSizing } from './sizing.js'

/** What this process knows of a busy bucket, and its leases. What checks read first is in its row. */
export class BucketLeases {
  readonly row: BucketRow
  readonly partition: string
  readonly asks = new BucketAsks()
  /** Asks for more units; `null` before it did. */
  renewal: Renewal | null = null
  readonly #gridUs: number
  readonly #sizing: LeaseSizing
  readonly #ledger: LeaseLedger
  #current: Lease | null = null
  #next: Lease | null = null
  /** A lease that is settled, for use as the next one: new objects would outlive a garbage collection. */
  #spare: Lease | null = null
  /** More units are asked for when this many are left, and from this time on, so that no check finds the lease ended. */
  #lowMark = 0
  #renewAtUs = 0

  constructor (row: BucketRow, partition: string, { gridUs }: LeaseTerms, sizing: LeaseSizing, counters: LeaseCounters) {
    this.row = row
    this.partition = partition
    this.#gridUs = gridUs
    this.#ledger = new LeaseLedger(row.limit, sizing, counters)
    this.#sizing = sizing
  }

  get limit (): Limit { return this.row.limit }

  /** Unspent units of living leases. */
  countLeft (nowUs: number): number {
    return (this.#current?.leftAt(nowUs) ?? 0) + (this.#next?.leftAt(nowUs) ?? 0)
  }

  /** A check is sent. `isAsking`: for a lease too. */
  beginAsk (isAsking: boolean): void {
    this.asks.begin(isAsking)
    this.#setBounds()
  }

  /** A check was answered, or failed. */
  finishAsk (ask: Ask, failure: Unavailable | null): void {
    this.asks.finish(ask, failure)
    this.#setBounds()
  }

  get hasReports (): boolean { return this.#ledger.hasReports }

  /** Spend units in hand. Returns the `id` of the lease that they are from, or `null` if they do not suffice. */
  spend (cost: number, nowUs: number): number | null {
    return this.row.spend(cost, nowUs) ? this.row.leaseId : this.#spendNext(cost, nowUs)
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
    if (isSpent) this.row.settle(cost, lease.endUs, nowUs)
    else lease.left += cost
    // It was closed in the meantime, with these units reserved.
    if (lease !== this.#current && lease !== this.#next) this.#drop(lease, this.limit.algorithm === 'fixed-window')
    this.#turn(nowUs)
  }

  /** Give back units of a lease that were spent. Returns how many. */
  refund (leaseId: number, units: number, nowUs: number): number {
    const returned = this.held.find(({ id }) => id === leaseId)?.refund(units, nowUs) ?? 0
    this.row.use(-returned, nowUs)
    return returned
  }

  /** Spend up to `units` that were used without a check. Returns how many. */
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
      this.#ledger.report(lease)
      this.#ledger.learn(lease)
      inHand = Math.min(lease.left, this.#sizing.usedIn(lease.endUs - nowUs))
    }
    this.#sizing.observe(nowUs)
    const want = mayLease && this.#next === null ? this.#sizing.wanted(inHand, nowUs) : 0
    return { gridUs: this.#gridUs, want, soon: Math.min(want, this.#sizing.soon), reports: this.#ledger.removeReports() }
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
    if (standing.lease !== undefined) this.#add((this.#spare ?? new Lease()).begin(standing.lease, sentAtUs, atUs), nowUs)
    // Answers to several checks arrive together, and not in the order in which the store decided them.
    const unspent = (this.#current?.unspentIn(atUs, sentAtUs) ?? 0) + (this.#next?.unspentIn(atUs, sentAtUs) ?? 0)
    this.row.update(standing, unspent, { atUs, sentAtUs, nowUs })
  }

  /** End the leases at once. `isReturned`: whether their units are to be given back to the bucket. */
  end (isReturned: boolean): void {
    for (const lease of [this.#current, this.#next]) if (lease !== null) this.#drop(lease, isReturned)
    this.#hold(null, null)
  }

  /** End the leases, and report nothing: the bucket was reset. */
  forget (): void {
    this.end(false)
    this.#ledger.removeReports()
  }

  /** The leases in hand. */
  get held (): readonly Lease[] { return [this.#current, this.#next].filter((lease) => lease !== null) }

  /** A standing that the store returned, with what is left of the leases that were in hand before. It counts them as used. */
  addLeft (standing: Standing, leaseIds: readonly number[], nowUs: number): Standing {
    return this.row.addLeft(standing, this.held.reduce((left, lease) => leaseIds.includes(lease.id) ? left + lease.leftAt(nowUs) : left, 0))
  }

  /** Close leases that are over. Returns whether the store must learn about them. */
  closeEnded (nowUs: number): boolean {
    this.#turn(nowUs)
    return this.hasReports
  }

  /** The state of the bucket as far as this process knows it, after a charge of `charged` units. */
  createStanding (charged: number, leaseId: number, nowUs: number): LeasedStanding {
    return this.row.createStanding(this.partition, charged, leaseId, nowUs)
  }

  /** Spend across two leases: a cost above what is left must not strand the rest. */
  #spendNext (cost: number, nowUs: number): number | null {
    this.#turn(nowUs)
    const lease = this.#current
    if (lease === null) return null
    const fromNext = Math.max(0, cost - lease.left)
    const next = this.#next
    if (fromNext > 0 && (next === null || next.leftAt(nowUs) < fromNext)) return null
    lease.left -= cost - fromNext
    if (next !== null) next.left -= fromNext
    this.row.use(cost, nowUs)
    return fromNext === 0 || next === null ? lease.id : next.id
  }

  /** Go on to the next lease, if the current one is over or used up. */
  #turn (nowUs: number): void {
    let current = this.#current
    let next = this.#next
    if (current !== null && (nowUs > current.endUs || (next !== null && current.left === 0 && current.reserved === 0))) {
      this.#close(current, nowUs)
      current = null
    }
    if (next !== null && nowUs > next.endUs) {
      this.#close(next, nowUs)
      next = null
    }
    if (current === null) this.#hold(next, null)
    else if (next !== this.#next) this.#hold(current, next)
  }

  #add (lease: Lease, nowUs: number): void {
    this.#spare = null
    const current = this.#current
    if (nowUs > lease.endUs) return this.#close(lease, nowUs)
    if (current !== null && (current.left > 0 || current.reserved > 0)) return this.#hold(current, lease)
    if (current !== null) this.#close(current, nowUs)
    this.#hold(lease, null)
  }

  /** Change the leases in hand. Those before were closed. */
  #hold (current: Lease | null, next: Lease | null): void {
    if (current !== null && current !== this.#current) {
      const { isSlow, renewUs } = this.#sizing
      this.#lowMark = isSlow ? -1 : this.#sizing.lowMark(current.size)
      this.#renewAtUs = isSlow ? Infinity : current.endUs - renewUs
    }
    this.#current = current
    this.#next = next
    current?.keepIn(this.row, LEFT)
    next?.keepIn(this.row, AHEAD)
    this.#setBounds()
  }

  /** While there is a next lease, or one is asked for, nothing is to do but to spend the current one. */
  #setBounds (): void {
    const endUs = Math.min(this.#current?.endUs ?? 0, this.#next?.endUs ?? Infinity)
    const isRenewed = this.#next !== null || this.asks.isAskingForLease
    this.row.setBounds(this.#current?.id ?? 0, isRenewed ? -1 : this.#lowMark, isRenewed ? endUs : Math.min(endUs, this.#renewAtUs))
  }

  #close (lease: Lease, nowUs: number): void {
    if (nowUs > lease.endUs) this.#sizing.observeLapse(lease.size, lease.left, nowUs)
    this.#ledger.learn(lease)
    // Units of a token bucket drain from the end of their slot. A window would keep them until it ends.
    this.#drop(lease, this.limit.algorithm === 'fixed-window')
  }

  #drop (lease: Lease, isReturned: boolean): void {
    this.#ledger.close(lease, isReturned)
    lease.keepIn(null)
    // The request that reserved units has the lease at hand.
    if (lease.reserved === 0) this.#spare = lease
  }
}
