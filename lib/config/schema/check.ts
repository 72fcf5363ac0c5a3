import type { Static, TSchema } from '@sinclair/typebox'
import { Value, ValueErrorType, type ValueError } from '@sinclair/typebox/value'
import { FST_SLUICE_BAD_OPTION, FST_SLUICE_UNKNOWN_OPTION } from '../../errors.js'
import type { ConfigPath } from './option-path.js'
import { throwFirst, type Tell } from './error-collector.js'
import { nearest } from './suggest.js'
import { NAME_EXPECTED } from './option-types.js'
import { meantBy } from './suggest.js'

/** Mistakes that are told at once. */
const MOST_TOLD = 100

/**
 * Hold options against their schema.
 *
 * Throws FST_SLUICE_UNKNOWN_OPTION or FST_SLUICE_BAD_OPTION with the place (`rateLimit.limits[1].max`), what was
 * expected and what was found.
 */
export function checkOptions<T extends TSchema> (schema: T, value: unknown, place: string): asserts value is Static<T> {
  throwFirst(place, (tell) => tellSchemaMistakes(schema, value, tell))
}

/** Tell what is wrong with a value by its schema: in the value's own order, 100 mistakes at most. */
export function tellSchemaMistakes (schema: TSchema, value: unknown, tell: Tell): void {
  const told = new Set<string>()
  for (const outer of Value.Errors(schema, value)) {
    for (const problem of insideUnion(outer)) {
      // One value may offend in several ways; the first is the plainest.
      if (told.has(problem.path)) continue
      told.add(problem.path)
      tellProblem(problem, pathOf(problem, value), tell)
      if (told.size === MOST_TOLD) return
    }
  }
}

/** A wrong value, for checks that a schema cannot express. */
export function badOption (place: string, expected: string, value: unknown): Error {
  return new FST_SLUICE_BAD_OPTION(place, expected, printed(value))
}

function tellProblem (problem: ValueError, path: ConfigPath, tell: Tell): void {
  if (problem.type !== ValueErrorType.ObjectAdditionalProperties) {
    return tell(path, (place) => badOption(place, problem.schema.expected ?? problem.message, problem.value))
  }
  const key = String(path[path.length - 1])
  // The keys of a record are names of the application's own, and this one is none.
  if (problem.schema.properties === undefined) return tell(path.slice(0, -1), (place) => badOption(place, NAME_EXPECTED, key))
  const known = Object.keys(problem.schema.properties)
  const meant = meantBy(key, known) ?? nearest(key, known)
  tell(path, (place) => new FST_SLUICE_UNKNOWN_OPTION(place, meant === null ? '' : `, did you mean "${meant}"?`))
}

/** The mistakes in the fields, where a value is an object that one of the alternatives describes; else the one of the value. */
function * insideUnion (problem: ValueError): Generator<ValueError> {
  if (problem.type === ValueErrorType.Union) {
    for (const errors of problem.errors) {
      const first = errors.First()
      if (first === undefined || first.path.length <= problem.path.length) continue
      yield * insideUnion(first)
      // What was taken from them is gone.
      for (const error of errors) yield * insideUnion(error)
      return
    }
  }
  yield problem
}

/** The steps to the value in `root` that is wrong. A tier may be called "1": a step is an index only where there is an array. */
function pathOf ({ path }: ValueError, root: unknown): ConfigPath {
  let holder = root
  return path.split('/').slice(1).map((written) => {
    const key = written.replaceAll('~1', '/').replaceAll('~0', '~')
    const step = Array.isArray(holder) ? Number(key) : key
    holder = typeof holder === 'object' && holder !== null ? Reflect.get(holder, key) : undefined
    return step
  })
}

const LONGEST_PRINTED = 60

function printed (value: unknown): string {
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'bigint' || typeof value === 'symbol') return `a ${typeof value}`
  if (value === undefined) return 'nothing'
  if (typeof value === 'number') return String(value)
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? `an array of ${value.length}` : 'an object'
  const text = JSON.stringify(value)
  return inOneLine(text.length > LONGEST_PRINTED ? `${text.slice(0, LONGEST_PRINTED)}...` : text)
}

/** With the characters escaped that JSON leaves alone, and that would break a line of a log or turn what follows around. */
function inOneLine (json: string): string {
  return json.replace(/[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
