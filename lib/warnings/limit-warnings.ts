import type { ConfigPath } from '../config/schema/option-path.js'
import type { Policy } from '../policies/policy.js'
import { formatDuration } from '../common/format-duration.js'
import type { Limit } from '../stores/store.js'
import type { WarningInput } from './warning-input.js'

const SECOND_US = 1_000_000
const MINUTE_US = 60 * SECOND_US
const HOUR_US = 60 * MINUTE_US

/** A limit of at most this many requests needs no shorter limit: five logins per hour cannot cause a flood. */
const FEW_AT_ONCE = 10

/** A burst of this many windows was probably written for another `max` or another `timeWindow`. */
const MANY_WINDOWS = 100

/** A long window that can be used up at once. */
export function longWindowAlone (input: WarningInput): string[] {
  return listCompiledPolicies(input, isLongWindowAlone).flatMap(({ policy, locate }) => {
    const enforced = [...policy.limits.entries()].filter(([, { mode }]) => mode === 'enforce')
    return enforced.map(([index, limit]) => {
      const wait = formatDuration(limit.windowUs / 1000)
      const fix = `add a limit with a short timeWindow${limit.algorithm === 'token-bucket' ? ', or a burst' : ''}`
      return `${locate(index, 'timeWindow')}: allows ${limit.capacity} requests at once and then none for up to ${wait}; ${fix}`
    })
  })
}

/**
 * A limit that bounds the units used at once also bounds the other limits: a request is charged to all or to none. A quota alone is
 * a choice.
 */
function isLongWindowAlone (policy: Policy): boolean {
  return policy.limits.every(({ mode, windowUs, calendar, capacity, max }) => {
    return mode === 'shadow' || (calendar === null && windowUs >= HOUR_US && capacity > FEW_AT_ONCE && capacity >= max)
  })
}

/** Headers state whole seconds, so the shortest wait that they can state is one second. */
export function shortWindow (input: WarningInput): string[] {
  return listLimits(input, ({ windowUs }) => windowUs < SECOND_US)
    .map(({ limit: { windowUs }, locate }) => {
      const ms = windowUs / 1000
      const fix = `a number means milliseconds, so write "${ms}s" for seconds`
      return `${locate('timeWindow')}: is ${ms} milliseconds, but headers state whole seconds; ${fix}`
    })
}

/**
 * A burst above `max`. With a short window, this is a usual way to set the capacity of a bucket. There, only a burst of
 * at least `MANY_WINDOWS` windows is reported.
 */
export function burstAboveMax (input: WarningInput): string[] {
  return listLimits(input, isBurstAboveMax)
    .map(({ limit: { max, capacity, windowUs }, locate }) => {
      return `${locate('burst')}: allows ${capacity} requests at once, but max allows ${max} per ${formatDuration(windowUs / 1000)}`
    })
}

function isBurstAboveMax ({ max, capacity, windowUs }: Limit): boolean {
  return max > 0 && (windowUs >= MINUTE_US ? capacity > max : capacity >= max * MANY_WINDOWS)
}

/** A first block that ends before the limit itself would allow a request. */
export function shortCooldown (input: WarningInput): string[] {
  const isPenal = (policy: Policy) => policy.limits.some(({ penalty }) => penalty !== null)
  return listCompiledPolicies(input, isPenal).flatMap(({ policy, penaltyPlace }) => policy.limits.flatMap((limit) => {
    const { penalty, by, mode, name } = limit
    const waitUs = getMaxWaitUs(limit)
    // Global limits and shadow limits cause no strikes.
    if (penalty === null || by === 'global' || mode === 'shadow' || limit.max === 0 || penalty.cooldownUs >= waitUs) return []
    const [cooldown, wait] = [formatDuration(penalty.cooldownUs / 1000), formatDuration(Math.ceil(waitUs / 1000))]
    return [`${penaltyPlace}: the first block lasts ${cooldown}, but the limit "${name}" itself may refuse for up to ${wait}`]
  }))
}

