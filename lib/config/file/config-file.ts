import type { TomlTable } from 'smol-toml'
import { FST_SLUICE_BAD_SYNTAX, FST_SLUICE_UNREADABLE_FILE } from '../../errors.js'
import { checkFileOptions } from './check-file.js'
import { readText } from './read-text.js'
import { type Layer, type LayerOptions } from '../layers/layer.js'
import { formatPath } from '../schema/option-path.js'
import { type ConfigPath } from '../schema/option-path.js'
import { ErrorCollector } from '../schema/error-collector.js'
import { createPositionFinder, type TextPosition } from './toml-positions.js'
import { parseToml, toPlainObject } from './toml.js'

/** The result of reading a config file: its layer, or all its errors in the order of its lines. */
export type ConfigFile =
  | { readonly layer: Layer }
  | { readonly mistakes: readonly [Error, ...Error[]] }

/**
 * Read and validate a TOML config file by itself. Synchronous; never waits for a pipe or a device. Messages contain `path` as
 * it is given here.
 *
 * Errors are FST_SLUICE_UNREADABLE_FILE (its `cause` is the system's error; `ENOENT` for a missing file),
 * FST_SLUICE_BAD_SYNTAX, and for wrong options FST_SLUICE_BAD_OPTION, FST_SLUICE_UNKNOWN_OPTION and
 * FST_SLUICE_CONTRADICTION.
 */
export function readConfigFile (path: string): ConfigFile {
  try {
    return readConfigText(readText(path), path)
  } catch (error) {
    if (error instanceof FST_SLUICE_UNREADABLE_FILE) return { mistakes: [error] }
    throw error
  }
}

/** Validate the text of a config file by itself, as `readConfigFile` does. */
export function readConfigText (text: string, path: string): ConfigFile {
  try {
    return checkTable(parseToml(text, path), text, path)
  } catch (error) {
    if (error instanceof FST_SLUICE_BAD_SYNTAX) return { mistakes: [error] }
    throw error
  }
}

function checkTable (table: TomlTable, text: string, path: string): ConfigFile {
  // Most files have no errors, so the positions are computed on demand.
  let finder: ((path: ConfigPath) => TextPosition) | null = null
  const find = (at: ConfigPath): TextPosition => (finder ??= createPositionFinder(text))(at)
  const locate = (at: ConfigPath): string => {
    const { line, column } = find(at)
    return [`${path}:${line}:${column}`, ...(at.length === 0 ? [] : [formatPath('', at)])].join(': ')
  }
  const collector = new ErrorCollector(locate)
  const options = toPlainObject(table, collector)
  checkFileOptions(options, collector)
  const [first, ...others] = collector.sorted((a, b) => comparePositions(find(a), find(b)))
  return first === undefined ? { layer: { name: 'file', options: options as LayerOptions, locate } } : { mistakes: [first, ...others] }
}

function comparePositions (a: TextPosition, b: TextPosition): number {
  return a.line - b.line || a.column - b.column
}
