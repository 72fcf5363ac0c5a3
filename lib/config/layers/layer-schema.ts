import { OptionalKind, Type, type SchemaOptions, type TObject, type TSchema } from '@sinclair/typebox'
import { RuleSchema } from '../schema/policy-schema.js'
import { RateLimitOptionsSchema } from '../schema/options-schema.js'
import { listAlternatives, isCodeOnly } from '../schema/schema-values.js'

/*
 * What a layer without code may say is derived from what `register` takes, so that the two cannot drift apart.
 */

/** What a layer without code may hold. */
export interface LayerForm {
  /** Every option of `register`, with the functions that the layer cannot hold. */
  readonly known: TObject
  /** What its options are held to: without the functions, a JSON schema but for the keyword `expected`, which is ours. */
  readonly schema: TSchema
  /** What `redis` may be. */
  readonly redis: string
  /** What is said of a function. */
  readonly needsCodeMessage: string
}

/** `redis`, `rules`: what these options may be, in the layer's own words. `needsCodeMessage`: see `LayerForm`. */
export function buildLayerForm ({ redis, rules, needsCodeMessage }: { readonly redis: string, readonly rules: string, readonly needsCodeMessage: string }): LayerForm {
  // Which file and which variables are read must be known before they are, so none of them can set it.
  const { configFile: _, environment: _prefix, ...options }: Readonly<Record<string, TSchema>> = RateLimitOptionsSchema.properties
  const known = Type.Object({
    ...withoutFunctionText(options),
    redis: Type.Optional(Type.Union([Type.String(), Type.Object({})], { expected: redis, description: options.redis.description })),
    // A lower layer may have made the rule, so it needs no match.
    rules: Type.Optional(Type.Array(
      Type.Object({ ...withoutFunctionText(RuleSchema.properties), match: Type.Optional(RuleSchema.properties.match) }, toMeta(RuleSchema)),
      { ...toMeta(options.rules), expected: rules }
    ))
  }, toMeta(RateLimitOptionsSchema))
  return { known, schema: withoutCode(known) ?? Type.Never(), redis, needsCodeMessage }
}

/** Functions are still told of, but nobody is told to give one. */
function withoutFunctionText (options: Readonly<Record<string, TSchema>>): Record<string, TSchema> {
  return Object.fromEntries(Object.entries(options).map(([key, schema]) => {
    const expected = schema.expected?.replace(/, or a function$/, '')
    return [key, expected === schema.expected ? schema : { ...schema, expected }]
  }))
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
  return Type.Object(Object.fromEntries(options), { ...toMeta(schema), ...(expected === undefined ? {} : { expected }) })
}

function unionWithoutCode (schema: TSchema): TSchema | null {
  const forms = listAlternatives(schema).map(withoutCode).filter((form) => form !== null)
  const meta = toMeta(schema)
  return forms.length === 1 ? { ...forms[0], ...meta } : { ...schema, ...meta, anyOf: forms }
}

function optionsWithoutCode (options: Readonly<Record<string, TSchema>>): Array<[key: string, schema: TSchema]> {
  return Object.entries(options).flatMap(([key, option]) => {
    const kept = withoutCode(option)
    if (kept === null) return []
    return [[key, option[OptionalKind] === undefined ? kept : Type.Optional(kept)]]
  })
}

/** What is said about a schema, but for what is said about functions. */
function toMeta ({ expected, description, default: preset, additionalProperties, maxItems }: TSchema): SchemaOptions {
  const meta = {
    expected: expected?.replace(/, or a function$/, ''),
    description: description?.split(/(?<=\.) /).filter((sentence) => !/\bfunction\b|\bof yours\b/.test(sentence)).join(' '),
    default: preset,
    additionalProperties,
    maxItems
  }
  return Object.fromEntries(Object.entries(meta).filter(([, note]) => note !== undefined))
}
