import type { FastifyRequest } from 'fastify'
import { createAddressKey, resolveKey, toKeyText } from './client-key.js'
import type { CountRequest, Counter } from './counter.js'
import { toMax, toWindowMs } from './function-results.js'
import type { CompatFaults } from './faults.js'
import type { LimiterAnswer } from './options.js'
import type { LimiterSettings } from './settings.js'

/** A limiter's public answer, and two facts for the hook. */
export interface LimiterResult {
  readonly answer: LimiterAnswer
  /** `false` if the store was unavailable and the request passes uncounted. */
  readonly isCounted: boolean
  /** Whether this request started a ban. */
  readonly hasStartedBan: boolean
}

/** One set of options and its counts. */
export class Limiter {
  readonly settings: LimiterSettings
  /** The name of its counts. */
  readonly name: string
  readonly #counter: Counter
  readonly #faults: CompatFaults

  constructor (settings: LimiterSettings, name: string, counter: Counter, faults: CompatFaults) {
    this.settings = settings
    this.name = name
    this.#counter = counter
    this.#faults = faults
  }

  /**
   * Decides about a request; with `isPeek`, without counting it. Rejects with the errors of the application's functions,
   * and with FST_SLUICE_UNAVAILABLE.
   */
  async assess (request: FastifyRequest, isPeek = false): Promise<LimiterResult> {
    const { keyGenerator, ipv6Subnet, allowList, max, windowMs } = this.settings
    const given = await resolveKey(request, keyGenerator, ipv6Subnet)
    // The original's types promise text, and callbacks receive what the generator returned: a number stays one.
    const key = given as string
    if (allowList !== null && await allowList(request, given)) {
      return { answer: { isAllowed: true, key }, isCounted: false, hasStartedBan: false }
    }
    const keyText = toKeyText(given)
    const countRequest: CountRequest = {
      key: keyText,
      storeKey: keyText === '' ? createAddressKey(request, ipv6Subnet) : given,
      max: typeof max === 'number' ? max : toMax(await max(request, key), this.#faults),
      windowMs: typeof windowMs === 'number' ? windowMs : toWindowMs(await windowMs(request, key), this.#faults)
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
