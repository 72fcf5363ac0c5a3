import { parse, TomlError, type TomlTable, type TomlValue } from 'smol-toml'
import { FST_SLUICE_BAD_SYNTAX, FST_SLUICE_CONTRADICTION, FST_SLUICE_UNKNOWN_OPTION } from '../../errors.js'
import type { ConfigPath } from '../schema/option-path.js'
import type { ErrorCollector } from '../schema/error-collector.js'

/** Options are four levels deep, TLS options a few more. */
const MAX_DEPTH = 32

/** Parse TOML text. `path`: of the file, for the error. Throws FST_SLUICE_BAD_SYNTAX with line and column. */
export function parseToml (text: string, path: string): TomlTable {
  try {
    return parse(text, { integersAsBigInt: 'asNeeded', maxDepth: MAX_DEPTH })
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    // Not kept as the cause: its message quotes the lines around the error, and they may contain a password.
    throw new FST_SLUICE_BAD_SYNTAX(`${path}:${error.line}:${error.column}`, describeSyntaxError(error, text))
  }
}

/** Plainer messages for the most likely syntax errors, by the parser's message. */
const SYNTAX_MESSAGES: Readonly<Record<string, string>> = {
  'invalid value': 'this is not a value; text needs quotes',
  'control characters are not allowed in strings': 'the text has no closing quote in this line, or contains a control character',
  'each key-value declaration must be followed by an end-of-line': 'the line should end after its value',
  'document contains excessively nested structures. aborting.': 'this is nested too deeply'
}

function describeSyntaxError ({ message, line, column }: TomlError, text: string): string {
  const what = message.split('\n', 1)[0].replace(/^Invalid TOML document: /, '')
  if (/^trying to redefine an already defined/.test(what)) {
    // Only the name: a value may be a password.
    const [name] = /^[\w.-]+/.exec(text.split('\n')[line - 1].slice(column - 1)) ?? ['this key or table']
    return `${name} is already defined`
  }
  return SYNTAX_MESSAGES[what] ?? what
}

/** Convert to plain objects with numbers and texts only. Values that no option accepts are reported and left out. */
export function toPlainObject (table: TomlTable, collector: ErrorCollector, path: ConfigPath = []): Record<string, unknown> {
  return Object.fromEntries(Object.entries(table).flatMap(([key, value]) => {
    const at = [...path, key]
    if (key === '__proto__') {
      collector.report(at, (place) => new FST_SLUICE_UNKNOWN_OPTION(place, ''))
      return []
    }
    return [[key, toPlainValue(value, collector, at)]]
  }))
}

function toPlainValue (value: TomlValue, collector: ErrorCollector, path: ConfigPath): unknown {
  if (path.length > MAX_DEPTH) {
    collector.report(path, (place) => new FST_SLUICE_CONTRADICTION(place, `is more than ${MAX_DEPTH} levels deep`))
    return undefined
  }
  // Integers above 2^53 are out of range for every option, so rounding them is harmless.
  if (typeof value === 'bigint') return Number(value)
  if (typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map((item, index) => toPlainValue(item, collector, [...path, index]))
  if (isTable(value)) return toPlainObject(value, collector, path)
  collector.report(path, (place) => new FST_SLUICE_CONTRADICTION(place, 'is a date or a time, which no option accepts; text needs quotes'))
  return undefined
}

/** Tables have no prototype; dates have one. */
function isTable (value: object): value is TomlTable {
  return Object.getPrototypeOf(value) === null
}
