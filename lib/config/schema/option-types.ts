import type { SchemaOptions } from '@sinclair/typebox'
import { DURATION_EXPECTED } from './durations.js'
import { Type } from './type-builder.js'

/*
 * Builders for the schemas of options. `expected` completes the message "expected ..., got ...". It is also the value
 * column of docs/options.md.
 */

export interface OptionMeta extends SchemaOptions {
  expected: string
  description?: string
}

/** A function option. TypeBox validates that it is a function; the type parameter is its signature. */
export function Callback<F> (meta: OptionMeta) {
  return Type.Unsafe<F>(Type.Function([], Type.Any(), meta))
}

export function StringEnum<const T extends readonly string[]> (names: T, meta: Omit<OptionMeta, 'expected'>) {
  return Type.Unsafe<T[number]>(Type.Union(names.map((name) => Type.Literal(name)), {
    ...meta, expected: names.map((name) => `"${name}"`).join(' or ')
  }))
}

/** Milliseconds, or a string with a unit. The string itself is parsed later. */
export function Duration (meta: SchemaOptions = {}) {
  return Type.Union([Type.Number(), Type.String()], { ...meta, expected: DURATION_EXPECTED })
}

/** An integer in a range, both ends included. */
export function IntegerRange (minimum: number, maximum: number, meta: SchemaOptions = {}) {
  return Type.Integer({ ...meta, minimum, maximum, expected: `an integer from ${minimum} to ${maximum}` })
}

export function BooleanOption (meta: SchemaOptions) {
  return Type.Boolean({ ...meta, expected: 'true or false' })
}

/** The path of a route that this plugin mounts, below its prefix. */
export function RoutePath () {
  return Type.String({ pattern: '^/', expected: 'a path that begins with "/"' })
}

/** A name in keys, metrics and messages. */
export function Name (meta: SchemaOptions = {}) {
  return Type.String({ ...meta, pattern: NAME_PATTERN, expected: NAME_EXPECTED })
}

export const NAME_EXPECTED = 'a name of letters, digits, ".", "_" and "-", at most 64'

export const NAME_PATTERN = '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$'

declare module '@sinclair/typebox' {
  interface SchemaOptions {
    /** Completes "expected ..., got ..." */
    expected?: string
  }
}
