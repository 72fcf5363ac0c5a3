import { Kind, OptionalKind, Type, type SchemaOptions, type TSchema } from '@sinclair/typebox'
import type { ConfigPath, LayerOptions } from './layer.js'
import { RuleSchema } from './policy-schema.js'
import { RateLimitOptionsSchema } from './schema.js'
import { alternativesOf, valuesIn } from './schema-values.js'

/*
 * What a config file may say is derived from what `register` takes, so that the two cannot drift apart.
 */

const properties: Readonly<Record<string, TSchema>> = RateLimitOptionsSchema.properties
const { configFile: _, ...registered } = properties

/** What `register` takes, as far as a file could write it, and the functions that it cannot. */
const writable = Type.Object({
  ...registered,
  redis: Type.Optional(Type.Union([Type.String(), Type.Object({})], {
    expected: 'a URL, or a table: ioredis options, { sentinels, name } or { cluster: [nodes] }', description: registered.redis.description
  })),
  rules: Type.Optional(Type.Array(Type.Object({ ...RuleSchema.properties, match: Type.Optional(RuleSchema.properties.match) }, notesOf(RuleSchema)), {
    ...notesOf(registered.rules), expected: 'an array of rules, each under [[rules]]'
  }))
}, notesOf(RateLimitOptionsSchema))

/**
 * What a config file may hold: every option of `register` that needs no code. A rule needs no `match`, since a lower
 * layer may have made it. As JSON it is a JSON schema, but for the keyword `expected`, which is ours.
 */
export const ConfigFileSchema = Type.Unsafe<LayerOptions>(withoutCode(writable) ?? Type.Never())

/** Where a file gives something that only code can give. */
export function codeOnlyIn (options: unknown): ConfigPath[] {
  return [...valuesIn(writable, options)].filter(({ schema }) => isCodeOnly(schema)).map(({ path }) => path)
}

/** Functions, and the objects that TypeBox knows nothing about. */
function isCodeOnly (schema: TSchema): boolean {
  return schema[Kind] === 'Function' || schema[Kind] === 'Any'
}

/** The schema of what is left without code, if anything is. */
function withoutCode (schema: TSchema): TSchema | null {
  if (isCodeOnly(schema)) return null
  if (schema.anyOf !== undefined) return unionWithoutCode(schema)
  if (schema.items !== undefined) return { ...schema, items: withoutCode(schema.items) }
  if (schema.patternProperties !== undefined) return { ...schema, patternProperties: Object.fromEntries(optionsWithoutCode(schema.patternProperties)) }
  if (schema.properties === undefined) return schema
  const options = optionsWithoutCode(schema.properties)
  const kept = new Set(options.map(([key]) => key))
  const dropped = Object.keys(schema.properties).filter((key) => !kept.has(key))
  const expected = dropped.reduce((text, key) => text?.replace(`, ${key}?`, ''), schema.expected)
  return Type.Object(Object.fromEntries(options), { ...notesOf(schema), ...(expected === undefined ? {} : { expected }) })
}

function unionWithoutCode (schema: TSchema): TSchema {
  const forms = alternativesOf(schema).map(withoutCode).filter((form) => form !== null)
  const notes = notesOf(schema)
  return forms.length === 1 ? { ...forms[0], ...notes } : { ...schema, ...notes, anyOf: forms }
}

function optionsWithoutCode (options: Readonly<Record<string, TSchema>>): Array<[key: string, schema: TSchema]> {
  return Object.entries(options).flatMap(([key, option]) => {
    const kept = withoutCode(option)
    if (kept === null) return []
    return [[key, option[OptionalKind] === undefined ? kept : Type.Optional(kept)]]
  })
}

/** What is said about a schema, but for what is said about functions. */
function notesOf ({ expected, description, default: preset, additionalProperties, maxItems }: TSchema): SchemaOptions {
  const notes = {
    expected: expected?.replace(/, or a function$/, ''),
    description: description?.split(/(?<=\.) /).filter((sentence) => !/\bfunction\b|\bof yours\b/.test(sentence)).join(' '),
    default: preset,
    additionalProperties,
    maxItems
  }
  return Object.fromEntries(Object.entries(notes).filter(([, note]) => note !== undefined))
}
