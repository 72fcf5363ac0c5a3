import type { RouteRateLimit } from './config/policy-schema.js'
import { optionWords } from './policies/option-words.js'
import { remember } from './policies/remember.js'

/** Different options that are kept. Who makes guards of ever new functions has more, and the oldest are forgotten. */
const MOST_GUARDS = 10_000

/**
 * The options of guards, which every new edition compiles before it is taken: one whose limits contradict a guard's must
 * be refused at the reload and not at the guard's next request. What is forgotten is compiled at that request.
 */
export class KnownGuards {
  /** By what the options say: a guard may be made anew for every request. */
  readonly #byWords = new Map<string, RouteRateLimit>()
  readonly #wordsOf = optionWords()

  get all (): Iterable<RouteRateLimit> {
    return this.#byWords.values()
  }

  add (options: RouteRateLimit): void {
    const words = this.#wordsOf(options)
    if (words === null || this.#byWords.has(words)) return
    remember(this.#byWords, words, options, MOST_GUARDS)
  }
}
