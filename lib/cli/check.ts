import type { Environment } from '../config/environment/environment.js'
import { explainPlugin, type ExplainedOption } from '../config/layers/explain.js'
import { findWarnings } from '../warnings/warnings.js'
import { findCompileErrors, ROUTING } from './common/compile-errors.js'
import { buildEffectivePolicies, type EffectivePolicy } from './effective-policies.js'
import { readSources } from './common/read-sources.js'
import { sortDiagnostics, parseDiagnostic, toDiagnostic, type Diagnostic } from './common/diagnostic.js'

/** The result of checking a config file. */
export interface CheckReport {
  /** In the order of their lines. If there are any, the other fields are empty. */
  readonly mistakes: readonly Diagnostic[]
  /** Options that are valid but probably wrong. */
  readonly warnings: readonly Diagnostic[]
  readonly policies: readonly EffectivePolicy[]
  /** Options of the whole registration. */
  readonly plugin: readonly ExplainedOption[]
  /** Whether the default policy applies to routes without limits of their own. */
  readonly isGlobal: boolean
  readonly isEnabled: boolean
}

/** Check a file before a deployment. `environment`: variables that override the file; `null` ignores them. */
export function checkFile (file: string, environment: Environment | null): CheckReport {
  const sources = readSources(file, environment)
  const mistakes = 'merged' in sources ? findCompileErrors(sources) : sources
  if (!('merged' in sources) || mistakes.length > 0) return createErrorReport(mistakes, file)
  const { merged } = sources
  const policies = buildEffectivePolicies(sources)
  const warnings = findWarnings({ options: merged.options, routing: ROUTING, locate: merged.locate, policies })
  return {
    mistakes: [],
    warnings: sortDiagnostics(warnings.map(({ text, code }) => parseDiagnostic(text, code, file))),
    policies,
    plugin: explainPlugin(merged),
    isGlobal: merged.resolved.global,
    isEnabled: merged.resolved.enabled
  }
}

function createErrorReport (mistakes: readonly Error[], file: string): CheckReport {
  const diagnostics = sortDiagnostics(mistakes.map((mistake) => toDiagnostic(mistake, file)))
  return { mistakes: diagnostics, warnings: [], policies: [], plugin: [], isGlobal: true, isEnabled: true }
}
