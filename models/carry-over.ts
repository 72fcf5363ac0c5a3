import type { Quota } from '../lib/algorithms/quota.js'
import { findFault } from './carry-over-claims.js'
import type { Rules } from './carry-over-rules.js'
import { CarryOverStore, writeBucket, type Charge, type StoredBucket, type Taking } from './carry-over-store.js'
import type { Model } from './explore.js'

/*
 * Several versions of a limit share one bucket: processes that reload at different moments, or one that reloads to and fro. It does
 * not matter which process asks, only under which version. So each step is a check under any version, a refund, or a tick of time.
 *
 * The bound: in each interval of length t a client gets at most the largest capacity, and the units of the fastest rate in t. That is
 * the same as: a backlog of what was granted, which drains at the fastest rate, never exceeds the largest capacity. A fixed window
 * can be used up at its end, and the next one at its start: there it is twice the capacity. Windows of the same length have a
 * sharper bound: none grants more than the largest `max`. Those of other lengths can have a weaker one, the sum of all versions.
 *
 * A bucket that refuses everything would keep the bound: carry-over-claims.ts has what a client may count on.
 */

export interface CarryOverModelOptions {
  readonly versions: readonly Quota[]
  /** The length of a tick, microseconds. */
  readonly tickUs: number
  /** The bound of the backlog: the largest capacity and fastest rate, or the sum of all versions. Default `largest`. */
  readonly bound?: 'largest' | 'sum'
  /** How many units are granted at most. Default: any number. */
  readonly maxGrants?: number
  /** A unit of the latest grant can be given back, once. */
  readonly hasRefunds?: boolean
}

export interface State {
  readonly bucket: StoredBucket | null
  /** Granted units that have not drained, in parts of a unit. Not counted where there is a sharper bound. */
  readonly backlog: number
  /** Units granted in each tick of a sliding window, from this tick back. */
  readonly recent: readonly number[]
  /** When the fixed window ends that the last grant belongs to, and the units that were granted in it. */
  readonly endIn: number
  readonly inWindow: number
  readonly refundable: Charge | null
  /** Units that may still be granted. */
  readonly grants: number
  /** The claim that does not hold. */
  readonly fault: string | null
}

export function createCarryOverModel (options: CarryOverModelOptions, rules: Rules): Model<State> {
  return new CarryOverModel(options, rules)
}

class CarryOverModel implements Model<State> {
  readonly start: State
  readonly #options: CarryOverModelOptions
  readonly #store: CarryOverStore
  readonly #capacity: number
  /** A unit of the backlog, what drains in a tick, and the most that the backlog may be. */
  readonly #unit: number
  readonly #drain: number
  readonly #most: number
  /** The algorithm of all versions if it is one with windows of the same length. */
  readonly #windows: 'sliding-window' | 'fixed-window' | null

  constructor (options: CarryOverModelOptions, rules: Rules) {
    const { versions, tickUs, bound = 'largest', maxGrants = Infinity } = options
    const combine = (numbers: readonly number[]) => bound === 'sum' ? numbers.reduce((sum, n) => sum + n, 0) : Math.max(...numbers)
    this.#options = options
    this.#store = new CarryOverStore(versions, rules)
    this.#capacity = combine(versions.map(({ capacity }) => capacity))
    this.#unit = versions.reduce((product, { windowUs }) => product * windowUs, 1)
    this.#drain = combine(versions.map(({ max, windowUs }) => tickUs * max * this.#unit / windowUs))
    // The first unit opens a fixed window, and has drained at its end. The next window begins a tick after its last grant.
    const hasFixed = versions.some(({ algorithm }) => algorithm === 'fixed-window')
    this.#most = hasFixed ? (2 * this.#capacity - 1) * this.#unit - this.#drain : this.#capacity * this.#unit
    const [{ algorithm, windowUs }] = versions
    const isAlike = versions.every((quota) => quota.algorithm === algorithm && quota.windowUs === windowUs)
    this.#windows = isAlike && (algorithm === 'sliding-window' || algorithm === 'fixed-window') ? algorithm : null
    const recent = this.#windows === 'sliding-window' ? new Array<number>(windowUs / tickUs).fill(0) : []
    this.start = { bucket: null, backlog: 0, recent, endIn: 0, inWindow: 0, refundable: null, grants: maxGrants, fault: null }
  }

