import type { ANONYMOUS } from '../../model/client.js'

/** The label of all names past a bound. No configured name can be equal to it. */
const OTHER = '(other)'

const anonymous: typeof ANONYMOUS = 'anonymous'

/**
 * Bounds the values of a label: the first `maxNames` names, and `(other)` for all later ones. Names are never removed,
 * because their counts are not either.
 */
export class BoundedLabels {
  readonly #names = new Set<string>()
  readonly #maxNames: number

  constructor (maxNames: number) {
    this.#maxNames = maxNames
  }

  get (name: string): string {
    if (this.#names.has(name)) return name
    if (this.#names.size >= this.#maxNames) return OTHER
    this.#names.add(name)
    return name
  }
}

/** A value for each label, created at first use. */
export class LabelCache<T> {
  readonly #names: BoundedLabels
  readonly #createValue: (name: string) => T
  readonly #values = new Map<string, T>()

  constructor (names: BoundedLabels, createValue: (name: string) => T) {
    this.#names = names
    this.#createValue = createValue
  }

  get (name: string): T {
    return this.#values.get(name) ?? this.#add(this.#names.get(name))
  }

  #add (name: string): T {
    const known = this.#values.get(name)
    if (known !== undefined) return known
    const value = this.#createValue(name)
    this.#values.set(name, value)
    return value
  }
}

/** A value for each tier. Most requests are anonymous, and need no look-up. */
export class TierCache<T> {
  readonly #anonymous: T
  readonly #others: LabelCache<T>

  constructor (names: BoundedLabels, createValue: (tier: string) => T) {
    this.#anonymous = createValue(anonymous)
    this.#others = new LabelCache(names, createValue)
  }

  get (tier: string): T {
    return tier === anonymous ? this.#anonymous : this.#others.get(tier)
  }
}
