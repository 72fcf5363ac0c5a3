import type { RouteRateLimit } from '../config/schema/policy-schema.js'
import { optionWords } from '../policies/options-key.js'
import { GenerationCache } from '../common/generation-cache.js'

/** Different options per generation. Guards built again and again from new functions have more: the oldest are dropped. */
const CAPACITY = 5000

/**
 * The options of guards, which every new snapshot compiles before it is taken: one whose limits contradict a guard's must
 * be refused at the reload and not at the guard's next request. What is forgotten is compiled at that request.
 */
export class KnownGuards {
  /** By what the options say: a guard may be made anew for every request. */
  readonly #byWords = new GenerationCache<string, RouteRateLimit>(CAPACITY)
  readonly #wordsOf = optionWords()

  add (options: RouteRateLimit): void {
    const words = this.#wordsOf(options)
    if (words === null || this.#byWords.get(words) !== undefined) return
    this.#byWords.set(words, options)
  }

  * all (): Generator<RouteRateLimit> {
    for (const [, options] of this.#byWords.entries()) yield options
  }
}
