import { isDeepStrictEqual } from 'node:util'
import type { FastifyInstance } from 'fastify'
import type { AddressReader } from './address/address-reader.js'
import { TrustedProxies } from './address/trusted-proxies.js'
import { Identifier } from './identifier.js'
import { warnAboutProxies } from './address/proxy-warnings.js'
import { checkTokenSupport, resolveTokenOptions } from './token-reader.js'
import type { Clock } from '../common/clock.js'
import type { RateLimitOptions } from '../config/schema/options-schema.js'
import type { FaultLog } from '../common/log.js'
import { TokenFailures } from './token-failures.js'

/** What identifies clients. */
export interface IdentityServices {
  readonly identifier: Identifier
  /** `null`: Fastify derives the client's address. */
  readonly proxies: TrustedProxies | null
}

const DEFAULT_MAX_FAILURES = 100

/** Builds the identifier for the current options. The limiter of failed tokens is kept across reloads. */
export class IdentityFactory {
  readonly #fastify: FastifyInstance
  readonly #identify: RateLimitOptions['identify']
  readonly #addresses: AddressReader
  readonly #faults: FaultLog
  readonly #failures: TokenFailures | null
  #latest: IdentityServices & { readonly trustedProxies: RateLimitOptions['trustedProxies'] } | null = null

  constructor (fastify: FastifyInstance, { identify }: RateLimitOptions, addresses: AddressReader, clock: Clock, faults: FaultLog) {
    this.#fastify = fastify
    this.#identify = identify
    this.#addresses = addresses
    this.#faults = faults
    const maxFailures = identify?.maxFailures ?? DEFAULT_MAX_FAILURES
    this.#failures = resolveTokenOptions(identify) === null ? null : new TokenFailures(clock, maxFailures)
  }

  /** The identifier for these options. Throws FST_SLUICE_BAD_OPTION. */
  build ({ trustedProxies }: RateLimitOptions): IdentityServices {
    if (this.#latest !== null && isDeepStrictEqual(this.#latest.trustedProxies, trustedProxies)) return this.#latest
    const proxies = trustedProxies === undefined ? null : new TrustedProxies(trustedProxies, 'rateLimit.trustedProxies')
    const identifier = new Identifier(this.#addresses, this.#faults, warnAboutProxies(this.#fastify, trustedProxies), {
      identify: this.#identify, failures: this.#failures, proxies
    })
    this.#latest = { identifier, proxies, trustedProxies }
    return this.#latest
  }

  /** Throws FST_SLUICE_NO_JWT if tokens cannot be verified. Call it when the application is ready. */
  check (): void {
    checkTokenSupport(this.#fastify, this.#identify)
  }

  close (): void {
    this.#failures?.close()
  }
}
