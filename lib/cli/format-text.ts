import type { EffectivePolicy } from './effective-policies.js'
import { alignRows, type Cell } from './common/table.js'
import type { Diagnostic } from './common/diagnostic.js'
import type { CheckReport } from './check.js'
import { IN_CODE, describeLimits, describeModes, findValue } from './describe-limits.js'

export function formatWarning ({ place, message, code }: Diagnostic): string {
  return `${place}: warning: ${message} (${code})`
}

/** The policies of a valid file, one line per limit, after a line with the headings. */
export function formatPolicyTable ({ policies, isGlobal }: CheckReport): string[] {
  const headings = ['RULE', 'METHODS', 'MATCH', 'TIER', 'LIMITS', 'MODE', 'ON FAILURE']
  return alignRows([headings, ...policies.map((policy) => toCells(policy, isGlobal))])
}

function toCells (policy: EffectivePolicy, isGlobal: boolean): Cell[] {
  const { rule, tier, hasTiers, isMadeInCode, options } = policy
  return [
    rule === null ? '(default)' : rule.name,
    formatMethods(policy),
    rule === null ? isGlobal ? '(every other route)' : '(no route)' : isMadeInCode ? IN_CODE : rule.match,
    tier ?? (hasTiers ? '(others)' : '(any)'),
    describeLimits(policy),
    describeModes(policy),
    String(findValue(options, 'failureMode') ?? (isMadeInCode ? IN_CODE : ''))
  ]
}

function formatMethods ({ rule, isMadeInCode }: EffectivePolicy): string {
  return rule?.methods?.join(',') ?? (isMadeInCode ? IN_CODE : '(any)')
}

/** Every option of every policy, with the layer that set it. */
export function formatExplanation ({ policies, plugin }: CheckReport): string[] {
  const blocks = policies.map(({ rule, tier, options }) => {
    return { title: [rule?.name ?? '(default)', ...(tier === null ? [] : [`tier ${tier}`])].join(', '), options }
  })
  return [{ title: '(the registration)', options: plugin }, ...blocks].flatMap(({ title, options }) => [
    ...alignRows([[title]]),
    ...alignRows(options.map(({ option, value, from, place }) => {
      return ['', option, JSON.stringify(value), from === 'built-in' ? from : `${from}, ${place}`]
    }))
  ])
}
