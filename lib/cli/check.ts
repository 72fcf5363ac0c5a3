import type { Environment } from '../config/environment/environment.js'
import { explainPlugin, type ExplainedOption } from '../config/layers/explain.js'
import { findCompileErrors } from './compile-errors.js'
import { buildEffectivePolicies, type EffectivePolicy } from './effective-policies.js'
import { readSources } from './read-sources.js'
import { sortDiagnostics, parseDiagnostic, toDiagnostic, type Diagnostic } from './diagnostic.js'
import { findWarnings } from './warnings.js'

/** What there is to say of a config file. */
export interface CheckReport {
  /** In the order of their lines. Where there are any, the rest is empty. */
  readonly mistakes: readonly Diagnostic[]
  /** What is legal but likely wrong. */
  readonly warnings: readonly Diagnostic[]
  readonly policies: readonly EffectivePolicy[]
  /** Options of the whole registration. */
  readonly plugin: readonly ExplainedOption[]
  /** Whether the default policy holds for routes without limits of their own. */
  readonly isGlobal: boolean
  readonly isEnabled: boolean
}

/** Check a file as before a deployment. `environment`: the variables that are laid over it; `null` leaves them out. */
export function checkFile (file: string, environment: Environment | null): CheckReport {
  const sources = readSources(file, environment)
  const mistakes = 'merged' in sources ? findCompileErrors(sources) : sources
  if (!('merged' in sources) || mistakes.length > 0) return createErrorReport(mistakes, file)
  const { merged } = sources
  const policies = buildEffectivePolicies(sources)
  const warnings = findWarnings({ options: merged.options, locate: merged.locate, policies })
  return {
    mistakes: [],
    warnings: sortDiagnostics(warnings.map(({ text, code }) => parseDiagnostic(text, code, file))),
    policies,
    plugin: explainPlugin(merged),
    isGlobal: merged.options.global ?? true,
    isEnabled: merged.options.enabled ?? true
  }
}

function createErrorReport (mistakes: readonly Error[], file: string): CheckReport {
  return { mistakes: sortDiagnostics(mistakes.map((mistake) => toDiagnostic(mistake, file))), warnings: [], policies: [], plugin: [], isGlobal: true, isEnabled: true }
}
