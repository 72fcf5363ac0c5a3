import { isPlaced } from '../../errors.js'
import { textOfPath } from './option-path.js'
import { type ConfigPath } from './option-path.js'

/** Mistakes that are told of one source of options. */
const MOST_TOLD = 100

/** Takes a mistake: the way to the value from what is checked, and the error, told of the place that the value has. */
export type Tell = (path: ConfigPath, errorAt: (place: string) => Error) => void

/** Throw the first mistake that a check tells. `place`: where the checked value is written. */
export function throwFirst (place: string, check: (tell: Tell) => void): void {
  check((path, errorAt) => { throw errorAt(textOfPath(place, path)) })
}

/** Tell of what is in a value, for a check that knows the value only. */
export function tellIn (path: ConfigPath, tell: Tell): Tell {
  return (inner, errorAt) => { tell([...path, ...inner], errorAt) }
}

/** Tell what a check of one value throws. */
export function tellThrown (check: () => void, tell: Tell): void {
  try {
    check()
  } catch (error) {
    if (!isPlaced(error)) throw error
    tell([], (place) => error.at(place))
  }
}

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
  readonly tell: Tell = (path, errorAt) => {
    if (this.#told.length < MOST_TOLD && this.#isClean(path)) this.#told.push({ path, error: errorAt(this.placeOf(path)) })
  }

  /** The errors, as they were told. */
  get errors (): readonly Error[] {
    return this.#told.map(({ error }) => error)
  }

  /** The errors, in the order of what they are about. */
  sorted (compare: (a: ConfigPath, b: ConfigPath) => number): Error[] {
    return this.#told.toSorted((a, b) => compare(a.path, b.path)).map(({ error }) => error)
  }

  #isClean (path: ConfigPath): boolean {
    return !this.#told.some((mistake) => isWithin(path, mistake.path) || isWithin(mistake.path, path))
  }
}

function isWithin (path: ConfigPath, outer: ConfigPath): boolean {
  return outer.every((step, index) => step === path[index])
}
