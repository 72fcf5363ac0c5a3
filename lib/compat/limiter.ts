import type { FastifyRequest } from 'fastify'
import { keyOf } from './client-key.js'
import type { Asked, Counter } from './counter.js'
import type { LimiterAnswer } from './options.js'
import type { Settings } from './settings.js'

/** What a limiter says, and what only those who answer the request need to know. */
export interface Verdict {
  readonly answer: LimiterAnswer
  /** `false` where the store was away and the request passes uncounted. */
  readonly isCounted: boolean
  /** Whether this request earned its client's ban. */
  readonly beganBan: boolean
}

/** One set of options with the counts that they are about. */
export class Limiter {
  readonly settings: Settings
  /** What its counts are called. */
  readonly name: string
  readonly #counter: Counter

  constructor (settings: Settings, name: string, counter: Counter) {
    this.settings = settings
    this.name = name
    this.#counter = counter
  }

  /**
   * Decide about a request; `isPeek`: without counting it. Rejects with what the application's own functions throw, and
   * with FST_SLUICE_UNAVAILABLE.
   */
  async assess (request: FastifyRequest, isPeek = false): Promise<Verdict> {
    const { keyGenerator, ipv6Subnet, allowList, max, windowMs } = this.settings
    const key = await keyOf(request, keyGenerator, ipv6Subnet)
    if (allowList !== null && await allowList(request, key)) {
      return { answer: { isAllowed: true, key }, isCounted: false, beganBan: false }
    }
    const asked: Asked = {
      key,
      max: typeof max === 'number' ? max : Math.trunc(await max(request, key)),
      // Round up: a limit never gets looser than it was written.
      windowMs: typeof windowMs === 'number' ? windowMs : Math.ceil(await windowMs(request, key))
    }
    const count = await this.#counter.count(request, asked, isPeek)
    const ttl = count?.ttlMs ?? 0
    return {
      answer: {
        isAllowed: false,
        key,
        max: count?.max ?? asked.max,
        timeWindow: count?.windowMs ?? asked.windowMs,
        remaining: count?.remaining ?? asked.max,
        ttl,
        ttlInSeconds: Math.ceil(ttl / 1000),
        isExceeded: count?.isExceeded ?? false,
        isBanned: count?.isBanned ?? false
      },
      isCounted: count !== null,
      beganBan: count?.beganBan ?? false
    }
  }
}
