import type { Clock } from '../../common/clock.js'
import { TextHasher } from '../memory/hash.js'
import { secretWords } from '../memory/random.js'
import {
  canLease, isUnavailable, NO_BLOCKS,
  type Adjustment, type Answer, type Charge, type Limit, type Receipt, type Standing, type Store, type Unavailable
} from '../store.js'
import type { BucketLeases } from './bucket-leases.js'
import { LeaseBook, type BusyBuckets } from './lease-book.js'
import type { LeaseCounters } from './lease-counters.js'
import type { LeaseSource } from './lease-source.js'
import { isLeasedStanding, type LeasedStanding } from './leased-standing.js'
import { Renewal, type RenewalContext } from './renewal.js'
import { createStoreCheck, type StoreCheck } from './store-check.js'

/** How often the units of ended leases of windows are given back. */
const RETURN_INTERVAL_MS = 1000

/** How long a check waits for leases, before the store is asked: a small part of any deadline. */
const MAX_WAIT_US = 10_000

const OVERLOAD: Unavailable = { unavailable: 'overload' }

export interface LeasesOptions {
  /** Decides what no lease covers: the source, behind its cache of refusals. */
  readonly store: Store
  readonly source: LeaseSource
  readonly clock: Clock
  /** With this many checks that wait for the answer to another check, no further check waits. */
  readonly maxPending: number
}

/**
 * Spends units that were leased from Redis, in the same turn and without a call. Only limits with `lease` are leased, and of
 * these only busy buckets. The store decides everything else, as without this layer.
 *
 * It is above the cache of refusals: a unit in hand is spent before a refusal is believed.
 */
