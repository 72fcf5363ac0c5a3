import type { TSchema } from '@sinclair/typebox'
import { isRecord } from '../../common/type-guards.js'
import type { ConfigPath } from './option-path.js'
import { isKind } from './type-builder.js'

export interface DescribedValue {
  readonly schema: TSchema
  readonly value: unknown
  readonly path: ConfigPath
}

/** Every value that the schema describes, with its own schema. */
export function * walkValues (schema: TSchema, value: unknown, path: ConfigPath = []): Generator<DescribedValue> {
  yield { schema, value, path }
  for (const form of listAlternatives(schema)) {
    for (const [key, inner] of listEntries(value)) {
      const innerSchema = findKeySchema(form, key)
      if (innerSchema !== null) yield * walkValues(innerSchema, inner, [...path, key])
    }
  }
}

function listEntries (value: unknown): Array<readonly [key: string | number, value: unknown]> {
  if (Array.isArray(value)) return [...value.entries()]
  return typeof value === 'object' && value !== null ? Object.entries(value) : []
}

function findKeySchema (schema: TSchema, key: string | number): TSchema | null {
  if (typeof key === 'number') return schema.items ?? null
  if (schema.properties !== undefined) return Object.hasOwn(schema.properties, key) ? schema.properties[key] : null
  const names = Object.entries<TSchema>(schema.patternProperties ?? {})
  return names.find(([pattern]) => new RegExp(pattern).test(key))?.[1] ?? null
}

/** The alternatives of a union, flattened; for any other schema, the schema itself. */
export function listAlternatives (schema: TSchema): TSchema[] {
  return isKind(schema, 'Union') ? schema.anyOf.flatMap(listAlternatives) : [schema]
}

/** Whether an option can be set only in code: it is a function, or an object that TypeBox cannot describe. */
export function isCodeOnly (schema: TSchema): boolean {
  return listAlternatives(schema).every((one) => isKind(one, 'Function') || isKind(one, 'Any'))
}

/** The value at a path in a value, or `undefined`. */
export function valueAt (value: unknown, path: readonly string[]): unknown {
  return path.reduce((holder, key) => isRecord(holder) && Object.hasOwn(holder, key) ? holder[key] : undefined, value)
}
