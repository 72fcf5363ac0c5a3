import type { EffectivePolicy } from './effective-policies.js'
import { aligned, type Cell } from './table.js'
import type { Told } from './diagnostic.js'
import type { Verdict } from './check.js'
import { IN_CODE, limitsInWords, modesInWords, valueOf } from './describe-limits.js'

/** A mistake as one line, as editors and terminals know to open it. */
export function mistakeLine ({ place, message }: Told): string {
  return `${place}: ${message}`
}

export function warningLine ({ place, message, code }: Told): string {
  return `${place}: warning: ${message} (${code})`
}

/** The policies of a good file, a line each or, of several limits, as many lines; the first has the headings. */
export function policyTable ({ policies, isGlobal }: Verdict): string[] {
  const headings = ['RULE', 'METHODS', 'MATCH', 'TIER', 'LIMITS', 'MODE', 'ON FAILURE']
  return aligned([headings, ...policies.map((policy) => cellsOf(policy, isGlobal))])
}

function cellsOf (policy: EffectivePolicy, isGlobal: boolean): Cell[] {
  const { rule, tier, hasTiers, isMadeInCode, options } = policy
  return [
    rule === null ? '(default)' : rule.name,
    methodsOf(policy),
    rule === null ? isGlobal ? '(every other route)' : '(no route)' : isMadeInCode ? IN_CODE : rule.match,
    tier ?? (hasTiers ? '(others)' : '(any)'),
    limitsInWords(policy),
    modesInWords(policy),
    String(valueOf(options, 'failureMode') ?? (isMadeInCode ? IN_CODE : ''))
  ]
}

function methodsOf ({ rule, isMadeInCode }: EffectivePolicy): string {
  return rule?.methods?.join(',') ?? (isMadeInCode ? IN_CODE : '(any)')
}

/** Every option of every policy, with the layer that it is from. */
export function explanation ({ policies, plugin }: Verdict): string[] {
  const blocks = policies.map(({ rule, tier, options }) => ({ title: [rule?.name ?? '(default)', ...(tier === null ? [] : [`tier ${tier}`])].join(', '), options }))
  return [{ title: '(the registration)', options: plugin }, ...blocks].flatMap(({ title, options }) => [
    ...aligned([[title]]),
    ...aligned(options.map(({ option, value, from, place }) => ['', option, JSON.stringify(value), from === 'built-in' ? from : `${from}, ${place}`]))
  ])
}
