import type { Check } from '../redis/batch.js'
import type { LeaseCharge } from '../redis/wire-format.js'
import type { Answer } from '../store.js'

/** The store that grants leases. */
export interface LeaseSource {
  take (charges: readonly LeaseCharge[]): Answer | Promise<Answer>
  /** Send a check that no request waits for, together with others. `withinUs`: it may wait for them for so long. */
  takeLater (check: Check, withinUs: number): void
  /** Send the checks of `takeLater` now. */
  flushLater (): void
}
