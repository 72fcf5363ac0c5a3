import type { TSchema } from '@sinclair/typebox'
import { findLevel } from './variable-names.js'
import { listAlternatives, isCodeOnly } from '../schema/schema-values.js'
import { isKind } from '../schema/type-builder.js'

/** The result of parsing a variable's text for its option. */
export type ParsedValue =
  | { readonly kind: 'value', readonly value: unknown }
  /** The text cannot be parsed. */
  | { readonly kind: 'mistake', readonly expected: string, readonly found: string }

/**
 * Parse a text by the schema of its option: integers, `true` and `false` (also 1, 0, on, off), and lists with commas. A
 * text that begins with a brace or a bracket is parsed as JSON. Any other text is returned unchanged, so that the schema error
 * shows it as it was written.
 */
export function parseValue (schema: TSchema, text: string): ParsedValue {
  const alternatives = listAlternatives(schema)
  if (isCodeOnly(schema)) {
    return { kind: 'mistake', expected: `${schema.expected ?? 'a value'}, which only code can set`, found: 'text' }
  }
  if (alternatives.some((one) => isWrittenAsJson(one, text))) return parseJson(text)
  const list = alternatives.find((one) => isKind(one, 'Array'))
  // A list of objects cannot be written with commas.
  const value = list === undefined || findLevel(list) !== null
    ? parseScalar(alternatives, text)
    : parseList(listAlternatives(list.items), text)
  return { kind: 'value', value }
}

function isWrittenAsJson (schema: TSchema, text: string): boolean {
  if (text.startsWith('{')) return isKind(schema, 'Object') || isKind(schema, 'Record')
  return text.startsWith('[') && isKind(schema, 'Array')
}

/** Options have four levels; those of TLS have a few more. */
const MAX_DEPTH = 32

function parseJson (text: string): ParsedValue {
  const expected = `JSON, since it begins with "${text[0]}"`
  try {
    const value: unknown = JSON.parse(text, rejectPrototype)
    if (isDeeperThan(MAX_DEPTH, value)) return { kind: 'mistake', expected, found: `more than ${MAX_DEPTH} levels` }
    return { kind: 'value', value }
  } catch {
    // The parser's message repeats parts of the text, which may contain a password.
    return { kind: 'mistake', expected, found: 'invalid JSON' }
  }
}

function isDeeperThan (levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((inner) => isDeeperThan(levels - 1, inner))
}

/** Reject the key `__proto__`: code that copies it by assignment would change the prototype of the copy. */
function rejectPrototype (key: string, value: unknown): unknown {
  if (key === '__proto__') throw new SyntaxError('not an option')
  return value
}

function parseList (alternatives: readonly TSchema[], text: string): unknown[] {
  return text.split(',').map((entry) => entry.trim()).filter((entry) => entry !== '').map((entry) => parseScalar(alternatives, entry))
}

function parseScalar (alternatives: readonly TSchema[], text: string): unknown {
  for (const schema of alternatives) {
    const flag = parseBoolean(schema, text.toLowerCase())
    if (flag !== null) return flag
  }
  return parseNumber(alternatives, text) ?? text
}

function parseBoolean (schema: TSchema, word: string): boolean | null {
  const isBoolean = isKind(schema, 'Boolean')
  if (isBoolean && (word === '1' || word === '0')) return word === '1'
  if ((isBoolean || isLiteral(schema, true)) && (word === 'true' || word === 'on')) return true
  if ((isBoolean || isLiteral(schema, false)) && (word === 'false' || word === 'off')) return false
  return null
}

function isLiteral (schema: TSchema, value: boolean): boolean {
  return isKind(schema, 'Literal') && schema.const === value
}

const DIGITS = /^\d+$/
const INTEGER = /^-?(?:0|[1-9]\d*)$/
const DECIMAL = /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/

/** Parse plain digits only: `1e3`, `0x10` and `1_000` are more likely mistakes than numbers. */
function parseNumber (alternatives: readonly TSchema[], text: string): number | null {
  const isDecimal = alternatives.some((one) => isKind(one, 'Number'))
  if (!isDecimal && !alternatives.some((one) => isKind(one, 'Integer'))) return null
  const form = alternatives.some((one) => isKind(one, 'String')) ? DIGITS : isDecimal ? DECIMAL : INTEGER
  const number = Number(text)
  // A number that would be rounded stays text, as it was written.
  return form.test(text) && Math.abs(number) <= Number.MAX_SAFE_INTEGER ? number : null
}
