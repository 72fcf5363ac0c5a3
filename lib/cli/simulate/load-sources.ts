import { findCompileErrors } from '../common/compile-errors.js'
import { formatError, sortDiagnostics, toDiagnostic } from '../common/diagnostic.js'
import { readSources, type Sources } from '../common/read-sources.js'
import type { Environment } from '../../config/environment/environment.js'
import { findCost } from './log/log-entry.js'
import { findEntry } from './replay/replay-request.js'

/** In place of the code of an application: the cost that a log gives. A file overrides it. */
export const CODE = { cost: (request: unknown) => findCost(findEntry(request)?.given, null) }

/** Read the options that a log is replayed under. `file`: `null` for the defaults. Returns all mistakes as lines, if there are any. */
export function loadSources (file: string | null, environment: Environment | null): Sources | { readonly mistakes: readonly string[] } {
  const sources = readSources(file, environment, CODE)
  const mistakes = 'merged' in sources ? findCompileErrors(sources) : sources
  if ('merged' in sources && mistakes.length === 0) return sources
  return { mistakes: sortDiagnostics(mistakes.map((mistake) => toDiagnostic(mistake, file ?? 'rateLimit'))).map(formatError) }
}
