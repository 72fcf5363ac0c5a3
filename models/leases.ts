import type { Quota } from '../lib/algorithms/quota.js'
import type { Model } from './explore.js'
import type { Rules } from './lease-rules.js'
import {
  addReport, copyState, moveMessage, writeBucket, writeHolder, type Holder, type Lease, type Message, type State
} from './lease-state.js'
import { LeaseStore, type Report, type StoredBucket } from './lease-store.js'

/*
 * Several nodes lease units of one bucket. Each step is one event: a tick of time, a message that is sent or that arrives, a unit
 * that is spent, a crash. A node that is paused is one that takes no step for a while. Every order of events is visited.
 *
 * The bound: the backlog of the units that clients were really granted, which drains at the rate of the limit, never exceeds the
 * capacity. That is the same as: in each interval of length t at most burst + rate * t. Of a fixed window: the units that
 * were granted in it never exceed its max.
 */

/** How a bucket loses what it knew. The bound then has one more burst, or the units that were leased. */
export type Loss = 'reset' | 'lost' | 'older' | 'old-version' | 'clock'

export interface LeaseModelOptions {
  readonly quota: Quota
  readonly gridUs: number
  readonly nodes: number
  /** The most units that a node asks for, and the most leases that it has. */
  readonly want: number
  readonly leases: number
  readonly hasReturns?: boolean
  /** Checks of several limits, and refunds to the lease. */
  readonly hasReserved?: boolean
  /** Refunds of exact takes. */
  readonly hasRefunds?: boolean
  /** Requests can arrive after their sender has stopped waiting or has crashed. */
  readonly hasLate?: boolean
  readonly losses?: readonly Loss[]
  /** How many of them. Default 1 if there are any. */
  readonly maxLosses?: number
  /** What a loss may add to the bound: see addToBound. Default `leased`. */
  readonly lossBound?: 'leased' | 'burst' | 'nothing'
  /** Steps of the clock of Redis, ticks. */
  readonly clockSteps?: readonly number[]
}

export function createLeaseModel (options: LeaseModelOptions, rules: Rules): Model<State> {
  return new LeaseModel(options, rules)
}

class LeaseModel implements Model<State> {
  readonly start: State
  readonly #options: LeaseModelOptions
  readonly #rules: Rules
  readonly #store: LeaseStore
  readonly #unit: number
  readonly #losses: readonly Loss[]

  constructor (options: LeaseModelOptions, rules: Rules) {
    const { quota } = options
    this.#options = options
    this.#rules = rules
    this.#store = new LeaseStore(quota, options.gridUs, rules)
    this.#unit = this.#store.isWindow ? 1 : quota.intervalUs * quota.intervalDen + quota.intervalNum
    this.#losses = options.losses ?? []
    this.start = {
      phase: 0,
      bucket: null,
      replica: undefined,
      backlog: 0,
      extra: 0,
      extraIn: 0,
      losses: this.#losses.length > 0 ? options.maxLosses ?? 1 : 0,
      refundableIn: null,
      isReset: false,
      holders: Array.from({ length: options.nodes }, () => ({ leases: [], message: null, late: null }))
    }
  }

