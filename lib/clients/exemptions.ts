import type { FastifyRequest } from 'fastify'
import type { ExemptOptions } from '../config/schema/identity-schema.js'
import { createNetworks, type Networks } from './address/networks.js'
import type { FaultReporter } from '../common/log.js'
import { waitFor } from '../common/time-budget.js'
import { isThenable } from '../common/type-guards.js'

/** What is not limited: clients by full address, users by id, and requests that the application selects. */
export class Exemptions {
  readonly #networks: Networks | null
  readonly #users: ReadonlySet<string>
  readonly #when: ((request: FastifyRequest) => unknown) | null
  readonly #faults: FaultReporter
  readonly #deadlineMs: number

  /** `place`: the option's path, for messages. `deadlineMs`: for a promise of `when`. Throws FST_SLUICE_BAD_OPTION. */
  constructor ({ ips = [], users = [], when }: ExemptOptions, place: string, faults: FaultReporter, deadlineMs: number) {
    this.#networks = ips.length === 0 ? null : createNetworks(ips, `${place}.ips`)
    this.#users = new Set(users)
    this.#when = when ?? null
    this.#faults = faults
    this.#deadlineMs = deadlineMs
  }

  /** Whether the list of users is empty, so that `hasUser` needs no identified request. */
  get hasNoUsers (): boolean {
    return this.#users.size === 0
  }

  /** Whether a client is exempt by its full address, never by its subnet. */
  hasAddress (address: string): boolean {
    return this.#networks !== null && this.#networks.has(address)
  }

  /** Whether a user is exempt. Pass the ids of users only, not those of other kinds of client. */
  hasUser (id: string): boolean {
    return this.#users.has(id)
  }

  /** Whether `when` exempts the request. Any other answer than `true` or `false` is reported and means `false`. A promise never rejects. */
  isExemptRequest (request: FastifyRequest, faults = this.#faults): boolean | Promise<boolean> {
    if (this.#when === null) return false
    try {
      const result = this.#when(request)
      return isThenable(result) ? this.#settle(result, faults) : toExempt(result, faults)
    } catch (error) {
      faults.report('exempt', error)
      return false
    }
  }

  async #settle (pending: PromiseLike<unknown>, faults: FaultReporter): Promise<boolean> {
    try {
      return toExempt(await waitFor(pending, this.#deadlineMs, 'result from exempt.when'), faults)
    } catch (error) {
      faults.report('exempt', error)
      return false
    }
  }
}

function toExempt (result: unknown, faults: FaultReporter): boolean {
  if (typeof result === 'boolean') return result
  faults.reportLazy('exempt', () => new TypeError(`expected exempt.when to return true or false, got ${typeof result}`))
  return false
}
