import { isConcurrency, type Adjustment, type Receipt, type Standing, type Store } from '../stores/store.js'

/** What changed one charge after its decision. */
interface Correction {
  /** Units that were returned, at most those of the charge. */
  refunded: number
  /** Units that were charged besides. */
  added: number
  /** Whether it is known what was used: nothing is refunded any more. */
  isSettled: boolean
}

/** Computes units for the charge of a standing: more than 0 charges, less than 0 refunds. */
type ComputeUnits = (standing: Standing, correction: Correction) => number

/** Corrects the charges of one receipt: all of them in one call to the store that charged them. */
export class Corrections {
  readonly #receipt: Receipt
  readonly #store: Store
  readonly #corrections: readonly Correction[]

  constructor (receipt: Receipt, store: Store) {
    this.#receipt = receipt
    this.#store = store
    this.#corrections = receipt.standings.map(() => ({ refunded: 0, added: 0, isSettled: false }))
  }

  /** The units that are left in the limit of a standing after all corrections. */
  computeRemaining (standing: Standing): number {
    const { refunded, added } = this.#corrections[this.#receipt.standings.indexOf(standing)]
    if (refunded === 0 && added === 0) return standing.remaining
    return Math.max(0, Math.min(standing.limit.capacity, standing.remaining + refunded - added))
  }

  /** Charge more units in every limit. */
  charge (computeUnits: (standing: Standing) => number): void | Promise<void> {
    return this.#adjust(computeUnits)
  }

  /** Refund at most `units` in each limit. */
  refund (units: number): void | Promise<void> {
    return this.#adjust((standing, correction) => -Math.min(units, findReserved(standing, correction)))
  }

  /** Replace the units that were taken by those that were used: each limit once, and only where the request was granted. */
  settle (used: ReadonlyMap<string, number>): void | Promise<void> {
    const { granted } = this.#receipt
    return this.#adjust((standing, correction) => {
      const units = used.get(standing.limit.name)
      if (units === undefined || correction.isSettled || !granted || !standing.granted) return 0
      const { refunded } = correction
      correction.isSettled = true
      return units + refunded - standing.charged
    })
  }

  /** Refund the limits of these names, as far as they are not settled. */
  refundUnsettled (names: ReadonlySet<string>): void | Promise<void> {
    return this.#adjust((standing, correction) => names.has(standing.limit.name) ? -findReserved(standing, correction) : 0)
  }

  /** Refund everything, in a token bucket only if no later request was charged. */
  refundLast (): void | Promise<void> {
    return this.#adjust((standing, correction) => -findReserved(standing, correction), { onlyIfLast: true })
  }

  #adjust (computeUnits: ComputeUnits, terms: Pick<Adjustment, 'onlyIfLast'> = {}): void | Promise<void> {
    const { atUs, standings } = this.#receipt
    const adjustments: Adjustment[] = []
    for (const [index, standing] of standings.entries()) {
      // A slot is given back by `release`, and by nothing else.
      if (isConcurrency(standing.limit)) continue
      const correction = this.#corrections[index]
      const units = computeUnits(standing, correction)
      if (units === 0) continue
      if (units > 0) correction.added += units
      else correction.refunded -= units
      adjustments.push({ standing, atUs: standing.atUs ?? atUs, units, ...terms })
    }
    if (adjustments.length > 0) return this.#store.adjust(adjustments)
  }
}

/** The units of a charge that can still be refunded. */
function findReserved ({ charged }: Standing, { refunded, isSettled }: Correction): number {
  return isSettled ? 0 : charged - refunded
}
