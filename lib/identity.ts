import type { FastifyInstance } from 'fastify'
import type { AddressReader } from './clients/address.js'
import { Exemptions } from './clients/exemptions.js'
import { TrustedProxies } from './clients/forwarded.js'
import { Identifier } from './clients/identify.js'
import { warnAboutProxies } from './clients/proxy-warnings.js'
import { TierNames } from './clients/tiers.js'
import { checkTokenSupport, tokenOptionsOf } from './clients/token.js'
import type { Clock } from './clock.js'
import type { RateLimitOptions } from './config/schema.js'
import type { FaultLog } from './observability/fault-log.js'
import { TokenFailures } from './token-failures.js'

/** What tells who is asking, and who is not limited. */
export interface IdentityParts {
  readonly identifier: Identifier
  /** `null` where nobody is exempt. */
  readonly exemptions: Exemptions | null
  readonly tiers: TierNames
  /** `null`: Fastify says what a client's address is. */
  readonly proxies: TrustedProxies | null
  /** Throws FST_SLUICE_NO_JWT where tokens cannot be verified. To be asked when the application is ready. */
  check (): void
  close (): void
}

const DEFAULT_TIER = 'standard'
const MAX_FAILURES = 100

/** Throws FST_SLUICE_BAD_OPTION. */
export function buildIdentity (fastify: FastifyInstance, options: RateLimitOptions, addresses: AddressReader, clock: Clock, faults: FaultLog): IdentityParts {
  const { identify, trustedProxies, exempt } = options
  const failures = tokenOptionsOf(identify) === null ? null : new TokenFailures(clock, identify?.maxFailures ?? MAX_FAILURES)
  const proxies = trustedProxies === undefined ? null : new TrustedProxies(trustedProxies, 'rateLimit.trustedProxies')
  return {
    identifier: new Identifier(addresses, faults, warnAboutProxies(fastify, trustedProxies), { identify, failures, proxies }),
    exemptions: exempt === undefined ? null : new Exemptions(exempt, 'rateLimit.exempt', faults),
    tiers: new TierNames(identify?.defaultTier ?? DEFAULT_TIER),
    proxies,
    check () { checkTokenSupport(fastify, identify) },
    close () { failures?.close() }
  }
}
