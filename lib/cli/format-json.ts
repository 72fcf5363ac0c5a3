import type { Limit } from '../stores/store.js'
import type { EffectivePolicy } from './effective-policies.js'
import type { CheckReport } from './check.js'
import { findValue } from './describe-limits.js'

/** The output of `--json`. Fields may be added, but must not be removed or change their meaning. */
export function toJson (report: CheckReport, isValid: boolean): object {
  const { mistakes, warnings, policies } = report
  return { ok: isValid, mistakes, warnings, policies: policies.map(toJsonPolicy) }
}

function toJsonPolicy ({ rule, tier, policy, isMadeInCode, options }: EffectivePolicy): object {
  return {
    rule: rule?.name ?? null,
    match: isMadeInCode ? null : rule?.match ?? null,
    methods: rule?.methods ?? null,
    override: isMadeInCode ? findValue(options, 'override') : rule?.override ?? false,
    tier,
    isMadeInCode,
    isUnlimited: policy === null && !isMadeInCode,
    limits: policy?.limits.map((limit, index) => ({ ...toJsonLimit(limit), unleased: policy.unleased[index] })) ?? [],
    mode: findValue(options, 'mode'),
    failureMode: findValue(options, 'failureMode'),
    options
  }
}

function toJsonLimit ({ name, max, windowUs, calendar, capacity, algorithm, by, mode }: Limit): object {
  return { name, max, timeWindowMs: windowUs / 1000, period: calendar?.description ?? null, burst: capacity, algorithm, by, mode }
}
