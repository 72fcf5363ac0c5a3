import type { Static, TSchema } from '@sinclair/typebox'
import { Value, ValueErrorType, type ValueError } from '@sinclair/typebox/value'
import { FST_SLUICE_BAD_OPTION, FST_SLUICE_UNKNOWN_OPTION } from '../errors.js'
import { textOfPath, type ConfigPath } from './layer.js'
import { nearest } from './nearest.js'
import { NAME_EXPECTED } from './notation.js'

/** Mistakes that are told at once. */
const MOST_TOLD = 100

/**
 * Hold options against their schema.
 *
 * Throws FST_SLUICE_UNKNOWN_OPTION or FST_SLUICE_BAD_OPTION with the place (`rateLimit.limits[1].max`), what was
 * expected and what was found.
 */
export function checkOptions<T extends TSchema> (schema: T, value: unknown, place: string): asserts value is Static<T> {
  const [first] = mistakesIn(schema, value, (path) => textOfPath(place, path), 1)
  if (first !== undefined) throw first
}

/**
 * What is wrong with a value, in its own order: the errors that `checkOptions` would throw one by one.
 * `placeOf`: where the value at a path was written.
 */
export function mistakesIn (schema: TSchema, value: unknown, placeOf: (path: ConfigPath) => string, atMost = MOST_TOLD): Error[] {
  const mistakes = new Map<string, Error>()
  for (const outer of Value.Errors(schema, value)) {
    const problem = insideUnion(outer)
    // One value may offend in several ways; the first is the plainest.
    if (!mistakes.has(problem.path)) mistakes.set(problem.path, errorOf(schema, problem, placeOf))
    if (mistakes.size === atMost) break
  }
  return [...mistakes.values()]
}

/** A wrong value, for checks that a schema cannot express. */
export function badOption (place: string, expected: string, value: unknown): Error {
  return new FST_SLUICE_BAD_OPTION(place, expected, printed(value))
}

function errorOf (schema: TSchema, problem: ValueError, placeOf: (path: ConfigPath) => string): Error {
  const path = pathOf(problem)
  if (problem.type === ValueErrorType.ObjectAdditionalProperties) {
    const key = String(path[path.length - 1])
    // The keys of a record are names of the application's own, and this one is none.
    if (problem.schema.properties === undefined) return badOption(placeOf(path.slice(0, -1)), NAME_EXPECTED, key)
    const known = nearest(key, Object.keys(problem.schema.properties))
    return new FST_SLUICE_UNKNOWN_OPTION(placeOf(path), known === null ? '' : `, did you mean "${known}"?`)
  }
  return badOption(placeOf(path), problem.schema.expected ?? schema.expected ?? problem.message, problem.value)
}

/** The mistake in a field, where a value is an object that one of the alternatives describes. */
function insideUnion (problem: ValueError): ValueError {
  if (problem.type !== ValueErrorType.Union) return problem
  const inner = problem.errors.map((errors) => errors.First()).find((error) => error !== undefined && error.path.length > problem.path.length)
  return inner === undefined ? problem : insideUnion(inner)
}

function pathOf ({ path }: ValueError): ConfigPath {
  return path.split('/').slice(1)
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((key) => /^\d+$/.test(key) ? Number(key) : key)
}

const LONGEST_PRINTED = 60

function printed (value: unknown): string {
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'bigint' || typeof value === 'symbol') return `a ${typeof value}`
  if (typeof value === 'number' || value === undefined) return String(value)
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? `an array of ${value.length}` : 'an object'
  const text = JSON.stringify(value)
  return text.length > LONGEST_PRINTED ? `${text.slice(0, LONGEST_PRINTED)}...` : text
}