export class Leases implements Store {
  readonly kind: string
  readonly counters: LeaseCounters = { leasedChecks: 0, storeChecks: 0, lapsedUnits: 0, renewals: 0 }
  readonly #options: LeasesOptions
  readonly #book: LeaseBook
  readonly #returner: NodeJS.Timeout
  readonly #endBlocked = (partition: string) => { this.#book.endPenalized(partition) }
  readonly #noteBlocks = (answer: Answer): Answer => {
    for (const { partition } of isUnavailable(answer) ? NO_BLOCKS : answer.blocks) this.#endBlocked(partition)
    return answer
  }

  readonly #renewals: RenewalContext
  #waiting = 0

  constructor (options: LeasesOptions) {
    this.kind = options.store.kind
    this.#options = options
    this.#renewals = { clock: options.clock, onBlock: this.#endBlocked }
    const [key0, key1] = secretWords(2)
    this.#book = new LeaseBook(new TextHasher(key0, key1), this.counters)
    // Created here and not in a request: a timer keeps the AsyncLocalStorage of its creator alive.
    this.#returner = setInterval(() => { this.#returnWindows() }, RETURN_INTERVAL_MS).unref()
  }

  take (charges: readonly Charge[]): Answer | Promise<Answer> {
    if (charges.length === 1) {
      const [charge] = charges
      const { limit, partition, cost, strikes = 0 } = charge
      if (!canLease(limit)) return this.#takeFromStore(charges)
      const nowUs = this.#options.clock.nowUs()
      const leases = this.#book.select(limit, partition)
      const spent = strikes > 0 || leases === undefined ? null : leases.spend(charge, nowUs)
      if (spent !== null) return this.#grant([spent])
      const known = leases?.find()
      const standing = strikes > 0 || known === undefined ? null : this.#spendOne(known, cost, nowUs)
      if (standing !== null) return this.#grant([standing])
      const bucket = known ?? this.#book.meet(limit, partition, cost, nowUs)
      if (bucket !== undefined) return this.#ask(charges, [bucket], nowUs, nowUs + MAX_WAIT_US)
      this.counters.storeChecks++
      return this.#takeFromStore(charges)
    }
    if (!charges.some(({ limit }) => canLease(limit))) return this.#takeFromStore(charges)
    const nowUs = this.#options.clock.nowUs()
    return this.#spendAll(charges, nowUs) ?? this.#ask(charges, this.#book.meetAll(charges, nowUs), nowUs, nowUs + MAX_WAIT_US)
  }

  async peek (limits: readonly Limit[], partition: string): Promise<readonly Standing[]> {
    const { store, clock } = this.#options
    await this.#waitForLeases(limits.flatMap((limit) => this.#book.findAll(limit, partition)))
    // The answer counts what is in hand as used. A lease that arrives with it may be of units that it counts as free.
    const held = limits.map((limit) => this.#book.findHeld(limit, partition))
    const standings = await store.peek(limits, partition)
    return standings.map((standing, i) => held[i](standing, clock.nowUs()))
  }

  /** Refund to the lease that paid, while it lives and its units were not reported; the rest in the store. */
  async adjust (adjustments: readonly Adjustment[]): Promise<void> {
    const nowUs = this.#options.clock.nowUs()
    const rest: Adjustment[] = []
    for (const adjustment of adjustments) {
      const { standing, units } = adjustment
      if (!isLeasedStanding(standing)) {
        rest.push(adjustment)
        continue
      }
      const { holder, drainedUs } = standing
      const settled = units < 0 ? -holder.refund(standing, -units, nowUs) : holder.charge(standing, units, nowUs)
      if (settled !== units) rest.push({ ...adjustment, standing: { ...standing, resetUs: drainedUs }, units: units - settled })
    }
    if (rest.length > 0) await this.#options.store.adjust(rest)
  }

  async reset (limits: readonly Limit[], partition: string): Promise<number> {
    for (const limit of limits) this.#book.forget(limit, partition)
    const resetCount = await this.#options.store.reset(limits, partition)
    // A lease of the old bucket may have arrived in the meantime.
    for (const limit of limits) this.#book.forget(limit, partition)
    return resetCount
  }

  async ping (): Promise<void> { await this.#options.store.ping() }

  /** Give all leases back: their limits were replaced. */
  endLeases (): void { this.#returnAll((renewal) => { this.#sendLater(renewal) }).catch(() => {}) }

  async close (): Promise<void> {
    clearInterval(this.#returner)
    await this.#returnAll(async (renewal) => { renewal.resolve(await this.#options.source.take(renewal.prepare())) })
    await this.#options.store.close?.()
  }

  /** Pay for a charge with units in hand, where they are few, or end soon; `null` if they do not suffice. */
  #spendOne (bucket: BucketLeases, cost: number, nowUs: number): LeasedStanding | null {
    const leaseId = bucket.spend(cost, nowUs)
    if (leaseId === null) return null
    this.#renewIfLow(bucket, nowUs)
    return bucket.createStanding(cost, leaseId, nowUs)
  }

  #grant (standings: readonly LeasedStanding[]): Receipt {
    this.counters.leasedChecks++
    return { granted: true, atUs: standings[0].atUs, standings, blocks: NO_BLOCKS }
  }

  /** Pay for several charges, all or none. */
  #spendAll (charges: readonly Charge[], nowUs: number): Receipt | null {
    const buckets: BucketLeases[] = []
    const standings: LeasedStanding[] = []
    for (const { limit, partition, cost, strikes = 0 } of charges) {
      const bucket = this.#book.find(limit, partition)
      const leaseId = bucket === undefined || strikes > 0 ? null : bucket.spend(cost, nowUs)
      if (bucket === undefined || leaseId === null) {
        for (const [i, { leaseId, charged }] of standings.entries()) buckets[i].refund(leaseId, charged, nowUs)
        return null
      }
      buckets.push(bucket)
      standings.push(bucket.createStanding(cost, leaseId, nowUs))
    }
    for (const bucket of buckets) this.#renewIfLow(bucket, nowUs)
    return this.#grant(standings)
  }

  /**
   * Decide a check that units in hand do not cover. `buckets`: of the charges, by their index. `waitsUntilUs`: until then it may
   * wait for the answers to other checks.
   */
  #ask (charges: readonly Charge[], buckets: BusyBuckets, nowUs: number, waitsUntilUs: number): Answer | Promise<Answer> {
    const { store, clock } = this.#options
    if (charges.length === 1 && buckets[0]?.isUnleased(charges[0].cost, nowUs)) {
      this.counters.storeChecks++
      return this.#takeFromStore(charges)
    }
    const deciding = nowUs >= waitsUntilUs
      ? undefined
      : buckets.find((bucket, i) => bucket?.asks.isAskingForLease && bucket.countLeft(nowUs) < charges[i].cost)
    if (deciding !== undefined) return this.#wait(deciding, charges, waitsUntilUs)
    this.counters.storeChecks++
    // Nothing is busy: as without leases.
    if (buckets.every((bucket) => bucket === undefined)) return this.#takeFromStore(charges)
    const check = createStoreCheck(charges, buckets, nowUs)
    const answer = store.take(check.sent)
    if (!(answer instanceof Promise)) return this.#finish(check, answer, nowUs)
    return answer.then((settled) => this.#finish(check, settled, clock.nowUs()))
  }

  /** Decide a check without leases. A block that it meets ends the leases of other limits under the same penalty. */
  #takeFromStore (charges: readonly Charge[]): Answer | Promise<Answer> {
    const answer = this.#options.store.take(charges)
    if (!this.#book.hasPenalties || !charges.some((charge) => charge.limit.penalty !== null)) return answer
    return answer instanceof Promise ? answer.then(this.#noteBlocks) : this.#noteBlocks(answer)
  }

  #finish (check: StoreCheck, answer: Answer, nowUs: number): Answer {
    const completed = check.complete(answer, nowUs, this.#endBlocked)
    check.finish(answer, nowUs)
    return completed
  }

  /** Wait for a lease that was asked for. The answer comes within the deadline of its call. */
  #wait (bucket: BucketLeases, charges: readonly Charge[], waitsUntilUs: number): Answer | Promise<Answer> {
    if (this.#waiting >= this.#options.maxPending) return OVERLOAD
    this.#waiting++
    this.#options.source.flushLater()
    return new Promise((resolve) => {
      bucket.asks.wait((failure) => {
        this.#waiting--
        resolve(failure ?? this.#takeAgain(charges, waitsUntilUs))
      })
    })
  }

  #takeAgain (charges: readonly Charge[], waitsUntilUs: number): Answer | Promise<Answer> {
    const nowUs = this.#options.clock.nowUs()
    return this.#spendAll(charges, nowUs) ?? this.#ask(charges, this.#book.meetAll(charges, nowUs), nowUs, waitsUntilUs)
  }

  /** Ask for more units before those in hand are used up. */
  #renewIfLow (bucket: BucketLeases, nowUs: number): void {
    if (!bucket.shouldRenew(nowUs)) return
    this.counters.renewals++
    this.#sendLater((bucket.renewal ??= new Renewal(bucket, this.#renewals)).begin(true))
  }

  #sendLater (renewal: Renewal): void { this.#options.source.takeLater(renewal, renewal.withinUs) }

  #returnWindows (): void {
    const nowUs = this.#options.clock.nowUs()
    for (const bucket of this.#book.buckets('fixed-window')) {
      if (bucket.closeEnded(nowUs)) this.#sendLater(new Renewal(bucket, this.#renewals).begin(false))
    }
  }

  /** Wait for the leases that were asked for. */
  async #waitForLeases (buckets: readonly BucketLeases[]): Promise<void> {
    const asking = buckets.filter(({ asks }) => asks.isAskingForLease)
    if (asking.length === 0) return
    this.#options.source.flushLater()
    await Promise.all(asking.map(({ asks }) => new Promise<void>((resolve) => { asks.wait(() => { resolve() }) })))
  }

  async #returnAll (send: (renewal: Renewal) => void | Promise<void>): Promise<void> {
    const buckets = [...this.#book.buckets()]
    this.#book.clear()
    await Promise.all(buckets.map(async (bucket) => {
      // A lease that is on its way is given back too.
      while (bucket.asks.isAskingForLease) await this.#waitForLeases([bucket])
      bucket.end(true)
      if (bucket.hasReports) await send(new Renewal(bucket, this.#renewals).begin(false))
    }))
  }
}
