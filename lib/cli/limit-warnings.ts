import type { ConfigPath } from '../config/schema/option-path.js'
import type { Policy } from '../policies/policy.js'
import { durationWords } from '../common/format-duration.js'
import type { Limit } from '../stores/store.js'
import type { Subject } from './warning-input.js'

const SECOND_US = 1_000_000
const MINUTE_US = 60 * SECOND_US
const HOUR_US = 60 * MINUTE_US

/** So many requests at one moment are no flood: five log-ins an hour need no limit beside them. */
const FEW_AT_ONCE = 10

/** A burst of so many windows was meant for another `max` or another `timeWindow`. */
const MANY_WINDOWS = 100

/** A long window that may be used up in one moment. */
export function longWindowAlone (subject: Subject): string[] {
  return compiled(subject).flatMap(({ policy, placeOf }) => {
    const enforced = [...policy.limits.entries()].filter(([, { mode }]) => mode === 'enforce')
    // One that bounds what can be used at once bounds the others too, since all are charged or none.
    if (enforced.some(([, limit]) => limit.windowUs < HOUR_US || limit.capacity <= FEW_AT_ONCE || limit.capacity < limit.max)) return []
    return enforced.map(([index, limit]) => {
      return `${placeOf(index, 'timeWindow')}: lets ${limit.capacity} requests pass at one moment and then none for up to ${durationWords(limit.windowUs / 1000)}; put a limit with a short timeWindow beside it${limit.algorithm === 'token-bucket' ? ', or a burst' : ''}`
    })
  })
}

/** Headers count in whole seconds, and one second is the shortest wait that they can tell. */
export function shortWindow (subject: Subject): string[] {
  return limitsOf(subject).filter(({ limit }) => limit.windowUs < SECOND_US)
    .map(({ limit, placeOf }) => `${placeOf('timeWindow')}: is ${limit.windowUs / 1000} milliseconds, and clients are told whole seconds; a number is milliseconds, so write "${limit.windowUs / 1000}s" for seconds`)
}

/**
 * A burst that is more than a whole window's worth. With short windows that is how a bucket is given its size, so there it
 * must be out of all proportion.
 */
export function burstAboveMax (subject: Subject): string[] {
  return limitsOf(subject)
    .filter(({ limit: { max, capacity, windowUs } }) => max > 0 && (windowUs >= MINUTE_US ? capacity > max : capacity >= max * MANY_WINDOWS))
    .map(({ limit, placeOf }) => `${placeOf('burst')}: lets ${limit.capacity} requests pass at one moment, where max allows ${limit.max} per ${durationWords(limit.windowUs / 1000)}`)
}

/** A first block that is over before the limit would have let anything pass. */
export function shortCooldown (subject: Subject): string[] {
  return compiled(subject).flatMap(({ policy, penaltyPlace }) => policy.limits.flatMap((limit) => {
    const { penalty, by, mode, name } = limit
    const waitUs = longestWaitUs(limit)
    // Neither a limit for all together nor one on trial is anybody's fault.
    if (penalty === null || by === 'global' || mode === 'shadow' || limit.max === 0 || penalty.cooldownUs >= waitUs) return []
    return [`${penaltyPlace}: blocks for ${durationWords(penalty.cooldownUs / 1000)} at first, which is over before the limit "${name}" itself lets anything pass (up to ${durationWords(Math.ceil(waitUs / 1000))})`]
  }))
}

/** How long a client that has used everything waits for one unit. */
function longestWaitUs ({ algorithm, max, windowUs }: Limit): number {
  return algorithm === 'token-bucket' ? windowUs / max : windowUs
}

interface Compiled {
  readonly policy: Policy
  /** Where a field of a limit was written. */
  readonly placeOf: (index: number, field: string) => string
  readonly penaltyPlace: string
}

function compiled ({ options: { rules = [] }, policies, placeOf }: Subject): Compiled[] {
  return policies.flatMap(({ rule, tier, policy, options }) => {
    const given = options.filter(({ from }) => from !== 'built-in')
    // What is built in is nobody's mistake.
    if (policy === null || !given.some(({ option }) => /^(?:limits\[\d+\]\.)?(?:max|timeWindow|burst)$/.test(option))) return []
    const ofRule: ConfigPath = rule === null ? [] : ['rules', rules.indexOf(rule)]
    const path = tier === null ? ofRule : [...ofRule, 'tiers', tier]
    return [{
      policy,
      placeOf: (index, field) => {
        const written = [field, 'max', 'timeWindow'].flatMap((name) => given.filter(({ option }) => option === name || option === `limits[${index}].${name}`))
        // Rather what the policy says itself than what it inherits, which is right where it stands.
        const own = written.find(({ option, place }) => place === placeOf([...path, ...stepsOf(option)]))
        return (own ?? written[0])?.place ?? placeOf(path)
      },
      penaltyPlace: given.find(({ option }) => option === 'penalty.cooldown')?.place ?? placeOf([...ofRule, 'penalty'])
    }]
  })
}

/** `limits[0].max` as a path. */
function stepsOf (option: string): ConfigPath {
  const [, index, field] = /^limits\[(\d+)\]\.(.+)$/.exec(option) ?? []
  return index === undefined ? [option] : ['limits', Number(index), field]
}

function limitsOf (subject: Subject): Array<{ readonly limit: Limit, readonly placeOf: (field: string) => string }> {
  return compiled(subject).flatMap(({ policy, placeOf }) => policy.limits.map((limit, index) => ({ limit, placeOf: (field) => placeOf(index, field) })))
}
