import type { FastifyRequest } from 'fastify'
import { requireDurationMs } from '../config/schema/check.js'
import type { ResolvedIdentify } from '../config/schema/identity-schema.js'
import type { KeyGenerator } from '../config/schema/functions.js'
import type { Phase } from '../config/schema/policy-schema.js'
import { UNKNOWN, isAddress, type AddressReader } from './address/address-reader.js'
import { findPeer, isInjected } from './address/peer.js'
import type { Client } from '../model/client.js'
import type { FaultReporter } from '../common/log.js'
import type { TrustedProxies } from './address/trusted-proxies.js'
import { parseUserId } from './claims.js'
import { createKeyClient } from './partition.js'
import { TimeBudget } from '../common/time-budget.js'
import { warnAboutForwarding } from './address/proxy-warnings.js'
import { isThenable } from '../common/type-guards.js'
import type { FailureLimiter } from './token-reader.js'
import { Users } from './users.js'

/** Requests to check for a forwarding header. A proxy forwards every request, so one not seen by then does not exist. */
const PROXY_CHECKS = 1000

/** The parts of a policy that identify its clients. */
interface IdentityPolicy {
  readonly hook: Phase
  readonly keyGenerator: KeyGenerator | null
}

/** Sources of an identity, beside keys and the address that Fastify derives. */
export interface IdentitySources {
  /** Without `custom` and `jwt` there are no users. */
  readonly identify: ResolvedIdentify
  /** Limits invalid tokens. Required with `identify.jwt`. */
  readonly failures?: FailureLimiter | null
  /** Without them, `request.ip` is the client's address. */
  readonly proxies?: TrustedProxies | null
}

/** What deciding a request needs to know of its client. */
export type ClientIdentifier = Pick<Identifier, 'identifyByAddress' | 'getAddress' | 'identify' | 'deadlineMs'>

/**
 * Identifies the client: the user, else the policy's key, else the address. A source that fails or is late does not make
 * a request free: the address is charged then.
 */
export class Identifier {
  readonly #addresses: AddressReader
  readonly #faults: FaultReporter
  readonly #users: Users | null
  readonly #proxies: TrustedProxies | null
  /** How long a function of the application may take that returns a promise, milliseconds. */
  readonly deadlineMs: number
  /** Requests that are still checked for an unexpected forwarding header. */
  #proxyChecksLeft: number

  constructor (addresses: AddressReader, faults: FaultReporter, isForwardingUnexpected: boolean, sources: IdentitySources) {
    const { identify, failures = null, proxies = null } = sources
    const hasUsers = identify.custom !== undefined || identify.jwt !== false
    this.#addresses = addresses
    this.#faults = faults
    this.#users = hasUsers ? new Users(identify, failures, faults, (request) => this.identifyByAddress(request).id) : null
    this.#proxies = proxies
    this.deadlineMs = requireDurationMs(identify.deadline, 'rateLimit.identify.deadline')
    this.#proxyChecksLeft = isForwardingUnexpected ? PROXY_CHECKS : 0
  }

  /** Whether requests may belong to users. */
  get hasUsers (): boolean {
    return this.#users !== null
  }

  /** The client behind the request's address. */
  identifyByAddress (request: FastifyRequest): Client {
    if (this.#proxyChecksLeft > 0) this.#checkForwarding(request)
    return this.#addresses.toClient(this.#readAddress(request))
  }

  /** The client's full address as received; `unknown` without one. */
  getAddress (request: FastifyRequest): string {
    const text = this.#readAddress(request)
    return text !== undefined && isAddress(text) ? text : UNKNOWN
  }

  /** The client under this policy. A promise of it never rejects, and takes no longer than the deadline. */
  identify (request: FastifyRequest, policy: IdentityPolicy): Client | Promise<Client> {
    if (this.#users === null && policy.keyGenerator === null) return this.identifyByAddress(request)
    const budget = new TimeBudget(this.deadlineMs)
    const user = this.#users === null ? null : this.#users.findUser(request, policy.hook, budget)
    const client = user instanceof Promise
      ? user.then((found) => found ?? this.#identifyByKey(request, policy, budget))
      : user ?? this.#identifyByKey(request, policy, budget)
    return client instanceof Promise ? client.finally(() => budget.stop()) : client
  }

  /** The user, as far as it is known before the hook of the policy; `null` for none. Failures of `custom` are not reported. */
  findUserEarly (request: FastifyRequest): Client | null | Promise<Client | null> {
    if (this.#users === null) return null
    const budget = new TimeBudget(this.deadlineMs)
    const user = this.#users.findUser(request, 'early', budget)
    return user instanceof Promise ? user.finally(() => budget.stop()) : user
  }

  #readAddress (request: FastifyRequest): string | undefined {
    if (this.#proxies !== null) return this.#proxies.findAddress(request)
    try {
      const address: string | undefined = request.ip
      return address ?? this.#readPeer(request)
    } catch (error) {
      // The application's trustProxy function may throw.
      this.#faults.report('address', error)
      return undefined
    }
  }

  /** The address that a connection had before it was reset. */
  #readPeer (request: FastifyRequest): string | undefined {
    const peer = findPeer(request)
    return typeof peer === 'string' ? peer : undefined
  }

  #checkForwarding (request: FastifyRequest): void {
    this.#proxyChecksLeft--
    // Without a connection there is no proxy: the adapter sets the address.
    if (request.headers['x-forwarded-for'] === undefined || isInjected(request)) return
    this.#proxyChecksLeft = 0
    warnAboutForwarding()
  }

  #identifyByKey (request: FastifyRequest, { keyGenerator }: IdentityPolicy, budget: TimeBudget): Client | Promise<Client> {
    if (keyGenerator === null) return this.identifyByAddress(request)
    try {
      const key: unknown = keyGenerator(request)
      return isThenable(key)
        ? budget.race(key, 'key').then((settled) => this.#toClient(request, settled), (error) => this.#fallBackToAddress(request, error))
        : this.#toClient(request, key)
    } catch (error) {
      return this.#fallBackToAddress(request, error)
    }
  }

  #toClient (request: FastifyRequest, key: unknown): Client {
    const text = parseUserId(key)
    if (text !== null) return createKeyClient(text)
    // Lazy: requests without the header that the key comes from are common, and an error's stack costs more than the rest.
    this.#faults.reportLazy('keyGenerator', () =>
      new TypeError(`expected a key of 1 or more characters, or a number, got ${describeKey(key)}`))
    return this.identifyByAddress(request)
  }

  #fallBackToAddress (request: FastifyRequest, error: unknown): Client {
    this.#faults.report('keyGenerator', error)
    return this.identifyByAddress(request)
  }
}

/** Never the text of a key: it may be a secret. */
function describeKey (key: unknown): string {
  return key === '' ? 'an empty one' : typeof key === 'number' ? String(key) : typeof key
}
