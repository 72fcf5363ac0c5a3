import type { Static, TSchema } from '@sinclair/typebox'
import { toPrintable } from '../../common/printable.js'
import { FST_SLUICE_BAD_OPTION, FST_SLUICE_UNKNOWN_OPTION } from '../../errors.js'
import { DURATION_EXPECTED, durationMs } from './durations.js'
import { throwFirst, type Report } from './error-collector.js'
import { suggestNearest, suggestSynonym } from './suggest.js'
import { NAME_EXPECTED } from './option-types.js'
import { findSchemaErrors, type SchemaError } from './schema-errors.js'

/** Errors reported at once. */
const MAX_ERRORS = 100

/**
 * Validate options against their schema.
 *
 * Throws FST_SLUICE_UNKNOWN_OPTION or FST_SLUICE_BAD_OPTION with the place (`rateLimit.limits[1].max`), the expected
 * value and the actual value.
 */
export function checkOptions<T extends TSchema> (schema: T, value: unknown, place: string): asserts value is Static<T> {
  throwFirst(place, (report) => reportSchemaErrors(schema, value, report))
}

/** Report every schema error of a value, in the order of the value, at most 100. */
export function reportSchemaErrors (schema: TSchema, value: unknown, report: Report): void {
  const reportedPaths = new Set<string>()
  for (const problem of findSchemaErrors(schema, value)) {
    // One value may have several errors; the first is the clearest.
    const key = JSON.stringify(problem.path)
    if (reportedPaths.has(key)) continue
    reportedPaths.add(key)
    reportError(problem, report)
    if (reportedPaths.size === MAX_ERRORS) return
  }
}

/** The error of a wrong value, for checks that a schema cannot express. */
export function badOption (place: string, expected: string, value: unknown): Error {
  return new FST_SLUICE_BAD_OPTION(place, expected, formatValue(value))
}

/** A duration option in whole milliseconds. Throws FST_SLUICE_BAD_OPTION with the place. */
export function requireDurationMs (value: unknown, place: string): number {
  const ms = durationMs(value)
  if (ms === null) throw badOption(place, DURATION_EXPECTED, value)
  return ms
}

function reportError ({ schema, path, value, isUnknownKey }: SchemaError, report: Report): void {
  if (!isUnknownKey) return report(path, (place) => badOption(place, schema.expected ?? 'another value', value))
  const key = String(path[path.length - 1])
  // The keys of a record are names that the application chose. This key is not a valid name.
  if (schema.properties === undefined) return report(path.slice(0, -1), (place) => badOption(place, NAME_EXPECTED, key))
  const known = Object.keys(schema.properties)
  report(path, (place) => {
    const suggestion = suggestSynonym(key, known) ?? suggestNearest(key, known)
    return new FST_SLUICE_UNKNOWN_OPTION(place, suggestion === null ? '' : `, did you mean "${suggestion}"?`)
  })
}

const MAX_VALUE_LENGTH = 60

function formatValue (value: unknown): string {
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'bigint' || typeof value === 'symbol') return `a ${typeof value}`
  if (value === undefined) return 'nothing'
  if (typeof value === 'number') return String(value)
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? `an array of ${value.length}` : 'an object'
  return toPrintable(JSON.stringify(value), MAX_VALUE_LENGTH)
}