  slack ({ backlog, extra }: State): number {
    return (this.#options.quota.capacity + extra) * this.#unit - backlog
  }

  key (state: State): string {
    const { phase, bucket, replica, backlog, extra, extraIn, losses, refundableIn, isReset, holders } = state
    const nodes = holders.map(writeHolder).sort().join(';')
    const numbers = `${phase},${backlog},${extra},${extraIn},${losses},${refundableIn},${isReset}`
    return `${numbers}|${writeBucket(bucket)}|${writeBucket(replica)}|${nodes}`
  }

  next (state: State, visit: (state: State, step: string) => void): void {
    this.#tick(state, visit)
    this.#takeExact(state, visit)
    if (state.losses > 0) this.#lose(state, visit)
    for (let i = 0; i < state.holders.length; i++) {
      this.#send(state, i, visit)
      this.#deliver(state, i, visit)
      this.#use(state, i, visit)
      this.#fail(state, i, visit)
    }
  }

  #tick (state: State, visit: (state: State, step: string) => void): void {
    const after = copyState(state, 'all')
    after.phase = (state.phase + 1) % this.#options.gridUs
    after.bucket = this.#pass(state.bucket, after)
    if (state.replica !== undefined) after.replica = this.#pass(state.replica, after)
    if (!this.#store.isWindow) after.backlog = Math.max(0, state.backlog - this.#options.quota.intervalDen)
    else if (after.bucket === null) after.backlog = 0
    after.isReset = false
    if (after.refundableIn !== null && --after.refundableIn <= 0) after.refundableIn = null
    for (const holder of after.holders) {
      for (const lease of holder.leases) {
        lease.slotIn = this.#older(lease.slotIn)
        lease.endIn = this.#older(lease.endIn)
      }
      holder.message = this.#age(holder.message)
      holder.late = this.#age(holder.late)
      this.#tidy(holder)
    }
    if (after.extraIn > 0 && --after.extraIn === 0) {
      // All leases from before the loss are over: in the intervals that begin now, the bound is the burst again.
      after.extra = 0
      after.backlog = 0
    }
    visit(after, 'tick')
  }

  /** The bucket is brought to now at each tick, unless the clock can step back: a call would do the same. */
  #pass (bucket: StoredBucket | null, { phase }: State): StoredBucket | null {
    const moved = this.#store.move(bucket, 1)
    if (!this.#losses.includes('clock')) return this.#store.advance(moved, phase)
    return this.#store.isExpired(moved, phase) ? null : moved
  }

  #age (message: Message | null): Message | null {
    if (message === null) return null
    const reports = message.reports.map((report) => ({ ...report, slotIn: report.slotIn - 1 })).filter((report) => this.#isOpen(report))
    if (message.kind === 'request') return message.units === 0 && reports.length === 0 ? null : { ...message, reports }
    const slotIn = this.#older(message.slotIn)
    const endIn = this.#rules.replyAges ? this.#older(message.endIn) : message.endIn
    return this.#rules.isAlive({ endIn }) ? { ...message, slotIn, endIn } : null
  }

  /** A tick later. Ends that are further in the past than this are equal. */
  #older (ticks: number): number {
    return Math.max(ticks - 1, Math.min(-2, ...this.#options.clockSteps ?? []))
  }

  /** Whether a report can still matter: without steps of the clock, not after its slot. */
  #isOpen ({ slotIn }: { slotIn: number }): boolean {
    return slotIn > Math.min(0, ...this.#options.clockSteps ?? [])
  }

  #takeExact (state: State, visit: (state: State, step: string) => void): void {
    const { bucket, phase, refundableIn } = state
    const taken = state.isReset ? null : this.#store.take(bucket, 1, phase)
    if (taken !== null) {
      const after = copyState(state, -1)
      after.bucket = taken.bucket
      after.backlog += this.#unit
      if (this.#options.hasRefunds) after.refundableIn = taken.resetUs
      visit(after, 'an exact take')
    }
    if (refundableIn !== null) {
      const after = copyState(state, -1)
      after.bucket = this.#store.refund(bucket, 1, refundableIn, phase)
      // A refund counts at its own time: see refundTokenBucket.
      after.backlog = Math.max(0, after.backlog - this.#unit)
      after.refundableIn = null
      visit(after, 'an exact take is refunded')
    }
  }

  /** A node sends what it spent, and asks for units or gives some back. */
  #send (state: State, i: number, visit: (state: State, step: string) => void): void {
    const { leases, message } = state.holders[i]
    if (message !== null || state.isReset) return
    const { want, leases: maxLeases, hasReturns } = this.#options
    for (let units = 0; units <= (leases.length < maxLeases ? want : 0); units++) {
      const after = copyState(state, i)
      const reports = this.#report(after.holders[i], -1)
      if (units === 0 && reports.length === 0) continue
      after.holders[i].message = { kind: 'request', reports, units, slotIn: 0, endIn: 0 }
      visit(after, units === 0 ? 'a node reports' : `a node reports, and asks for ${units}`)
    }
    for (let at = 0; at < leases.length; at++) {
      if (!hasReturns || leases[at].left === 0) continue
      const after = copyState(state, i)
      const reports = this.#report(after.holders[i], at)
      after.holders[i].message = { kind: 'request', reports, units: 0, slotIn: 0, endIn: 0 }
      visit(after, 'a node gives back what is left')
    }
  }

  #report (holder: Holder, returnedAt: number): Report[] {
    const reports: Report[] = []
    holder.leases.forEach((lease, at) => {
      const spent = this.#rules.report(lease)
      const returned = at === returnedAt ? this.#rules.giveBack(lease) : 0
      if (spent + returned > 0 && this.#isOpen(lease)) addReport(reports, { slotIn: lease.slotIn, spent, returned })
    })
    this.#tidy(holder)
    return reports
  }

  #deliver (state: State, i: number, visit: (state: State, step: string) => void): void {
    const { message, late } = state.holders[i]
    if (state.isReset && message?.kind !== 'reply') return
    if (late !== null && !state.isReset) {
      const after = copyState(state, i)
      after.holders[i].late = null
      this.#renew(after, late)
      visit(after, 'Redis receives a late request')
    }
    if (message?.kind === 'request') {
      const after = copyState(state, i)
      const grant = this.#renew(after, message)
      after.holders[i].message = grant === null ? null : { kind: 'reply', reports: [], ...grant }
      if (this.#rules.isSentTwice && late === null) after.holders[i].late = message
      visit(after, grant === null ? 'Redis receives reports' : `Redis leases ${grant.units}`)
    } else if (message?.kind === 'reply') {
      const after = copyState(state, i)
      const { units, slotIn, endIn } = message
      const holder = after.holders[i]
      holder.message = null
      holder.leases.push({ slotIn, endIn, left: units, unreported: 0, due: 0, away: 0 })
      this.#tidy(holder)
      visit(after, `a node receives ${units}`)
    }
  }

  #renew (after: State, { reports, units }: Message) {
    const { bucket, grant } = this.#store.renew(after.bucket, reports, units, after.phase)
    after.bucket = bucket
    return grant
  }

  #use (state: State, i: number, visit: (state: State, step: string) => void): void {
    state.holders[i].leases.forEach((lease, at) => {
      const change = (step: string, units: number, apply: (lease: Lease) => void) => {
        const after = copyState(state, i)
        apply(after.holders[i].leases[at])
        after.backlog += units * this.#unit
        this.#tidy(after.holders[i])
        visit(after, step)
      }
      const mayUse = lease.left > 0 && this.#rules.isAlive(lease)
      if (mayUse) change('a node spends', 1, (lease) => { lease.left--; lease.unreported++ })
      if (!this.#options.hasReserved) return
      if (mayUse) {
        change('a node reserves, for a grant', 1, (lease) => { lease.left--; lease.due++ })
        change('a node reserves, for a refusal or a refund', 0, (lease) => { lease.left--; lease.away++ })
      }
      if (lease.due > 0) change('a reserved unit is spent', 0, (lease) => { lease.due--; lease.unreported++ })
      if (lease.away > 0) change('a unit comes back to its lease', 0, (lease) => { lease.away--; lease.left++ })
    })
  }

  /** A node stops to wait for a reply, or crashes. What it has sent may still arrive. */
  #fail (state: State, i: number, visit: (state: State, step: string) => void): void {
    const { message, leases, late } = state.holders[i]
    const isOnTheWay = this.#options.hasLate && late === null && message?.kind === 'request'
    if (message !== null) {
      const after = copyState(state, i)
      after.holders[i].message = null
      if (isOnTheWay) after.holders[i].late = message
      visit(after, 'a node stops to wait')
    }
    if (leases.length > 0) {
      const after = copyState(state, i)
      after.holders[i] = { leases: [], message: null, late: isOnTheWay ? message : late }
      visit(after, 'a node crashes')
    }
  }

