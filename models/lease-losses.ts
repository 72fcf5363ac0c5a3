import { copyState, moveMessage, type LeaseModelOptions, type Loss, type State } from './lease-state.js'
import type { LeaseStore, StoredBucket } from './lease-store.js'

/** How the bucket of a model is lost, and what that adds to the bound. */
export class LeaseLosses {
  readonly #options: LeaseModelOptions
  readonly #store: LeaseStore

  constructor (options: LeaseModelOptions, store: LeaseStore) {
    this.#options = options
    this.#store = store
  }

  /** Each loss that can happen now. */
  visitLosses (state: State, visit: (state: State, step: string) => void): void {
    const { bucket, replica, phase } = state
    for (const loss of this.#options.losses ?? []) {
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
}
