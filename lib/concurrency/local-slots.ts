import {
  findSlot, isConcurrency, isUnavailable, toUncharged,
  type Adjustment, type Answer, type Charge, type Limit, type Standing, type Store
} from '../stores/store.js'
import type { InFlightCounts } from '../stores/memory/in-flight-counts.js'

/**
 * A store with slots that are counted in this process: all of them for a store that does not count requests in flight, and
 * otherwise those of limits that follow latency. A slot is reserved while the store decides: it is taken together with the
 * units of the store, or given back.
 */
export class LocalSlots implements Store {
  readonly kind: string
  readonly countsInFlight = true
  readonly #store: Store
  readonly #counts: InFlightCounts
  readonly #isLocal: (limit: Limit) => boolean

  /** `counts`: shared with the memory that decides while the store cannot answer. `counted`: which slots are counted here. */
  constructor (store: Store, counts: InFlightCounts, counted: 'all' | 'adaptive') {
    this.kind = store.kind
    this.#store = store
    this.#counts = counts
    this.#isLocal = counted === 'all' ? isConcurrency : isAdaptive
  }

  take (charges: readonly Charge[]): Answer | Promise<Answer> {
    const slot = findSlot(charges)
    if (slot === undefined || !this.#isLocal(slot.limit)) return this.#store.take(charges)
    const { limit, partition, cost } = slot
    const rates = charges.slice(0, -1)
    const hasRoom = this.#counts.hasSlots(slot)
    const isRefusing = !hasRoom && limit.mode === 'enforce'
    // Reserved until the store has decided.
    if (hasRoom) this.#counts.take(limit, partition, cost)
    const answer = this.#store.take(isRefusing ? rates.map(toUncharged) : rates)
    return answer instanceof Promise
      ? answer.then((settled) => this.#complete(slot, hasRoom, settled))
      : this.#complete(slot, hasRoom, answer)
  }

  async peek (limits: readonly Limit[], partition: string): Promise<readonly Standing[]> {
    const rates = limits.filter((limit) => !this.#isLocal(limit))
    const standings = [...await this.#store.peek(rates, partition)]
    return limits.map((limit) => {
      return (this.#isLocal(limit) ? undefined : standings.shift()) ?? this.#counts.peek(limit, partition)
    })
  }

  adjust (adjustments: readonly Adjustment[]): void | Promise<void> {
    const rest = adjustments.filter(({ standing: { limit, partition }, units }) => {
      if (!this.#isLocal(limit)) return true
      if (units < 0) this.#counts.release(limit, partition, -units)
      return false
    })
    if (rest.length > 0) return this.#store.adjust(rest)
  }

  reset (limits: readonly Limit[], partition: string): number | Promise<number> {
    return this.#store.reset(limits.filter((limit) => !this.#isLocal(limit)), partition)
  }

  ping (): void | Promise<void> {
    return this.#store.ping()
  }

  close (): void | Promise<void> {
    return this.#store.close?.()
  }

  /** `hasRoom`: whether a slot is reserved. */
  #complete (slot: Charge, hasRoom: boolean, answer: Answer): Answer {
    const { limit, partition, cost } = slot
    if (hasRoom) this.#counts.release(limit, partition, cost)
    if (isUnavailable(answer)) return answer
    const standing = this.#counts.settle(slot, hasRoom, answer)
    return { ...answer, granted: answer.granted && (hasRoom || limit.mode === 'shadow'), standings: [...answer.standings, standing] }
  }
}

/** Whether the slots of a limit are counted in this process, whatever the store can count. */
function isAdaptive ({ room }: Limit): boolean {
  return room != null
}
