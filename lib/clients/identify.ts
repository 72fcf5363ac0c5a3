import type { FastifyRequest } from 'fastify'
import type { FaultLog } from '../observability/fault-log.js'
import type { Policy } from '../policies/policy.js'
import type { AddressReader } from './address.js'
import type { Client } from './client.js'
import { clientOfKey } from './key.js'
import { warnAboutForwarding } from './proxy-warnings.js'

/** How long a key may take before the address is counted instead, milliseconds. */
const KEY_DEADLINE_MS = 1000

/** A proxy forwards every request, so one that has not shown in so many is not there, and need not be looked for. */
const SUSPICIONS = 1000

/** Finds out who is asking. A key that cannot be had never makes a request free: its address is charged. */
export class Identifier {
  readonly #addresses: AddressReader
  readonly #faults: FaultLog
  /** Requests in which a forwarding header would still be a surprise worth a warning. */
  #suspicions: number

  constructor (addresses: AddressReader, faults: FaultLog, isForwardingUnexpected: boolean) {
    this.#addresses = addresses
    this.#faults = faults
    this.#suspicions = isForwardingUnexpected ? SUSPICIONS : 0
  }

  /** The client behind the request's address. */
  byAddress (request: FastifyRequest): Client {
    if (this.#suspicions > 0) this.#suspectForwarding(request)
    try {
      return this.#addresses.clientAt(request.ip)
    } catch (error) {
      // A trustProxy function of the application's own may throw.
      this.#faults.report('address', error)
      return this.#addresses.clientAt(undefined)
    }
  }

  /** The client as the policy sees it: its key if one is generated, else its address. */
  identify (request: FastifyRequest, policy: Policy): Client | Promise<Client> {
    return policy.keyGenerator === null ? this.byAddress(request) : this.#byKey(request, policy.keyGenerator)
  }

  #suspectForwarding (request: FastifyRequest): void {
    this.#suspicions--
    if (request.headers['x-forwarded-for'] === undefined) return
    this.#suspicions = 0
    warnAboutForwarding()
  }

  #byKey (request: FastifyRequest, keyGenerator: NonNullable<Policy['keyGenerator']>): Client | Promise<Client> {
    try {
      const key: unknown = keyGenerator(request)
      return isThenable(key) ? this.#whenSettled(request, key) : this.#clientOf(request, key)
    } catch (error) {
      return this.#refused(request, error)
    }
  }

  #whenSettled (request: FastifyRequest, pending: PromiseLike<unknown>): Promise<Client> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(this.#refused(request, new Error(`no key within ${KEY_DEADLINE_MS} ms`))), KEY_DEADLINE_MS)
      timer.unref()
      // Promise.resolve: a thenable's own `then` may throw.
      Promise.resolve(pending).then(
        (key) => { clearTimeout(timer); resolve(this.#clientOf(request, key)) },
        (error) => { clearTimeout(timer); resolve(this.#refused(request, error)) }
      )
    })
  }

  #clientOf (request: FastifyRequest, key: unknown): Client {
    if (typeof key === 'string' && key !== '') return clientOfKey(key)
    return this.#refused(request, new TypeError(`expected a key of 1 or more characters, got ${key === '' ? 'an empty one' : typeof key}`))
  }

  #refused (request: FastifyRequest, error: unknown): Client {
    this.#faults.report('keyGenerator', error)
    return this.byAddress(request)
  }
}

export function isThenable (value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
