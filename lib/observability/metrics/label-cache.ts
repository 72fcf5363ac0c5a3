import type { ANONYMOUS } from '../../model/client.js'

/** What stands for all names past a bound. Nothing that is configured can have this name. */
const OTHER = '(other)'

const anonymous: typeof ANONYMOUS = 'anonymous'

/**
 * The values that a label may take: the first so many names, and `(other)` for all that come later. They stay for good,
 * as the counts under them do.
 */
export class LabelNames {
  readonly #names = new Set<string>()
  readonly #most: number

  constructor (most: number) {
    this.#most = most
  }

  admit (name: string): string {
    if (this.#names.has(name)) return name
    if (this.#names.size >= this.#most) return OTHER
    this.#names.add(name)
    return name
  }
}

/** Something for each value of a label, made when it is first asked for. */
export class ByName<T> {
  readonly #names: LabelNames
  readonly #make: (name: string) => T
  readonly #made = new Map<string, T>()

  constructor (names: LabelNames, make: (name: string) => T) {
    this.#names = names
    this.#make = make
  }

  of (name: string): T {
    return this.#made.get(name) ?? this.#admit(this.#names.admit(name))
  }

  #admit (name: string): T {
    const known = this.#made.get(name)
    if (known !== undefined) return known
    const made = this.#make(name)
    this.#made.set(name, made)
    return made
  }
}

/** Something for each tier. Most requests are of nobody in particular, and need no look-up. */
export class ByTier<T> {
  readonly #anonymous: T
  readonly #others: ByName<T>

  constructor (names: LabelNames, make: (tier: string) => T) {
    this.#anonymous = make(anonymous)
    this.#others = new ByName(names, make)
  }

  of (tier: string): T {
    return tier === anonymous ? this.#anonymous : this.#others.of(tier)
  }
}
