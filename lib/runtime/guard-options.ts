import type { RouteRateLimit } from '../config/schema/policy-schema.js'
import { createOptionsKeyFunction } from '../policies/options-key.js'
import { GenerationCache } from '../common/generation-cache.js'

/** Distinct options per cache generation. Guards built repeatedly from new functions exceed it: the oldest are evicted. */
const CAPACITY = 5000

/**
 * The options of all guards. Every new snapshot compiles them before it becomes current. A reload is thus rejected if its
 * limits contradict those of a guard; else the error would appear at the guard's next request. Evicted options are
 * compiled at that request.
 */
export class GuardOptionsRegistry {
  /** By the content of the options: the application may create a new guard for every request. */
  readonly #byKey = new GenerationCache<string, RouteRateLimit>(CAPACITY)
  readonly #keyFor = createOptionsKeyFunction()

  add (options: RouteRateLimit): void {
    const key = this.#keyFor(options)
    if (key === null || this.#byKey.get(key) !== undefined) return
    this.#byKey.set(key, options)
  }

  * all (): Generator<RouteRateLimit> {
    for (const [, options] of this.#byKey.entries()) yield options
  }
}
