import type { Limit } from '../stores/store.js'
import type { EffectivePolicy } from './effective-policies.js'
import type { Verdict } from './check.js'
import { valueOf } from './describe-limits.js'

/** What `--json` prints. Fields may be added, but none is taken away or changes its meaning. */
export function jsonOf (verdict: Verdict, isGood: boolean): object {
  const { mistakes, warnings, policies } = verdict
  return { ok: isGood, mistakes, warnings, policies: policies.map(policyOf) }
}

function policyOf ({ rule, tier, policy, isMadeInCode, options }: EffectivePolicy): object {
  return {
    rule: rule?.name ?? null,
    match: isMadeInCode ? null : rule?.match ?? null,
    methods: rule?.methods ?? null,
    override: isMadeInCode ? valueOf(options, 'override') : rule?.override ?? false,
    tier,
    isMadeInCode,
    isUnlimited: policy === null && !isMadeInCode,
    limits: policy?.limits.map(limitOf) ?? [],
    mode: valueOf(options, 'mode'),
    failureMode: valueOf(options, 'failureMode'),
    options
  }
}

function limitOf ({ name, max, windowUs, capacity, algorithm, by, mode }: Limit): object {
  return { name, max, timeWindowMs: windowUs / 1000, burst: capacity, algorithm, by, mode }
}
