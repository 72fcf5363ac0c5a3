import type { RouteRateLimit } from '../config/schema/policy-schema.js'
import { createOptionsKeyFunction } from '../policies/options-key.js'
import { GenerationCache } from '../common/generation-cache.js'

/** Different options per generation. Guards built again and again from new functions have more: the oldest are dropped. */
const CAPACITY = 5000

/**
 * The options of guards, which every new snapshot compiles before it is taken: one whose limits contradict a guard's must
 * be refused at the reload and not at the guard's next request. What is forgotten is compiled at that request.
 */
export class GuardOptionsRegistry {
  /** By what the options say: a guard may be made anew for every request. */
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
