import type { TObject, TSchema } from '@sinclair/typebox'
import { RateLimitOptionsSchema } from '../schema/options-schema.js'
import { listAlternatives } from '../schema/schema-values.js'
import { Type, isKind } from '../schema/type-builder.js'

/*
 * The spelling of option paths in the names of variables.
 */

/** Default prefix of every variable; see the option `environment`. */
export const DEFAULT_PREFIX: string = RateLimitOptionsSchema.properties.environment.default

/** Separator between two levels of the options. */
export const LEVEL = '__'

/** One level of the options: options by their own names, or entries by names that the application chose. */
export type Level =
  | { readonly kind: 'options', readonly schemas: ReadonlyMap<string, TSchema> }
  | { readonly kind: 'names', readonly schema: TSchema, readonly isArray: boolean }

/** The level below a value, or `null` when the value can only be set as a whole. */
export function findLevel (schema: TSchema): Level | null {
  if (isKind(schema, 'Union')) return listAlternatives(schema).map(findLevel).find((level) => level !== null) ?? null
  if (isKind(schema, 'Object')) return { kind: 'options', schemas: new Map(Object.entries(schema.properties)) }
  if (isKind(schema, 'Record')) return { kind: 'names', schema: Object.values<TSchema>(schema.patternProperties)[0], isArray: false }
  if (isKind(schema, 'Array') && isKind(schema.items, 'Object') && 'name' in schema.items.properties) {
    return { kind: 'names', schema: withoutName(schema.items), isArray: true }
  }
  return null
}

/** The schema of an entry without its `name`, which is part of the variable's name. */
function withoutName ({ properties: { name: _, ...options }, ...meta }: TObject): TSchema {
  return Type.Object(options, { expected: meta.expected, additionalProperties: false })
}

/** An option in its documented spelling: `timeWindow` is `TIME_WINDOW`. */
export function formatOption (option: string): string {
  return option.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase()
}

/** The name of a rule, a tier or a limit: `log-in.v2` is `LOG_IN_V2`. */
export function formatName (name: string): string {
  return name.replace(/[-.]/g, '_').toUpperCase()
}

/** Whether a variable's word means an option: `TIME_WINDOW` and `TIMEWINDOW` alike. */
export function matchesSpelling (word: string, option: string): boolean {
  const upper = word.toUpperCase()
  return upper === option.toUpperCase() || upper === formatOption(option)
}

/**
 * The variable of an option path, in its documented spelling. `path`: options, and names instead of indexes. `prefix`: as in
 * the option `environment`, or empty.
 */
export function formatVariable (root: TSchema, path: readonly string[], prefix: string): string {
  let level = findLevel(root)
  const words = path.map((step) => {
    const isName = level?.kind === 'names'
    level = findChildLevel(level, step)
    return isName ? formatName(step) : formatOption(step)
  })
  return words.length === 0 ? prefix.slice(0, -1) : prefix + words.join(LEVEL)
}

function findChildLevel (level: Level | null, step: string): Level | null {
  const schema = level?.kind === 'options' ? level.schemas.get(step) : level?.schema
  return schema === undefined ? null : findLevel(schema)
}
