import type { FastifyRequest } from 'fastify'
import { resolveKey } from './client-key.js'
import type { CountRequest, Counter } from './counter.js'
import type { LimiterAnswer } from './options.js'
import type { LimiterSettings } from './settings.js'

/** What a limiter says, and what only those who answer the request need to know. */
export interface LimiterResult {
  readonly answer: LimiterAnswer
  /** `false` where the store was away and the request passes uncounted. */
  readonly isCounted: boolean
  /** Whether this request earned its client's ban. */
  readonly hasStartedBan: boolean
}

/** One set of options with the counts that they are about. */
export class Limiter {
  readonly settings: LimiterSettings
  /** What its counts are called. */
  readonly name: string
  readonly #counter: Counter

  constructor (settings: LimiterSettings, name: string, counter: Counter) {
    this.settings = settings
    this.name = name
    this.#counter = counter
  }

  /**
   * Decide about a request; `isPeek`: without counting it. Rejects with what the application's own functions throw, and
   * with FST_SLUICE_UNAVAILABLE.
   */
  async assess (request: FastifyRequest, isPeek = false): Promise<LimiterResult> {
    const { keyGenerator, ipv6Subnet, allowList, max, windowMs } = this.settings
    const key = await resolveKey(request, keyGenerator, ipv6Subnet)
    if (allowList !== null && await allowList(request, key)) {
      return { answer: { isAllowed: true, key }, isCounted: false, hasStartedBan: false }
    }
    const countRequest: CountRequest = {
      key,
      max: typeof max === 'number' ? max : Math.trunc(await max(request, key)),
      // Round up: a limit never gets looser than it was written.
      windowMs: typeof windowMs === 'number' ? windowMs : Math.ceil(await windowMs(request, key))
    }
    const count = await this.#counter.count(request, countRequest, isPeek)
    const ttl = count?.ttlMs ?? 0
    return {
      answer: {
        isAllowed: false,
        key,
        max: count?.max ?? countRequest.max,
        timeWindow: count?.windowMs ?? countRequest.windowMs,
        remaining: count?.remaining ?? countRequest.max,
        ttl,
        ttlInSeconds: Math.ceil(ttl / 1000),
        isExceeded: count?.isExceeded ?? false,
        isBanned: count?.isBanned ?? false
      },
      isCounted: count !== null,
      hasStartedBan: count?.hasStartedBan ?? false
    }
  }
}
