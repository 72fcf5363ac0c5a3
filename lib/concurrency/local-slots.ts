import {
  findSlot, isConcurrency, isUnavailable, toUncharged,
  type Adjustment, type Answer, type Charge, type Limit, type Standing, type Store
} from '../stores/store.js'
import type { InFlightCounts } from '../stores/memory/in-flight-counts.js'

/**
 * A store that does not count requests in flight, with slots that are counted in this process. A slot is reserved while
 * the store decides: it is taken together with the units of the store, or given back.
 */
export class LocalSlots implements Store {
  readonly kind: string
  readonly countsInFlight = true
  readonly #store: Store
  readonly #counts: InFlightCounts

  /** `counts`: shared with the memory that decides while the store cannot answer. */
  constructor (store: Store, counts: InFlightCounts) {
    this.kind = store.kind
    this.#store = store
    this.#counts = counts
  }

  take (charges: readonly Charge[]): Answer | Promise<Answer> {
    const slot = findSlot(charges)
    if (slot === undefined) return this.#store.take(charges)
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
    const rates = limits.filter((limit) => !isConcurrency(limit))
    const standings = [...await this.#store.peek(rates, partition)]
    return limits.map((limit) => {
      return (isConcurrency(limit) ? undefined : standings.shift()) ?? this.#counts.settle({ limit, partition, cost: 0 }, true, 0)
    })
  }

  adjust (adjustments: readonly Adjustment[]): void | Promise<void> {
    const rest = adjustments.filter(({ standing: { limit, partition }, units }) => {
      if (isConcurrency(limit) && units < 0) this.#counts.release(limit, partition, -units)
      return !isConcurrency(limit)
    })
    if (rest.length > 0) return this.#store.adjust(rest)
  }

  reset (limits: readonly Limit[], partition: string): number | Promise<number> {
    return this.#store.reset(limits.filter((limit) => !isConcurrency(limit)), partition)
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
    const isUnanswered = isUnavailable(answer)
    const isTaken = hasRoom && !isUnanswered && (answer.granted || (limit.mode === 'shadow' && answer.blocks.length === 0))
    if (hasRoom) this.#counts.release(limit, partition, cost)
    if (isUnanswered) return answer
    const standing = this.#counts.settle(slot, hasRoom, isTaken ? cost : 0)
    return { ...answer, granted: answer.granted && (hasRoom || limit.mode === 'shadow'), standings: [...answer.standings, standing] }
  }
}
