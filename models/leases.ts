import type { Model } from './explore.js'
import { LeaseHolders } from './lease-holder.js'
import { LeaseLosses } from './lease-losses.js'
import type { Rules } from './lease-rules.js'
import { copyState, writeBucket, writeHolder, type Lease, type LeaseModelOptions, type Message, type State } from './lease-state.js'
import { LeaseStore, type StoredBucket } from './lease-store.js'

/*
 * Several nodes lease units of one bucket. Each step is one event: a tick of time, a message that is sent or that arrives, a unit
 * that is spent, a crash. A node that is paused is one that takes no step for a while. Every order of events is visited.
 *
 * The bound: the backlog of the units that clients were really granted, which drains at the rate of the limit, never exceeds the
 * capacity. That is the same as: in each interval of length t at most burst + rate * t. Of a fixed window: the units that
 * were granted in it never exceed its max.
 */

export function createLeaseModel (options: LeaseModelOptions, rules: Rules): Model<State> {
  return new LeaseModel(options, rules)
}

class LeaseModel implements Model<State> {
  readonly start: State
  readonly #options: LeaseModelOptions
  readonly #rules: Rules
  readonly #store: LeaseStore
  readonly #unit: number
  readonly #holders: LeaseHolders
  readonly #losses: LeaseLosses

  constructor (options: LeaseModelOptions, rules: Rules) {
    const { quota } = options
    this.#options = options
    this.#rules = rules
    this.#store = new LeaseStore(quota, options.gridUs, rules)
    this.#unit = this.#store.isWindow ? 1 : quota.intervalUs * quota.intervalDen + quota.intervalNum
    this.#holders = new LeaseHolders(options, rules)
    this.#losses = new LeaseLosses(options, this.#store)
    this.start = {
      phase: 0,
      bucket: null,
      replica: undefined,
      backlog: 0,
      extra: 0,
      extraIn: 0,
      losses: options.losses === undefined ? 0 : options.maxLosses ?? 1,
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
    if (state.losses > 0) this.#losses.visitLosses(state, visit)
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
    for (const holder of after.holders) this.#holders.age(holder)
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
    if (!this.#options.losses?.includes('clock')) return this.#store.advance(moved, phase)
    return this.#store.isExpired(moved, phase) ? null : moved
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
      const reports = this.#holders.report(after.holders[i], -1)
      if (units === 0 && reports.length === 0) continue
      after.holders[i].message = { kind: 'request', reports, units, slotIn: 0, endIn: 0 }
      visit(after, units === 0 ? 'a node reports' : `a node reports, and asks for ${units}`)
    }
    for (let at = 0; at < leases.length; at++) {
      if (!hasReturns || leases[at].left === 0) continue
      const after = copyState(state, i)
      const reports = this.#holders.report(after.holders[i], at)
      after.holders[i].message = { kind: 'request', reports, units: 0, slotIn: 0, endIn: 0 }
      visit(after, 'a node gives back what is left')
    }
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
      // A reply that arrives again finds no request that waits for it, as one that arrives late.
      for (let times = this.#rules.isTakenTwice ? 2 : 1; times > 0; times--) {
        holder.leases.push({ slotIn, endIn, left: units, unreported: 0, due: 0, away: 0 })
      }
      this.#holders.tidy(holder)
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
        this.#holders.tidy(after.holders[i])
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
      visit(after, message.kind === 'reply' ? 'a reply is lost' : 'a node stops to wait')
    }
    if (leases.length > 0) {
      const after = copyState(state, i)
      after.holders[i] = { leases: [], message: null, late: isOnTheWay ? message : late }
      visit(after, 'a node crashes')
    }
  }
}
