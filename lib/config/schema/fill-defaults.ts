import type { TSchema } from '@sinclair/typebox'
import { isRecord, type JsonRecord } from '../../common/type-guards.js'
import { listAlternatives } from './schema-values.js'

/** An object of options in which some always have a value. */
export type Resolved<T, Key extends keyof T> = Omit<T, Key> & { readonly [K in Key]-?: Exclude<T[K], undefined> }

/**
 * A checked value with every `default` of its schema filled in, also inside objects. An absent object whose fields have
 * defaults is added. `true` stands for an object with all defaults, if the schema allows both. Values are not copied
 * deeper than that, so a Redis client or a store stays the same object.
 */
export function fillDefaults (schema: TSchema, value: unknown): unknown {
  if (value === undefined && schema.default !== undefined) return schema.default
  const properties = findProperties(schema)
  if (properties === null) return value
  if (value === undefined) {
    const filled = fillFields(properties, {})
    return Object.keys(filled).length === 0 ? undefined : filled
  }
  return value === true ? fillFields(properties, {}) : isRecord(value) ? fillFields(properties, value) : value
}

/** The same for several options, each with its schema. Other options are kept. */
export function fillFields (schemas: Readonly<Record<string, TSchema>>, options: object): JsonRecord {
  const given: JsonRecord = { ...options }
  const filled = Object.entries(schemas).map(([key, schema]) => [key, fillDefaults(schema, given[key])] as const)
  return { ...given, ...Object.fromEntries(filled.filter(([, value]) => value !== undefined)) }
}

/** The fields of an object, or of the object among several alternatives. */
function findProperties (schema: TSchema): Readonly<Record<string, TSchema>> | null {
  return listAlternatives(schema).find(({ properties }) => properties !== undefined)?.properties ?? null
}
