import { isDeepStrictEqual } from 'node:util'
import type { FastifyInstance } from 'fastify'
import type { AddressReader } from './address/address-reader.js'
import { TrustedProxies } from './address/trusted-proxies.js'
import { Identifier } from './identifier.js'
import { warnAboutProxies } from './address/proxy-warnings.js'
import { checkTokenSupport } from './token-reader.js'
import type { Clock } from '../common/clock.js'
import type { ResolvedIdentify } from '../config/schema/identity-schema.js'
import type { ResolvedOptions } from '../config/schema/resolve-options.js'
import type { FaultLog } from '../common/log.js'
import { TokenFailures } from './token-failures.js'

/** What identifies clients. */
export interface IdentityServices {
  readonly identifier: Identifier
  /** `null`: Fastify derives the client's address. */
  readonly proxies: TrustedProxies | null
}

/** Builds the identifier for the current options. The limiter of failed tokens is kept across reloads. */
export class IdentityFactory {
  readonly #fastify: FastifyInstance
  readonly #identify: ResolvedIdentify
  readonly #addresses: AddressReader
  readonly #faults: FaultLog
  readonly #failures: TokenFailures | null
  #latest: IdentityServices & { readonly trustedProxies: ResolvedOptions['trustedProxies'] } | null = null

  constructor (fastify: FastifyInstance, { identify }: ResolvedOptions, addresses: AddressReader, clock: Clock, faults: FaultLog) {
    this.#fastify = fastify
    this.#identify = identify
    this.#addresses = addresses
    this.#faults = faults
    this.#failures = identify.jwt === false ? null : new TokenFailures(clock, identify.maxFailures)
  }

  /** The identifier for these options. Throws FST_SLUICE_BAD_OPTION. */
  build ({ trustedProxies }: Pick<ResolvedOptions, 'trustedProxies'>): IdentityServices {
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
