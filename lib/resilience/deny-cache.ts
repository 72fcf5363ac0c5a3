import type { Clock } from '../clock.js'
import { isUnavailable, type Adjustment, type Answer, type Charge, type Limit, type Receipt, type Standing, type Store } from '../stores/store.js'

/** Longest time for which a refusal is believed without asking: another instance's reset or refund takes hold then. */
const LONGEST_US = 1_000_000

/** Refusals remembered per generation; two generations are kept. */
const GENERATION = 10_000

/** A refusal as the store gave it. */
interface Denial {
  readonly receipt: Receipt
  readonly cost: number
  readonly sinceUs: number
  readonly untilUs: number
}

/**
 * Answers clients that were refused without asking the store again, so that an attack costs it nothing. A refusal is
 * known by the limits (a new version of a policy has new ones) and the partition, and holds for what costs as much or
 * more. Requests that charge several partitions, or try a limit in shadow mode, always go to the store.
 */
export class DenyCache implements Store {
  readonly kind: string
  readonly #store: Store
  readonly #clock: Clock
  #young = new Map<string, Map<Limit, Denial>>()
  #old = new Map<string, Map<Limit, Denial>>()
  #size = 0

  constructor (store: Store, clock: Clock) {
    this.kind = store.kind
    this.#store = store
    this.#clock = clock
  }

  take (charges: readonly Charge[]): Answer | Promise<Answer> {
    if (!isCacheable(charges)) return this.#store.take(charges)
    const denial = this.#denialOf(charges)
    if (denial !== null) return denial
    const answer = this.#store.take(charges)
    return answer instanceof Promise
      ? answer.then((settled) => this.#remember(charges, settled))
      : this.#remember(charges, answer)
  }

  peek (limits: readonly Limit[], partition: string): readonly Standing[] | Promise<readonly Standing[]> {
    return this.#store.peek(limits, partition)
  }

  async adjust (adjustments: readonly Adjustment[]): Promise<void> {
    await this.#store.adjust(adjustments)
    for (const { standing } of adjustments) this.#forget(standing.partition)
  }

  async reset (limits: readonly Limit[], partition: string): Promise<number> {
    const forgotten = await this.#store.reset(limits, partition)
    this.#forget(partition)
    return forgotten
  }

  async ping (): Promise<void> {
    await this.#store.ping()
  }

  close (): void | Promise<void> {
    return this.#store.close()
  }

  #denialOf (charges: readonly Charge[]): Receipt | null {
    const [{ limit, partition, cost }] = charges
    const denial = this.#young.get(partition)?.get(limit) ?? this.#old.get(partition)?.get(limit)
    if (denial === undefined || cost < denial.cost) return null
    const nowUs = this.#clock.nowUs()
    return nowUs < denial.untilUs ? aged(denial, nowUs - denial.sinceUs) : null
  }

  #remember (charges: readonly Charge[], answer: Answer): Answer {
    if (isUnavailable(answer) || answer.granted) return answer
    const waitUs = longestWait(answer)
    if (waitUs <= 0) return answer
    const [{ limit, partition, cost }] = charges
    const sinceUs = this.#clock.nowUs()
    const denial = { receipt: answer, cost, sinceUs, untilUs: sinceUs + Math.min(waitUs, LONGEST_US) }
    if (this.#size >= GENERATION) {
      this.#old = this.#young
      this.#young = new Map()
      this.#size = 0
    }
    let ofPartition = this.#young.get(partition)
    if (ofPartition === undefined) {
      ofPartition = new Map()
      this.#young.set(partition, ofPartition)
    }
    if (!ofPartition.has(limit)) this.#size++
    ofPartition.set(limit, denial)
    return answer
  }

  #forget (partition: string): void {
    this.#size -= this.#young.get(partition)?.size ?? 0
    this.#young.delete(partition)
    this.#old.delete(partition)
  }
}

function isCacheable (charges: readonly Charge[]): boolean {
  for (let i = 0; i < charges.length; i++) {
    if (charges[i].limit.mode === 'shadow' || charges[i].partition !== charges[0].partition) return false
  }
  return true
}

/** The wait after which the whole request may pass; a request that no wait helps is refused for good. */
function longestWait ({ standings }: Receipt): number {
  return standings.reduce((longest, { retryUs }) => Math.max(longest, retryUs === 'never' ? Infinity : retryUs), 0)
}

/** The refusal as it stands some time later: waits and resets are over by that much. */
function aged ({ receipt }: Denial, ageUs: number): Receipt {
  return {
    granted: false,
    atUs: receipt.atUs + ageUs,
    standings: receipt.standings.map((standing) => ({
      ...standing,
      resetUs: Math.max(0, standing.resetUs - ageUs),
      retryUs: standing.retryUs === 'never' ? 'never' : Math.max(0, standing.retryUs - ageUs)
    }))
  }
}
