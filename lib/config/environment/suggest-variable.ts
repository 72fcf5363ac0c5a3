import type { TSchema } from '@sinclair/typebox'
import { namesBelow } from './known-names.js'
import { LEVEL, levelOf, PREFIX, spelledName, spelledOption, variableOf } from './variable-names.js'
import { stepsOf } from './variable-path.js'
import { CONFIG_FILE_VARIABLE, EnvironmentSchema } from './environment-schema.js'
import type { LayerOptions } from '../layers/layer.js'
import { nearest } from '../schema/suggest.js'

/** Nobody means a variable of such a length, and a comparison takes its square. */
const LONGEST_COMPARED = 256

/** The known variable that is nearest to an unknown one, or `null` where none is near. */
export function suggestionFor (variable: string, lower: LayerOptions): string | null {
  if (variable.length > LONGEST_COMPARED) return null
  const written = variable.slice(PREFIX.length)
  const path = pathByLetters(EnvironmentSchema, lettersOf(written), [], lower)
  if (path !== null) return variableOf(EnvironmentSchema, path)
  const corrected = correctedBelow(EnvironmentSchema, written, [], lower)
  return corrected === null ? null : PREFIX + corrected
}

function lettersOf (text: string): string {
  return text.replace(/[-._]/g, '').toUpperCase()
}

/** The place that a text would name if underscores did not count: one in place of two is the likeliest mistake. */
function pathByLetters (schema: TSchema, letters: string, path: readonly string[], lower: LayerOptions): readonly string[] | null {
  const level = levelOf(schema)
  if (level === null) return null
  const steps = level.kind === 'options' ? [...level.schemas] : namesBelow(lower, path).map((name) => [name, level.schema] as const)
  for (const [name, below] of steps) {
    const own = lettersOf(name)
    if (letters === own) return [...path, name]
    const found = letters.startsWith(own) ? pathByLetters(below, letters.slice(own.length), [...path, name], lower) : null
    if (found !== null) return found
  }
  return null
}

/** The text with each unknown word replaced by the nearest option of its level, as far as one is near. */
function correctedBelow (schema: TSchema, rest: string, path: readonly string[], lower: LayerOptions): string | null {
  const level = levelOf(schema)
  if (level === null || rest === '') return null
  const [known] = stepsOf(schema, rest, path, lower)
  if (known !== undefined) {
    const word = level.kind === 'options' ? spelledOption(known.name) : spelledName(known.name)
    return joined(word, correctedBelow(known.schema, rest.slice(known.length + LEVEL.length), [...path, known.name], lower))
  }
  if (level.kind === 'names') return null
  const [head, ...tail] = rest.split(LEVEL)
  const words = new Map([...level.schemas.keys()].map((option) => [spelledOption(option), option]))
  const near = nearest(head, [...words.keys(), ...path.length === 0 ? [CONFIG_FILE_VARIABLE.slice(PREFIX.length)] : []])
  const option = near === null ? undefined : words.get(near)
  if (near === null || option === undefined || tail.length === 0) return near
  const next = level.schemas.get(option)
  return next === undefined ? near : joined(near, correctedBelow(next, tail.join(LEVEL), [...path, option], lower))
}

function joined (word: string, rest: string | null): string {
  return rest === null ? word : `${word}${LEVEL}${rest}`
}
