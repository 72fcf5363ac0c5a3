import type { TSchema } from '@sinclair/typebox'
import { listKnownNames, listKnownTiers } from './known-names.js'
import { matchesSpelling, LEVEL, findLevel, formatName } from './variable-names.js'
import { getEnvironmentForm } from './environment-schema.js'
import type { LayerOptions } from '../layers/layer.js'
import { NAME_PATTERN } from '../schema/option-types.js'

/** The meaning of a variable's name. */
export type ResolvedVariable =
  /** `path`: options, and names of rules, tiers and limits as they were first written. */
  | { readonly kind: 'option', readonly path: readonly string[], readonly schema: TSchema }
  /** It matches each of these rules, tiers or limits. */
  | { readonly kind: 'ambiguous', readonly names: readonly string[] }
  | { readonly kind: 'unknown' }

/** One step from a level to the next. */
interface VariableStep {
  readonly name: string
  /** Characters of the variable that this step takes. */
  readonly length: number
  readonly schema: TSchema
}

const UNKNOWN: ResolvedVariable = { kind: 'unknown' }

/** Resolve the option path that a variable sets. `name`: the variable without its prefix. */
export function resolveVariable (name: string, lower: LayerOptions): ResolvedVariable {
  let rest = name
  let schema: TSchema = getEnvironmentForm().schema
  const path: string[] = []
  for (;;) {
    const [step, ...others] = findSteps(schema, rest, path, lower)
    if (step === undefined) return UNKNOWN
    if (others.length > 0) return { kind: 'ambiguous', names: [step, ...others].map(({ name }) => name) }
    path.push(step.name)
    schema = step.schema
    if (step.length === rest.length) return { kind: 'option', path, schema }
    rest = rest.slice(step.length + LEVEL.length)
  }
}

/** The first step of a variable's remaining text, in each possible reading. */
export function findSteps (schema: TSchema, rest: string, path: readonly string[], lower: LayerOptions): readonly VariableStep[] {
  const level = findLevel(schema)
  const head = rest.split(LEVEL, 1)[0]
  if (level === null || head === '') return []
  if (level.kind === 'options') {
    return [...level.schemas].filter(([name]) => matchesSpelling(head, name))
      .map(([name, schema]) => ({ name, length: head.length, schema }))
  }
  return findNames(rest, head, path, lower).map((name) => ({ name, length: formatName(name).length, schema: level.schema }))
}

/** The matching names in the lower layers, else a new name. */
function findNames (rest: string, head: string, path: readonly string[], lower: LayerOptions): readonly string[] {
  const known = findLongestMatches(rest, listKnownNames(lower, path))
  if (known.length > 0) return known
  const elsewhere = path[path.length - 1] === 'tiers' ? findLongestMatches(rest, listKnownTiers(lower)) : []
  if (elsewhere.length > 0) return elsewhere
  const newName = head.toLowerCase()
  return new RegExp(NAME_PATTERN).test(newName) ? [newName] : []
}

/** The longest of the names that a text begins with: `a--b` is a name of its own, not a part of `a`. */
function findLongestMatches (rest: string, names: readonly string[]): readonly string[] {
  const text = formatName(rest)
  const found = [...new Set(names)].filter((name) => text === formatName(name) || text.startsWith(formatName(name) + LEVEL))
  const longest = Math.max(...found.map(({ length }) => length))
  return found.filter(({ length }) => length === longest)
}
