import type { Static, TSchema } from '@sinclair/typebox'
import { Value, ValueErrorType, type ValueError } from '@sinclair/typebox/value'
import { FST_SLUICE_BAD_OPTION, FST_SLUICE_UNKNOWN_OPTION } from '../errors.js'
import { nearest } from './nearest.js'
import { NAME_EXPECTED } from './notation.js'

/**
 * Hold options against their schema.
 *
 * Throws FST_SLUICE_UNKNOWN_OPTION or FST_SLUICE_BAD_OPTION with the place (`rateLimit.limits[1].max`), what was
 * expected and what was found.
 */
export function checkOptions<T extends TSchema> (schema: T, value: unknown, place: string): asserts value is Static<T> {
  const problem = Value.Errors(schema, value).First()
  if (problem !== undefined) throw errorOf(schema, problem, place)
}

/** A wrong value, for checks that a schema cannot express. */
export function badOption (place: string, expected: string, value: unknown): Error {
  return new FST_SLUICE_BAD_OPTION(place, expected, printed(value))
}

function errorOf (schema: TSchema, problem: ValueError, place: string): Error {
  const keys = problem.path.split('/').slice(1).map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
  const where = keys.reduce((text, key) => text + (/^\d+$/.test(key) ? `[${key}]` : `.${key}`), place)
  if (problem.type === ValueErrorType.ObjectAdditionalProperties) {
    // The keys of a record are names of the application's own, and this one is none.
    if (problem.schema.properties === undefined) return badOption(where.slice(0, -1 - keys[keys.length - 1].length), NAME_EXPECTED, keys[keys.length - 1])
    const known = nearest(keys[keys.length - 1], Object.keys(problem.schema.properties))
    return new FST_SLUICE_UNKNOWN_OPTION(where, known === null ? '' : `, did you mean "${known}"?`)
  }
  return badOption(where, problem.schema.expected ?? schema.expected ?? problem.message, problem.value)
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
