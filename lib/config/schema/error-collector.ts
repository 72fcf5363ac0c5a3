import { isLocated } from '../../errors.js'
import { formatPath } from './option-path.js'
import { type ConfigPath } from './option-path.js'

/** Mistakes that are told of one source of options. */
const MAX_ERRORS = 100

/** Takes a mistake: the way to the value from what is checked, and the error, told of the place that the value has. */
export type Report = (path: ConfigPath, createError: (place: string) => Error) => void

/** Throw the first mistake that a check tells. `place`: where the checked value is written. */
export function throwFirst (place: string, check: (report: Report) => void): void {
  check((path, createError) => { throw createError(formatPath(place, path)) })
}

/** Tell of what is in a value, for a check that knows the value only. */
export function reportAt (path: ConfigPath, report: Report): Report {
  return (inner, createError) => { report([...path, ...inner], createError) }
}

/** Tell what a check of one value throws. */
export function reportThrown (check: () => void, report: Report): void {
  try {
    check()
  } catch (error) {
    if (!isLocated(error)) throw error
    report([], (place) => error.relocated(place))
  }
}

interface ReportedError {
  readonly path: ConfigPath
  readonly error: Error
}

/** Collects what is wrong with one source of options: of each value and what is in it the first mistake, and 100 in all. */
export class ErrorCollector {
  /** Where the value at a path was written. */
  readonly locate: (path: ConfigPath) => string
  readonly #reported: ReportedError[] = []

  constructor (locate: (path: ConfigPath) => string) {
    this.locate = locate
  }

  /** Tell a mistake, unless one was told already of the same value, of what it is in, or of anything in it. */
  readonly report: Report = (path, createError) => {
    if (this.#reported.length < MAX_ERRORS && this.#isClean(path)) this.#reported.push({ path, error: createError(this.locate(path)) })
  }

  /** The errors, as they were told. */
  get errors (): readonly Error[] {
    return this.#reported.map(({ error }) => error)
  }

  /** The errors, in the order of what they are about. */
  sorted (compare: (a: ConfigPath, b: ConfigPath) => number): Error[] {
    return this.#reported.toSorted((a, b) => compare(a.path, b.path)).map(({ error }) => error)
  }

  #isClean (path: ConfigPath): boolean {
    return !this.#reported.some((reported) => isWithin(path, reported.path) || isWithin(reported.path, path))
  }
}

function isWithin (path: ConfigPath, outer: ConfigPath): boolean {
  return outer.every((step, index) => step === path[index])
}
