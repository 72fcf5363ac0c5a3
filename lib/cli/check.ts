import type { Environment } from '../config/environment/environment.js'
import { explainPlugin, type ExplainedOption } from '../config/layers/explain.js'
import { compileMistakes } from './compile-errors.js'
import { effectivePolicies, type EffectivePolicy } from './effective-policies.js'
import { readSources } from './read-sources.js'
import { inOrder, toldAt, toldOf, type Told } from './diagnostic.js'
import { warningsOf } from './warnings.js'

/** What there is to say of a config file. */
export interface Verdict {
  /** In the order of their lines. Where there are any, the rest is empty. */
  readonly mistakes: readonly Told[]
  /** What is legal but likely wrong. */
  readonly warnings: readonly Told[]
  readonly policies: readonly EffectivePolicy[]
  /** Options of the whole registration. */
  readonly plugin: readonly ExplainedOption[]
  /** Whether the default policy holds for routes without limits of their own. */
  readonly isGlobal: boolean
  readonly isEnabled: boolean
}

/** Check a file as before a deployment. `environment`: the variables that are laid over it; `null` leaves them out. */
export function verdictOn (file: string, environment: Environment | null): Verdict {
  const sources = readSources(file, environment)
  const mistakes = 'layered' in sources ? compileMistakes(sources) : sources
  if (!('layered' in sources) || mistakes.length > 0) return refused(mistakes, file)
  const { layered } = sources
  const policies = effectivePolicies(sources)
  const warnings = warningsOf({ options: layered.options, placeOf: layered.placeOf, policies })
  return {
    mistakes: [],
    warnings: inOrder(warnings.map(({ text, code }) => toldAt(text, code, file))),
    policies,
    plugin: explainPlugin(layered),
    isGlobal: layered.options.global ?? true,
    isEnabled: layered.options.enabled ?? true
  }
}

function refused (mistakes: readonly Error[], file: string): Verdict {
  return { mistakes: inOrder(mistakes.map((mistake) => toldOf(mistake, file))), warnings: [], policies: [], plugin: [], isGlobal: true, isEnabled: true }
}
