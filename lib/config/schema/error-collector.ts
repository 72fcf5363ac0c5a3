import { isLocated } from '../../errors.js'
import { formatPath, type ConfigPath } from './option-path.js'

/** Errors collected for one source of options. */
const MAX_ERRORS = 100

/** Receives an error: the path of the value below the checked value, and a function that creates the error for a place. */
export type Report = (path: ConfigPath, createError: (place: string) => Error) => void

/** Throw the first error that a check reports. `place`: where the checked value is written. */
export function throwFirst (place: string, check: (report: Report) => void): void {
  check((path, createError) => { throw createError(formatPath(place, path)) })
}

/** Prefix the paths of a check that knows only the value at `path`. */
export function reportAt (path: ConfigPath, report: Report): Report {
  return (inner, createError) => { report([...path, ...inner], createError) }
}

/** Report the error that a check of one value throws. */
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

/** Collects the errors of one source of options: the first error of each value and its contents, at most 100 in total. */
export class ErrorCollector {
  /** Where the value at a path was written. */
  readonly locate: (path: ConfigPath) => string
  readonly #reported: ReportedError[] = []

  constructor (locate: (path: ConfigPath) => string) {
    this.locate = locate
  }

  /** Add an error, unless the same value, a value around it or a value in it already has one. */
  readonly report: Report = (path, createError) => {
    if (this.#reported.length < MAX_ERRORS && this.#isClean(path)) {
      this.#reported.push({ path, error: createError(this.locate(path)) })
    }
  }

  /** The errors, in the order of the reports. */
  get errors (): readonly Error[] {
    return this.#reported.map(({ error }) => error)
  }

  /** The errors, sorted by the paths of their values. */
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
