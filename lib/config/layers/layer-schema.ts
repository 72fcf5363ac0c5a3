import type { SchemaOptions, TObject, TSchema } from '@sinclair/typebox'
import { RuleSchema } from '../schema/policy-schema.js'
import { RateLimitOptionsSchema } from '../schema/options-schema.js'
import { listAlternatives, isCodeOnly } from '../schema/schema-values.js'
import { Type, isOptional } from '../schema/type-builder.js'

/*
 * The schema of a layer without code is derived from the schema of `register`, so that the two always agree.
 */

/** The options that a layer without code may have. */
export interface LayerForm {
  /** Every option of `register`, also the functions that the layer cannot have. */
  readonly known: TObject
  /** The schema of its options, without functions: a JSON schema, except for the keyword `expected`. */
  readonly schema: TSchema
  /** The allowed values of `redis`, for messages. */
  readonly redis: string
  /** The message about a function. */
  readonly needsCodeMessage: string
}

/** The texts that differ between layers without code. */
interface LayerTexts extends Pick<LayerForm, 'redis' | 'needsCodeMessage'> {
  /** The allowed values of `rules`, for messages. */
  readonly rules: string
}

export function buildLayerForm ({ redis, rules, needsCodeMessage }: LayerTexts): LayerForm {
  // The file and the variables are read by these options, so neither can set them.
  const { configFile: _, environment: _prefix, ...options }: Readonly<Record<string, TSchema>> = RateLimitOptionsSchema.properties
  const known = Type.Object({
    ...withoutFunctionText(options),
    redis: Type.Optional(Type.Union([Type.String(), Type.Object({})], { expected: redis, description: options.redis.description })),
    // A lower layer may have the rule, so it needs no match.
    rules: Type.Optional(Type.Array(
      Type.Object({ ...withoutFunctionText(RuleSchema.properties), match: Type.Optional(RuleSchema.properties.match) }, toMeta(RuleSchema)),
      { ...toMeta(options.rules), expected: rules }
    ))
  }, toMeta(RateLimitOptionsSchema))
  return { known, schema: withoutCode(known) ?? Type.Never(), redis, needsCodeMessage }
}

/** The functions stay in the schema, but no message asks for one. */
function withoutFunctionText (options: Readonly<Record<string, TSchema>>): Record<string, TSchema> {
  return Object.fromEntries(Object.entries(options).map(([key, schema]) => {
    const expected = schema.expected?.replace(/, or a function$/, '')
    return [key, expected === schema.expected ? schema : { ...schema, expected }]
  }))
}

/** The schema without values that need code; `null` if none is left. */
function withoutCode (schema: TSchema): TSchema | null {
  if (isCodeOnly(schema)) return null
  if (schema.anyOf !== undefined) return unionWithoutCode(schema)
  if (schema.items !== undefined) return { ...schema, items: withoutCode(schema.items) }
  if (schema.patternProperties !== undefined) {
    return { ...schema, patternProperties: Object.fromEntries(optionsWithoutCode(schema.patternProperties)) }
  }
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
    return [[key, isOptional(option) ? Type.Optional(kept) : kept]]
  })
}

/** The texts and settings of a schema, without the texts about functions. */
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
