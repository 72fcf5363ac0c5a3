import type { FastifyRequest } from 'fastify'
import type { ExemptOptions } from '../config/schema/identity-schema.js'
import { createNetworks, type Networks } from './address/networks.js'
import type { FaultReporter } from '../common/log.js'

/** Who is not limited: clients by their full address, users by their id, and requests that the application picks. */
export class Exemptions {
  readonly #networks: Networks | null
  readonly #users: ReadonlySet<string>
  readonly #when: ((request: FastifyRequest) => unknown) | null
  readonly #faults: FaultReporter

  /** `place` of the option, for messages. Throws FST_SLUICE_BAD_OPTION. */
  constructor ({ ips = [], users = [], when: isExemptRequest }: ExemptOptions, place: string, faults: FaultReporter) {
    this.#networks = ips.length === 0 ? null : createNetworks(ips, `${place}.ips`)
    this.#users = new Set(users)
    this.#when = isExemptRequest ?? null
    this.#faults = faults
  }

  /** Whether no request needs to be identified for `hasUser`. */
  get hasNoUsers (): boolean {
    return this.#users.size === 0
  }

  /** Whether a client is exempt by its full address, never by its subnet. */
  hasAddress (address: string): boolean {
    return this.#networks !== null && this.#networks.has(address)
  }

  /** Whether a user is exempt. The id of a client of another kind is none of a user. */
  hasUser (id: string): boolean {
    return this.#users.has(id)
  }

  /** Whether the application picks the request. What is not said with `true` or `false`, in the same turn, is no. */
  isExemptRequest (request: FastifyRequest): boolean {
    if (this.#when === null) return false
    try {
      const result = this.#when(request)
      if (typeof result === 'boolean') return result
      // Its rejection would end the process.
      if (result instanceof Promise) result.catch(() => {})
      this.#faults.reportLazy('exempt', () => new TypeError(`expected exempt.when to answer true or false, got ${result instanceof Promise ? 'a promise' : typeof result}`))
    } catch (error) {
      this.#faults.report('exempt', error)
    }
    return false
  }
}
