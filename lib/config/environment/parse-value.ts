import { KindGuard, type TSchema } from '@sinclair/typebox'
import { findLevel } from './variable-names.js'
import { listAlternatives, isCodeOnly } from '../schema/schema-values.js'

/** What a variable's text means to its option. */
export type ParsedValue =
  | { readonly kind: 'value', readonly value: unknown }
  /** It cannot be read, whatever the option takes. */
  | { readonly kind: 'mistake', readonly expected: string, readonly found: string }

/**
 * The value that a text stands for, by what the option takes: whole numbers, `true` and `false` (also 1, 0, on, off),
 * lists with commas, and JSON where it begins with a brace or a bracket. What fits nothing stays text, for the schema to
 * refuse as it was written.
 */
export function parseValue (schema: TSchema, text: string): ParsedValue {
  const alternatives = listAlternatives(schema)
  if (isCodeOnly(schema)) return { kind: 'mistake', expected: `${schema.expected ?? 'a value'}, which only code can give`, found: 'text' }
  if (alternatives.some((one) => isWrittenAsJson(one, text))) return parseJson(text)
  const list = alternatives.find(KindGuard.IsArray)
  // A list of objects has no form with commas.
  const value = list === undefined || findLevel(list) !== null ? parseScalar(alternatives, text) : parseList(listAlternatives(list.items), text)
  return { kind: 'value', value }
}

function isWrittenAsJson (schema: TSchema, text: string): boolean {
  if (text.startsWith('{')) return KindGuard.IsObject(schema) || KindGuard.IsRecord(schema)
  return text.startsWith('[') && KindGuard.IsArray(schema)
}

/** Options are four levels deep, those of TLS a few more. */
const MAX_DEPTH = 32

function parseJson (text: string): ParsedValue {
  const expected = `JSON, since it begins with "${text[0]}"`
  try {
    const value: unknown = JSON.parse(text, rejectPrototype)
    if (isDeeperThan(MAX_DEPTH, value)) return { kind: 'mistake', expected, found: `more than ${MAX_DEPTH} levels` }
    return { kind: 'value', value }
  } catch {
    // What the parser says of the text repeats some of it, and it may hold a password.
    return { kind: 'mistake', expected, found: 'text that is none' }
  }
}

function isDeeperThan (levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((inner) => isDeeperThan(levels - 1, inner))
}

/** Whoever copies such a key by assignment would change what the object inherits. */
function rejectPrototype (key: string, value: unknown): unknown {
  if (key === '__proto__') throw new SyntaxError('no option')
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
  const isBoolean = KindGuard.IsBoolean(schema)
  if (isBoolean && (word === '1' || word === '0')) return word === '1'
  if ((isBoolean || isLiteral(schema, true)) && (word === 'true' || word === 'on')) return true
  if ((isBoolean || isLiteral(schema, false)) && (word === 'false' || word === 'off')) return false
  return null
}

function isLiteral (schema: TSchema, value: boolean): boolean {
  return KindGuard.IsLiteral(schema) && schema.const === value
}

const DIGITS = /^\d+$/
const INTEGER = /^-?(?:0|[1-9]\d*)$/
const DECIMAL = /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/

/** Only what can be nothing else: `1e3`, `0x10` and `1_000` are more likely mistakes than numbers. */
function parseNumber (alternatives: readonly TSchema[], text: string): number | null {
  const isDecimal = alternatives.some(KindGuard.IsNumber)
  if (!isDecimal && !alternatives.some(KindGuard.IsInteger)) return null
  const form = alternatives.some(KindGuard.IsString) ? DIGITS : isDecimal ? DECIMAL : INTEGER
  const number = Number(text)
  // One that would be rounded stays as it was written.
  return form.test(text) && Math.abs(number) <= Number.MAX_SAFE_INTEGER ? number : null
}