  #lose (state: State, visit: (state: State, step: string) => void): void {
    const { bucket, replica, phase } = state
    for (const loss of this.#losses) {
      if (loss === 'clock') {
        for (const ticks of this.#options.clockSteps ?? []) visit(this.#stepClock(state, ticks), `the clock steps by ${ticks}`)
      } else if (loss === 'old-version') {
        if (bucket !== null && bucket.gridUs > 0) this.#forget(state, this.#store.dropLeases(bucket, phase), loss, visit)
      } else if (loss === 'older') {
        if (replica === undefined) visit({ ...copyState(state, -1), replica: bucket }, 'a replica copies the bucket')
        else this.#forget(state, replica, loss, visit)
      } else if (bucket !== null) {
        this.#forget(state, loss === 'reset' ? this.#store.reset(bucket, phase) : null, loss, visit)
      }
    }
  }

  #forget (state: State, bucket: StoredBucket | null, loss: Loss, visit: (state: State, step: string) => void): void {
    const after = copyState(state, -1)
    after.bucket = bucket
    after.replica = undefined
    after.refundableIn = null
    after.isReset = this.#store.isWindow
    this.#addToBound(after, loss)
    visit(after, `the bucket: ${loss}`)
  }

  #stepClock (state: State, ticks: number): State {
    const { gridUs } = this.#options
    const after = copyState(state, 'all')
    after.phase = (((state.phase + ticks) % gridUs) + gridUs) % gridUs
    after.bucket = this.#store.move(state.bucket, ticks)
    if (this.#store.isExpired(after.bucket, after.phase)) after.bucket = null
    for (const holder of after.holders) {
      for (const lease of holder.leases) lease.slotIn -= ticks
      holder.message = moveMessage(holder.message, ticks)
      holder.late = moveMessage(holder.late, ticks)
    }
    if (after.refundableIn !== null) after.refundableIn = Math.max(0, after.refundableIn - ticks)
    this.#addToBound(after, 'clock')
    return after
  }

  /**
   * What a loss adds to the bound. `burst`: one more burst, in all intervals. `leased`: the units that are leased at this moment, in
   * the intervals that begin with the loss. It is the sharper bound, and `nothing` is too sharp. If the old slots live on, a
   * report of units that were spent before can also be taken for newer units of its slot.
   */
  #addToBound (state: State, loss: Loss): void {
    const { lossBound = 'leased', quota } = this.#options
    state.losses--
    if (lossBound === 'burst') {
      state.extra += quota.capacity
      return
    }
    const isKnown = loss === 'older' || loss === 'clock'
    let extra = 0
    let extraIn = 0
    for (const { leases, message, late } of state.holders) {
      const sent = [message, late].filter((one) => one !== null)
      for (const { left, away, due, unreported, endIn, slotIn } of leases) {
        extra += left + away + (isKnown ? due + unreported : 0)
        extraIn = Math.max(extraIn, endIn, slotIn)
      }
      for (const { kind, units, reports, slotIn, endIn } of sent) {
        if (kind === 'reply') {
          extra += units
          extraIn = Math.max(extraIn, endIn, slotIn)
        }
        for (const { spent, returned, slotIn } of isKnown ? reports : []) {
          extra += spent + returned
          extraIn = Math.max(extraIn, slotIn)
        }
      }
    }
    if (lossBound === 'leased') state.extra += extra
    state.extraIn = Math.max(state.extraIn, extraIn)
    // The units of an earlier version's bucket stay used.
    if (loss !== 'old-version') state.backlog = 0
  }

  /** Leave out what cannot matter any more, and sort. */
  #tidy (holder: Holder): void {
    holder.leases = holder.leases.filter((lease) => {
      if (!this.#rules.isAlive(lease)) {
        lease.left = lease.away = lease.due = 0
      }
      if (!this.#isOpen(lease)) lease.unreported = 0
      return lease.left + lease.unreported + lease.due + lease.away > 0
    })
    holder.leases.sort((a, b) => a.endIn - b.endIn || a.left - b.left || a.unreported - b.unreported || a.due - b.due || a.away - b.away)
  }
}
