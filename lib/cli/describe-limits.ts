import type { ExplainedOption } from '../config/layers/explain.js'
import { formatDuration } from '../common/format-duration.js'
import type { UnleasedReason } from '../model/unleased-reason.js'
import type { Limit } from '../stores/store.js'
import type { EffectivePolicy } from './effective-policies.js'

const SCOPE_TEXTS: Readonly<Record<Limit['by'], string>> = {
  client: 'per client', ip: 'per address', user: 'per user', global: 'for all together'
}

/** The limits of a policy, each as `100 per minute, burst 20, per client`. */
export function describeLimits ({ policy, isMadeInCode, options }: EffectivePolicy): string[] {
  if (isMadeInCode) return [...describeKnownOptions(options), 'the rest is in code']
  if (policy === null) return ['unlimited']
  const { limits, unleased, cost, costs } = policy
  return limits.map((limit, index) => {
    const name = limits.length === 1 && limit.name === 'default' ? '' : `${limit.name}: `
    const ownCost = costs === null || costs[index] === cost ? [] : [`cost ${costs[index]}`]
    return `${name}${[describeLimit(limit), ...ownCost, ...describeLease(unleased[index])].join(', ')}`
  })
}

/** Whether a limit is leased if the limits are in Redis; nothing with `leases: false`. */
function describeLease (reason: UnleasedReason | null): string[] {
  if (reason === null) return ['leased']
  return reason === 'off' ? [] : [`not leased (${reason})`]
}

export function describeLimit ({ max, windowUs, calendar, capacity, algorithm, by }: Limit): string {
  return [
    max === 0 ? 'nothing' : `${max} per ${calendar?.description ?? describeWindow(windowUs / 1000)}`,
    ...(capacity === max || max === 0 ? [] : [`burst ${capacity}`]),
    ...(algorithm === 'token-bucket' || algorithm === 'calendar-window' ? [] : [algorithm.replace('-', ' ')]),
    SCOPE_TEXTS[by]
  ].join(', ')
}

/** `minute`, `10 seconds` */
function describeWindow (ms: number): string {
  return formatDuration(ms).replace(/^1 /, '')
}

/** The known options of a rule that is defined in code. */
function describeKnownOptions (options: readonly ExplainedOption[]): string[] {
  return options.filter(({ option }) => isLimitOption(option)).map(({ option, value }) => `${option} = ${JSON.stringify(value)}`)
}

function isLimitOption (option: string): boolean {
  return /^(?:limits\[\d+\]\.|tiers\.)|^(?:max|timeWindow|period|timeZone|anchor|burst|algorithm|by)$/.test(option)
}

/** The mode of a policy, or the modes of its limits if they differ. */
export function describeModes ({ policy, isMadeInCode, options }: EffectivePolicy): string[] {
  if (isMadeInCode) return [String(findValue(options, 'mode') ?? IN_CODE)]
  const share = policy?.rollout?.share
  const enforced = share === undefined ? 'enforce' : `enforce ${Math.round(share * 100)} %`
  const modes = policy?.limits.map(({ mode }) => mode === 'enforce' ? enforced : mode) ?? []
  return modes.every((mode) => mode === modes[0]) ? modes.slice(0, 1) : modes
}

export const IN_CODE = '(in code)'

/** The value of an option; `null` if it is not known. */
export function findValue (options: readonly ExplainedOption[], name: string): unknown {
  return options.find(({ option }) => option === name)?.value ?? null
}
