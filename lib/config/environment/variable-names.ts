import { KindGuard, Type, type TObject, type TSchema } from '@sinclair/typebox'
import { alternativesOf } from '../schema/schema-values.js'

/*
 * How the places in the options are spelled in the names of variables.
 */

/** What the names of our variables begin with. */
export const PREFIX = 'RATE_LIMIT_'

/** What stands between two levels of the options. */
export const LEVEL = '__'

/** What one level of the options holds: options by their words, or things by names of the application's own. */
export type Level =
  | { readonly kind: 'options', readonly schemas: ReadonlyMap<string, TSchema> }
  | { readonly kind: 'names', readonly schema: TSchema, readonly isArray: boolean }

/** What can be set below a value, or `null` where it is set as a whole. */
export function levelOf (schema: TSchema): Level | null {
  if (KindGuard.IsUnion(schema)) return alternativesOf(schema).map(levelOf).find((level) => level !== null) ?? null
  if (KindGuard.IsObject(schema)) return { kind: 'options', schemas: new Map(Object.entries(schema.properties)) }
  if (KindGuard.IsRecord(schema)) return { kind: 'names', schema: Object.values<TSchema>(schema.patternProperties)[0], isArray: false }
  if (KindGuard.IsArray(schema) && KindGuard.IsObject(schema.items) && 'name' in schema.items.properties) {
    return { kind: 'names', schema: withoutName(schema.items), isArray: true }
  }
  return null
}

/** What stands in an array by its name has it in the variable's own. */
function withoutName ({ properties: { name: _, ...options }, ...notes }: TObject): TSchema {
  return Type.Object(options, { expected: notes.expected, additionalProperties: false })
}

/** An option as documented: `timeWindow` is `TIME_WINDOW`. */
export function spelledOption (option: string): string {
  return option.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase()
}

/** The name of a rule, a tier or a limit: `log-in.v2` is `LOG_IN_V2`. */
export function spelledName (name: string): string {
  return name.replace(/[-.]/g, '_').toUpperCase()
}

/** Whether a variable's word means an option: `TIME_WINDOW` and `TIMEWINDOW` alike. */
export function isSpellingOf (word: string, option: string): boolean {
  const upper = word.toUpperCase()
  return upper === option.toUpperCase() || upper === spelledOption(option)
}

/** The variable of a place in the options, as it is documented. `path`: options, and names instead of indexes. */
export function variableOf (root: TSchema, path: readonly string[]): string {
  let level = levelOf(root)
  const words = path.map((step) => {
    const isName = level?.kind === 'names'
    level = below(level, step)
    return isName ? spelledName(step) : spelledOption(step)
  })
  return words.length === 0 ? PREFIX.slice(0, -1) : PREFIX + words.join(LEVEL)
}

function below (level: Level | null, step: string): Level | null {
  const schema = level?.kind === 'options' ? level.schemas.get(step) : level?.schema
  return schema === undefined ? null : levelOf(schema)
}