/** A throttle whose longest delay is a small part of the wait for one unit: it holds hardly any request. */
export function shortDelay (input: WarningInput): string[] {
  const listShort = ({ delayableLimits }: Policy) => (delayableLimits ?? []).filter(isShortDelay)
  return listCompiledPolicies(input, (policy) => listShort(policy).length > 0).flatMap(({ policy, delayPlace }) => {
    return listShort(policy).map((limit) => {
      const [delay, wait] = [formatDuration(limit.maxDelayUs / 1000), formatDuration(Math.ceil(getMaxWaitUs(limit) / 1000))]
      return `${delayPlace}: holds a request for up to ${delay}, but the limit "${limit.name}" has one unit in ${wait}`
    })
  })
}

function isShortDelay (limit: Limit): boolean {
  const { algorithm, max, maxDelayUs } = limit
  return algorithm === 'token-bucket' && max > 0 && maxDelayUs > 0 && maxDelayUs * 20 < getMaxWaitUs(limit)
}

/** The longest wait for one unit after all units are used. */
function getMaxWaitUs ({ algorithm, max, windowUs }: Limit): number {
  return algorithm === 'token-bucket' ? windowUs / max : windowUs
}

interface CompiledPolicy {
  readonly policy: Policy
  /** Where a field of a limit was written. */
  readonly locate: (index: number, field: string) => string
  readonly penaltyPlace: string
  readonly delayPlace: string
}

/** The policies with a case. Only for those the sources of their options are searched. */
function listCompiledPolicies (
  { options: { rules = [] }, policies, locate }: WarningInput, hasCase: (policy: Policy) => boolean
): CompiledPolicy[] {
  return policies.flatMap((one) => {
    const { rule, tier, policy } = one
    // The limits of a function are placeholders.
    if (policy === null || policy.dynamicLimits !== null || !hasCase(policy)) return []
    const given = one.options.filter(({ from }) => from !== 'built-in')
    // No warning for a policy with built-in limits only.
    if (!given.some(({ option }) => /^(?:limits\[\d+\]\.)?(?:max|timeWindow|period|burst)$/.test(option))) return []
    const rulePath: ConfigPath = rule === null ? [] : ['rules', rules.indexOf(rule)]
    const path = tier === null ? rulePath : [...rulePath, 'tiers', tier]
    return [{
      policy,
      locate: (index, field) => {
        const written = [field, 'max', 'timeWindow', 'period'].flatMap((name) => {
          return given.filter(({ option }) => option === name || option === `limits[${index}].${name}`)
        })
        // Prefer an option of the policy itself to an inherited option, which may be right for the other policy.
        const own = written.find(({ option, place }) => place === locate([...path, ...parseOptionPath(option)]))
        return (own ?? written[0])?.place ?? locate(path)
      },
      delayPlace: given.find(({ option }) => option === 'throttle.maxDelay')?.place ?? locate([...rulePath, 'throttle']),
      penaltyPlace: given.find(({ option }) => option === 'penalty.cooldown')?.place ?? locate([...rulePath, 'penalty'])
    }]
  })
}

/** `limits[0].max` as a path. */
function parseOptionPath (option: string): ConfigPath {
  const [, index, field] = /^limits\[(\d+)\]\.(.+)$/.exec(option) ?? []
  return index === undefined ? [option] : ['limits', Number(index), field]
}

interface LocatedLimit {
  readonly limit: Limit
  readonly locate: (field: string) => string
}

function listLimits (input: WarningInput, isCase: (limit: Limit) => boolean): LocatedLimit[] {
  return listCompiledPolicies(input, ({ limits }) => limits.some(isCase)).flatMap(({ policy, locate }) => {
    return policy.limits
      .map((limit, index) => ({ limit, locate: (field: string) => locate(index, field) }))
      .filter(({ limit }) => isCase(limit))
  })
}