  slack ({ backlog, recent, inWindow, fault }: State): number {
    if (fault !== null) return -1
    if (this.#windows === 'fixed-window') return this.#capacity - inWindow
    if (this.#windows === 'sliding-window') return this.#capacity - recent.reduce((sum, units) => sum + units, 0)
    return this.#most - backlog
  }

  key ({ bucket, backlog, recent, endIn, inWindow, refundable, grants, fault }: State): string {
    const charge = refundable === null ? '' : `${refundable.version},${refundable.chargedIn},${refundable.untilIn}`
    return `${writeBucket(bucket)}|${backlog}|${recent}|${endIn},${inWindow}|${charge}|${grants}|${fault}`
  }

  next (state: State, visit: (state: State, step: string) => void): void {
    const { versions } = this.#options
    visit(this.#tick(state), 'tick')
    for (let version = 0; version < versions.length; version++) {
      const asked = this.#store.take(state.bucket, version, 0)
      const fault = findFault(this.#store, this.#options, state.bucket, version)
      visit({ ...state, bucket: asked.bucket, fault }, fault ?? `version ${version} asks`)
      const taken = this.#store.take(state.bucket, version, 1)
      if (taken.granted && state.grants > 0) visit(this.#grant(state, taken, version), `version ${version} grants`)
      else if (!taken.granted) visit({ ...state, bucket: taken.bucket }, `version ${version} refuses`)
    }
    if (state.refundable !== null) visit(this.#refund(state, state.refundable), 'a unit is given back')
  }

  #tick (state: State): State {
    const { bucket, backlog, recent, endIn, inWindow, refundable } = state
    const { tickUs } = this.#options
    return {
      ...state,
      bucket: this.#store.pass(bucket, tickUs),
      backlog: Math.max(0, backlog - this.#drain),
      recent: recent.length > 0 ? [0, ...recent.slice(0, -1)] : recent,
      endIn: Math.max(0, endIn - tickUs),
      inWindow: endIn > tickUs ? inWindow : 0,
      refundable: refundable === null || refundable.untilIn <= tickUs
        ? null
        : { ...refundable, chargedIn: refundable.chargedIn - tickUs, untilIn: refundable.untilIn - tickUs }
    }
  }

  #grant (state: State, { bucket, resetUs }: Taking, version: number): State {
    const isFixed = this.#windows === 'fixed-window'
    return {
      ...state,
      bucket,
      backlog: this.#windows === null ? state.backlog + this.#unit : 0,
      recent: state.recent.map((units, i) => i === 0 ? units + 1 : units),
      endIn: isFixed ? resetUs : 0,
      // A lowered window that is used up begins again, so the windows are those that the store names.
      inWindow: isFixed ? 1 + (resetUs === state.endIn ? state.inWindow : 0) : 0,
      refundable: this.#options.hasRefunds ? { version, chargedIn: 0, untilIn: resetUs } : null,
      grants: state.grants - 1
    }
  }

  /** A refund of a token bucket counts at its own time: see refundTokenBucket. That of a window counts at the time of its charge. */
  #refund (state: State, charge: Charge): State {
    const agoTicks = -charge.chargedIn / this.#options.tickUs
    return {
      ...state,
      bucket: this.#store.refund(state.bucket, charge),
      backlog: Math.max(0, state.backlog - this.#unit),
      recent: state.recent.map((units, i) => i === agoTicks ? units - 1 : units),
      inWindow: Math.max(0, state.inWindow - 1),
      refundable: null
    }
  }
}
