import { KindGuard, type TSchema } from '@sinclair/typebox'
import type { ConfigPath } from './option-path.js'

export interface DescribedValue {
  readonly schema: TSchema
  readonly value: unknown
  readonly path: ConfigPath
}

/** Every value that a schema knows, with the schema of its own. */
export function * valuesIn (schema: TSchema, value: unknown, path: ConfigPath = []): Generator<DescribedValue> {
  yield { schema, value, path }
  for (const form of alternativesOf(schema)) {
    for (const [key, inner] of entriesOf(value)) {
      const innerSchema = schemaOfKey(form, key)
      if (innerSchema !== null) yield * valuesIn(innerSchema, inner, [...path, key])
    }
  }
}

function entriesOf (value: unknown): Array<readonly [key: string | number, value: unknown]> {
  if (Array.isArray(value)) return [...value.entries()]
  return typeof value === 'object' && value !== null ? Object.entries(value) : []
}

function schemaOfKey (schema: TSchema, key: string | number): TSchema | null {
  if (typeof key === 'number') return schema.items ?? null
  if (schema.properties !== undefined) return Object.hasOwn(schema.properties, key) ? schema.properties[key] : null
  const names = Object.entries<TSchema>(schema.patternProperties ?? {})
  return names.find(([pattern]) => new RegExp(pattern).test(key))?.[1] ?? null
}

/** The schemas of which a value may fit any. */
export function alternativesOf (schema: TSchema): TSchema[] {
  return KindGuard.IsUnion(schema) ? schema.anyOf.flatMap(alternativesOf) : [schema]
}

/** Whether only code can give a value: a function, or an object that TypeBox knows nothing about. */
export function isCodeOnly (schema: TSchema): boolean {
  return alternativesOf(schema).every((one) => KindGuard.IsFunction(one) || KindGuard.IsAny(one))
}

/** What is at a path in a value, if anything is. */
export function valueAt (value: unknown, path: readonly string[]): unknown {
  return path.reduce((holder, key) => isTable(holder) && Object.hasOwn(holder, key) ? holder[key] : undefined, value)
}

/** Whether a value has others by their names. */
export function isTable (value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
