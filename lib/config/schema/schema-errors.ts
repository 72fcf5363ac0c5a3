import type { TSchema } from '@sinclair/typebox'
import { isRecord } from '../../common/type-guards.js'
import type { ConfigPath } from './option-path.js'
import { getKind, isOptional } from './type-builder.js'

/** A value that does not match its schema. */
export interface SchemaError {
  /** The schema of the value, or of the object with a key that it does not have. */
  readonly schema: TSchema
  readonly path: ConfigPath
  readonly value: unknown
  /** Whether the last step of the path is a key that the schema of the object does not have. */
  readonly isUnknownKey: boolean
}

/**
 * Every value that does not match its schema, in the order of the schema. A union with an alternative for objects, whose value is
 * one, yields the errors of its fields in place of its own.
 */
export function * findSchemaErrors (schema: TSchema, value: unknown, path: ConfigPath = []): Generator<SchemaError> {
  switch (getKind(schema)) {
    case 'Object':
      if (isRecord(value)) yield * findObjectErrors(schema, value, path)
      else yield wrong(schema, value, path)
      break
    case 'Record':
      if (isRecord(value)) yield * findRecordErrors(schema, value, path)
      else yield wrong(schema, value, path)
      break
    case 'Array':
      if (Array.isArray(value)) yield * findArrayErrors(schema, value, path)
      else yield wrong(schema, value, path)
      break
    case 'Union':
      yield * findUnionErrors(schema, value, path)
      break
    default:
      if (!isScalar(schema, value)) yield wrong(schema, value, path)
  }
}

function wrong (schema: TSchema, value: unknown, path: ConfigPath): SchemaError {
  return { schema, value, path, isUnknownKey: false }
}

function unknownKey (schema: TSchema, value: unknown, path: ConfigPath): SchemaError {
  return { schema, value, path, isUnknownKey: true }
}

function * findObjectErrors (schema: TSchema, value: Readonly<Record<string, unknown>>, path: ConfigPath): Generator<SchemaError> {
  const properties: Readonly<Record<string, TSchema>> = schema.properties
  const keys = Object.getOwnPropertyNames(value)
  for (const [key, inner] of Object.entries(properties)) {
    if (!isOptional(inner) && !keys.includes(key)) yield wrong(inner, undefined, [...path, key])
  }
  if (schema.additionalProperties === false) {
    for (const key of keys) if (!Object.hasOwn(properties, key)) yield unknownKey(schema, value[key], [...path, key])
  }
  for (const [key, inner] of Object.entries(properties)) {
    // An undefined option counts as absent.
    if (!isOptional(inner) || value[key] !== undefined) yield * findSchemaErrors(inner, value[key], [...path, key])
  }
}

function * findRecordErrors (schema: TSchema, value: Readonly<Record<string, unknown>>, path: ConfigPath): Generator<SchemaError> {
  const [[pattern, inner]] = Object.entries<TSchema>(schema.patternProperties)
  const regex = new RegExp(pattern)
  const entries = Object.entries(value)
  for (const [key, entry] of entries) if (regex.test(key)) yield * findSchemaErrors(inner, entry, [...path, key])
  const other = schema.additionalProperties === false ? entries.find(([key]) => !regex.test(key)) : undefined
  if (other !== undefined) yield unknownKey(schema, other[1], [...path, other[0]])
}

function * findArrayErrors (schema: TSchema, value: readonly unknown[], path: ConfigPath): Generator<SchemaError> {
  if (!isWithin(value.length, schema.minItems, schema.maxItems)) yield wrong(schema, value, path)
  for (let index = 0; index < value.length; index++) yield * findSchemaErrors(schema.items, value[index], [...path, index])
}

function * findUnionErrors (schema: TSchema, value: unknown, path: ConfigPath): Generator<SchemaError> {
  const alternatives: readonly TSchema[] = schema.anyOf
  const found = alternatives.map((alternative) => {
    const errors = findSchemaErrors(alternative, value, path)
    return { first: errors.next(), errors }
  })
  if (found.some(({ first }) => first.done === true)) return
  for (const { first, errors } of found) {
    if (first.done === true || first.value.path.length <= path.length) continue
    yield first.value
    yield * errors
    return
  }
  yield wrong(schema, value, path)
}

function isScalar (schema: TSchema, value: unknown): boolean {
  switch (getKind(schema)) {
    case 'String': return typeof value === 'string' && isWithin(value.length, schema.minLength, schema.maxLength) &&
      matches(schema.pattern, value)
    case 'Number': return Number.isFinite(value) && isWithin(Number(value), schema.minimum, schema.maximum)
    case 'Integer': return Number.isInteger(value) && isWithin(Number(value), schema.minimum, schema.maximum)
    case 'Boolean': return typeof value === 'boolean'
    case 'Literal': return value === schema.const
    case 'Function': return typeof value === 'function'
    case 'Null': return value === null
    case 'Never': return false
    default: return true // Any, Unknown
  }
}

function matches (pattern: string | undefined, text: string): boolean {
  return pattern === undefined || new RegExp(pattern).test(text)
}

function isWithin (value: number, minimum = -Infinity, maximum = Infinity): boolean {
  return value >= minimum && value <= maximum
}
