import type { ConfigPath } from './layer.js'

/** Mistakes that are told of one source of options. */
const MOST_TOLD = 100

interface Mistake {
  readonly path: ConfigPath
  readonly error: Error
}

/** Collects what is wrong with one source of options: of each value and what is in it the first mistake, and 100 in all. */
export class Mistakes {
  /** Where the value at a path was written. */
  readonly placeOf: (path: ConfigPath) => string
  readonly #told: Mistake[] = []

  constructor (placeOf: (path: ConfigPath) => string) {
    this.placeOf = placeOf
  }

  /** Tell a mistake, unless one was told already of the same value, of what it is in, or of anything in it. */
  tell (path: ConfigPath, errorAt: (place: string) => Error): void {
    if (this.#told.length < MOST_TOLD && this.isClean(path)) this.#told.push({ path, error: errorAt(this.placeOf(path)) })
  }

  /** Whether nothing was told of a value, of what it is in, or of anything in it. */
  isClean (path: ConfigPath): boolean {
    return !this.#told.some((mistake) => isWithin(path, mistake.path) || isWithin(mistake.path, path))
  }

  /** The errors, in the order of what they are about. */
  sorted (compare: (a: ConfigPath, b: ConfigPath) => number): Error[] {
    return this.#told.toSorted((a, b) => compare(a.path, b.path)).map(({ error }) => error)
  }
}

function isWithin (path: ConfigPath, outer: ConfigPath): boolean {
  // A tier may be called "1", and a path that was read from text does not know that from an index.
  return outer.every((step, index) => String(step) === String(path[index]))
}
