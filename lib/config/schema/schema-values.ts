import { KindGuard, type TSchema } from '@sinclair/typebox'
import type { ConfigPath } from './option-path.js'

export interface DescribedValue {
  readonly schema: TSchema
  readonly value: unknown
  readonly path: ConfigPath
}

/** Every value that a schema knows, with the schema of its own. */
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

/** The schemas of which a value may fit any. */
export function listAlternatives (schema: TSchema): TSchema[] {
  return KindGuard.IsUnion(schema) ? schema.anyOf.flatMap(listAlternatives) : [schema]
}

/** Whether only code can give a value: a function, or an object that TypeBox knows nothing about. */
export function isCodeOnly (schema: TSchema): boolean {
  return listAlternatives(schema).every((one) => KindGuard.IsFunction(one) || KindGuard.IsAny(one))
}

/** What is at a path in a value, if anything is. */
export function valueAt (value: unknown, path: readonly string[]): unknown {
  return path.reduce((holder, key) => isTable(holder) && Object.hasOwn(holder, key) ? holder[key] : undefined, value)
}

/** Whether a value has others by their names. */
export function isTable (value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
