import type { ConfigPath } from '../config/schema/option-path.js'
import type { Policy } from '../policies/policy.js'
import { formatDuration } from '../common/format-duration.js'
import type { Limit } from '../stores/store.js'
import type { WarningInput } from './warning-input.js'

const SECOND_US = 1_000_000
const MINUTE_US = 60 * SECOND_US
const HOUR_US = 60 * MINUTE_US

/** So many requests at one moment are no flood: five log-ins an hour need no limit beside them. */
const FEW_AT_ONCE = 10

/** A burst of so many windows was meant for another `max` or another `timeWindow`. */
const MANY_WINDOWS = 100

/** A long window that may be used up in one moment. */
export function longWindowAlone (input: WarningInput): string[] {
  return listCompiledPolicies(input).flatMap(({ policy, locate }) => {
    const enforced = [...policy.limits.entries()].filter(([, { mode }]) => mode === 'enforce')
    // One that bounds what can be used at once bounds the others too, since all are charged or none.
    if (enforced.some(([, limit]) => limit.windowUs < HOUR_US || limit.capacity <= FEW_AT_ONCE || limit.capacity < limit.max)) return []
    return enforced.map(([index, limit]) => {
      return `${locate(index, 'timeWindow')}: lets ${limit.capacity} requests pass at one moment and then none for up to ${formatDuration(limit.windowUs / 1000)}; put a limit with a short timeWindow beside it${limit.algorithm === 'token-bucket' ? ', or a burst' : ''}`
    })
  })
}

/** Headers count in whole seconds, and one second is the shortest wait that they can tell. */
export function shortWindow (input: WarningInput): string[] {
  return listLimits(input).filter(({ limit }) => limit.windowUs < SECOND_US)
    .map(({ limit, locate }) => `${locate('timeWindow')}: is ${limit.windowUs / 1000} milliseconds, and clients are told whole seconds; a number is milliseconds, so write "${limit.windowUs / 1000}s" for seconds`)
}

/**
 * A burst that is more than a whole window's worth. With short windows that is how a bucket is given its size, so there it
 * must be out of all proportion.
 */
export function burstAboveMax (input: WarningInput): string[] {
  return listLimits(input)
    .filter(({ limit: { max, capacity, windowUs } }) => max > 0 && (windowUs >= MINUTE_US ? capacity > max : capacity >= max * MANY_WINDOWS))
    .map(({ limit, locate }) => `${locate('burst')}: lets ${limit.capacity} requests pass at one moment, where max allows ${limit.max} per ${formatDuration(limit.windowUs / 1000)}`)
}

/** A first block that is over before the limit would have let anything pass. */
export function shortCooldown (input: WarningInput): string[] {
  return listCompiledPolicies(input).flatMap(({ policy, penaltyPlace }) => policy.limits.flatMap((limit) => {
    const { penalty, by, mode, name } = limit
    const waitUs = getMaxWaitUs(limit)
    // Neither a limit for all together nor one on trial is anybody's fault.
    if (penalty === null || by === 'global' || mode === 'shadow' || limit.max === 0 || penalty.cooldownUs >= waitUs) return []
    return [`${penaltyPlace}: blocks for ${formatDuration(penalty.cooldownUs / 1000)} at first, which is over before the limit "${name}" itself lets anything pass (up to ${formatDuration(Math.ceil(waitUs / 1000))})`]
  }))
}

/** How long a client that has used everything waits for one unit. */
function getMaxWaitUs ({ algorithm, max, windowUs }: Limit): number {
  return algorithm === 'token-bucket' ? windowUs / max : windowUs
}

interface CompiledPolicy {
  readonly policy: Policy
  /** Where a field of a limit was written. */
  readonly locate: (index: number, field: string) => string
  readonly penaltyPlace: string
}

function listCompiledPolicies ({ options: { rules = [] }, policies, locate }: WarningInput): CompiledPolicy[] {
  return policies.flatMap(({ rule, tier, policy, options }) => {
    const given = options.filter(({ from }) => from !== 'built-in')
    // What is built in is nobody's mistake.
    if (policy === null || !given.some(({ option }) => /^(?:limits\[\d+\]\.)?(?:max|timeWindow|burst)$/.test(option))) return []
    const rulePath: ConfigPath = rule === null ? [] : ['rules', rules.indexOf(rule)]
    const path = tier === null ? rulePath : [...rulePath, 'tiers', tier]
    return [{
      policy,
      locate: (index, field) => {
        const written = [field, 'max', 'timeWindow'].flatMap((name) => given.filter(({ option }) => option === name || option === `limits[${index}].${name}`))
        // Rather what the policy says itself than what it inherits, which is right where it stands.
        const own = written.find(({ option, place }) => place === locate([...path, ...parseOptionPath(option)]))
        return (own ?? written[0])?.place ?? locate(path)
      },
      penaltyPlace: given.find(({ option }) => option === 'penalty.cooldown')?.place ?? locate([...rulePath, 'penalty'])
    }]
  })
}

/** `limits[0].max` as a path. */
function parseOptionPath (option: string): ConfigPath {
  const [, index, field] = /^limits\[(\d+)\]\.(.+)$/.exec(option) ?? []
  return index === undefined ? [option] : ['limits', Number(index), field]
}

function listLimits (input: WarningInput): Array<{ readonly limit: Limit, readonly locate: (field: string) => string }> {
  return listCompiledPolicies(input).flatMap(({ policy, locate }) => policy.limits.map((limit, index) => ({ limit, locate: (field) => locate(index, field) })))
}
