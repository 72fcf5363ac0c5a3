import type { TSchema } from '@sinclair/typebox'
import { listKnownNames } from './known-names.js'
import { LEVEL, findLevel, formatName, formatOption, formatVariable } from './variable-names.js'
import { findSteps } from './variable-path.js'
import { CONFIG_FILE_VARIABLE, getEnvironmentForm } from './environment-schema.js'
import type { LayerOptions } from '../layers/layer.js'
import { suggestNearest } from '../schema/suggest.js'

/** Longer variables are not compared: a comparison takes time proportional to the square of the length. */
const MAX_COMPARED_LENGTH = 256

/** The known variable closest to an unknown one, or `null` when no variable is close. Both are without their prefix. */
export function suggestVariable (name: string, lower: LayerOptions): string | null {
  if (name.length > MAX_COMPARED_LENGTH) return null
  const path = findPathByLetters(getEnvironmentForm().schema, toLetters(name), [], lower)
  if (path !== null) return formatVariable(getEnvironmentForm().schema, path, '')
  return correctSpelling(getEnvironmentForm().schema, name, [], lower)
}

function toLetters (text: string): string {
  return text.replace(/[-._]/g, '').toUpperCase()
}

/** The path that a text names if underscores are ignored. One underscore in place of two is the most likely mistake. */
function findPathByLetters (schema: TSchema, letters: string, path: readonly string[], lower: LayerOptions): readonly string[] | null {
  const level = findLevel(schema)
  if (level === null) return null
  const steps = level.kind === 'options' ? [...level.schemas] : listKnownNames(lower, path).map((name) => [name, level.schema] as const)
  for (const [name, childSchema] of steps) {
    const own = toLetters(name)
    if (letters === own) return [...path, name]
    if (!letters.startsWith(own)) continue
    const found = findPathByLetters(childSchema, letters.slice(own.length), [...path, name], lower)
    if (found !== null) return found
  }
  return null
}

/** Replace each unknown word of the text by the closest option of its level, if one is close. */
function correctSpelling (schema: TSchema, rest: string, path: readonly string[], lower: LayerOptions): string | null {
  const level = findLevel(schema)
  if (level === null || rest === '') return null
  const [known] = findSteps(schema, rest, path, lower)
  if (known !== undefined) {
    const word = level.kind === 'options' ? formatOption(known.name) : formatName(known.name)
    return joinLevel(word, correctSpelling(known.schema, rest.slice(known.length + LEVEL.length), [...path, known.name], lower))
  }
  if (level.kind === 'names') return null
  const [head, ...tail] = rest.split(LEVEL)
  const words = new Map([...level.schemas.keys()].map((option) => [formatOption(option), option]))
  const near = suggestNearest(head, [...words.keys(), ...path.length === 0 ? [CONFIG_FILE_VARIABLE] : []])
  const option = near === null ? undefined : words.get(near)
  if (near === null || option === undefined || tail.length === 0) return near
  const next = level.schemas.get(option)
  return next === undefined ? near : joinLevel(near, correctSpelling(next, tail.join(LEVEL), [...path, option], lower))
}

function joinLevel (word: string, rest: string | null): string {
  return rest === null ? word : `${word}${LEVEL}${rest}`
}
