import { escapeUnprintable } from '../../common/printable.js'

/** A mistake or a warning. */
export interface Diagnostic {
  /** `rate-limit.toml:12:7`, the path of a file that cannot be read, or the name of an environment variable. */
  readonly place: string
  /** The error at this place, beginning with the option: `rules[2].max: expected ...`. */
  readonly message: string
  readonly code: string
}

/** A mistake as one line, in the form from which editors and terminals open a file. */
export function formatError ({ place, message }: Diagnostic): string {
  return `${place}: ${message}`
}

/** Convert an error of the options. `file`: the path as it was given. */
export function toDiagnostic (error: Error, file: string): Diagnostic {
  const code = 'code' in error ? String(error.code) : error.name
  return parseDiagnostic(error.message, code, file)
}

/** Split a text that begins with its place. Both parts are escaped. */
export function parseDiagnostic (text: string, code: string, file: string): Diagnostic {
  const [shown, shownFile] = [text, file].map(escapeUnprintable)
  const inFile = shown.startsWith(shownFile) ? /^(?::\d+:\d+)?(?=: )/.exec(shown.slice(shownFile.length)) : null
  const length = inFile === null ? shown.indexOf(': ') : shownFile.length + inFile[0].length
  return { place: shown.slice(0, length), message: shown.slice(length + 2), code }
}

/** Sort by line and column; diagnostics without a line come last. */
export function sortDiagnostics (diagnostics: readonly Diagnostic[]): Diagnostic[] {
  return diagnostics.toSorted((a, b) => {
    const [lineA, columnA] = parsePosition(a)
    const [lineB, columnB] = parsePosition(b)
    return lineA === lineB ? columnA - columnB : lineA - lineB
  })
}

function parsePosition ({ place }: Diagnostic): readonly [line: number, column: number] {
  const [, line, column] = /:(\d+):(\d+)$/.exec(place) ?? []
  return line === undefined ? [Number.MAX_SAFE_INTEGER, 0] : [Number(line), Number(column)]
}
