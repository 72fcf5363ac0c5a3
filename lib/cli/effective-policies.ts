import { explainPolicy, listPolicies } from '../config/layers/explain.js'
import { compilePolicy } from '../policies/compile.js'
import { builtInDraft, mergePolicy } from '../policies/policy-draft.js'
import type { Policy } from '../policies/policy.js'
import { REGISTRATION, ROOT } from './common/compile-errors.js'
import type { WarningPolicy } from '../warnings/warning-input.js'
import type { Sources } from './common/read-sources.js'

/** A policy, or the limits of one of its tiers, after merging. */
export interface EffectivePolicy extends WarningPolicy {
  /** Whether other tiers have limits of their own. */
  readonly hasTiers: boolean
}

/** Build every policy of valid sources, the default policy first. */
export function buildEffectivePolicies ({ merged, rulesAlone, madeInCode }: Sources): EffectivePolicy[] {
  const rules = merged.options.rules ?? []
  const draft = mergePolicy(builtInDraft, merged.options, 'default', ROOT)
  const compiled = new Map<string | null, Policy>([[null, compilePolicy(REGISTRATION, draft, ROOT)]])
  for (const rule of rules) {
    if (madeInCode.has(rule.name)) continue
    const place = `${ROOT}.rules`
    compiled.set(rule.name, compilePolicy(REGISTRATION, mergePolicy(draft, rule, `rule:${rule.name}`, place), place))
  }
  const known = listPolicies(merged).filter(({ rule }) => rule === null || !madeInCode.has(rule))
  const partlyKnown = listPolicies(rulesAlone).filter(({ rule }) => rule !== null && madeInCode.has(rule))
  return [...known, ...partlyKnown].map((name) => {
    const isMadeInCode = name.rule !== null && madeInCode.has(name.rule)
    const policy = compiled.get(name.rule) ?? null
    const explained = explainPolicy(isMadeInCode ? rulesAlone : merged, name) ?? []
    return {
      rule: rules.find((rule) => rule.name === name.rule) ?? null,
      tier: name.tier,
      hasTiers: [...known, ...partlyKnown].some(({ rule, tier }) => rule === name.rule && tier !== null),
      policy: name.tier === null ? policy : policy?.tiers?.get(name.tier) ?? null,
      isMadeInCode,
      options: isMadeInCode ? explained.filter(({ from }) => from === 'file' || from === 'environment') : explained
    }
  })
}
