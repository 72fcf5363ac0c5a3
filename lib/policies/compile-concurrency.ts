import { createQuota } from '../algorithms/quota.js'
import type { SlotUsage } from '../concurrency/slot-usage.js'
import { badOption, requireDurationMs } from '../config/schema/check.js'
import { resolvePolicyOptions, type ResolvedConcurrency } from '../config/schema/resolve-options.js'
import { FST_SLUICE_CONTRADICTION } from '../errors.js'
import { formatDuration } from '../common/format-duration.js'
import type { Limit } from '../stores/store.js'
import { describeScope } from './bucket-registry.js'
import type { Concurrency } from './policy.js'
import type { ConcurrencyDraft } from './policy-draft.js'

/** The name of the limit in standings, bodies, logs and metrics. */
export const CONCURRENCY_LIMIT = 'concurrency'

const MIN_LEASE_MS = 1000
const MAX_LEASE_MS = 3_600_000
const LEASE_EXPECTED = `a duration from ${formatDuration(MIN_LEASE_MS)} to ${formatDuration(MAX_LEASE_MS)}`

/** What concurrency limits of a policy have in common. */
export interface ConcurrencySettings {
  readonly registration: string
  readonly place: string
  readonly generation: number
  /** The mode of the policy. */
  readonly mode: Limit['mode']
  /** Whether requests may be held for a rate. */
  readonly mayDelay: boolean
  readonly getUsage: (bucket: string, scope: string) => SlotUsage
}

type AdaptiveOptions = Pick<ResolvedConcurrency, 'min' | 'limit'> & Pick<Limit, 'mode'>

/** The same in shadow mode. */
export function asShadowConcurrency (draft: ConcurrencyDraft): ConcurrencyDraft {
  return { ...draft, options: draft.options === false ? false : { ...draft.options, mode: 'shadow' } }
}

/** Compile the concurrency limit of a policy or a tier; `null` without one. Throws FST_SLUICE_BAD_OPTION and FST_SLUICE_CONTRADICTION. */
export function compileConcurrency (settings: ConcurrencySettings, draft: ConcurrencyDraft): Concurrency | null {
  const { options, scope, tier } = draft
  const { concurrency } = resolvePolicyOptions({ concurrency: options })
  if (concurrency === false) return null
  const { registration, generation } = settings
  const place = `${settings.place}${tier === null ? '' : `.tiers.${tier}`}.concurrency`
  const { max, by, queue, mode = settings.mode } = concurrency
  if (max === 'adaptive') return compileAdaptive(settings, draft, { ...concurrency, mode }, place)
  if (max === undefined) throw badOption(`${place}.max`, 'the number of requests that may be in flight', undefined)
  if (queue !== false && settings.mayDelay) {
    throw new FST_SLUICE_CONTRADICTION(`${place}.queue`, 'cannot hold requests that throttle may hold too; set throttle: false')
  }
  const leaseMs = requireDurationMs(concurrency.lease, `${place}.lease`)
  if (leaseMs < MIN_LEASE_MS || leaseMs > MAX_LEASE_MS) throw badOption(`${place}.lease`, LEASE_EXPECTED, concurrency.lease)
  const bucket = formatBucket(registration, draft, mode === 'shadow' ? ['shadow'] : [])
  const fullScope = describeScope(scope, tier)
  const quota = createQuota('concurrency', max, leaseMs * 1000)
  return {
    limit: { ...quota, name: CONCURRENCY_LIMIT, bucket, by, mode, penalty: null, generation, lease: null },
    scope: fullScope,
    usage: settings.getUsage(bucket, fullScope),
    queue: queue === false || mode === 'shadow'
      ? null
      : { maxWaiting: queue.maxWaiting, maxWaitMs: requireDurationMs(queue.maxWait, `${place}.queue.maxWait`) }
  }
}

/** Of all clients together, and never known to a store: the number is that of this process. */
function compileAdaptive (
  { registration, generation, mayDelay, getUsage }: ConcurrencySettings, draft: ConcurrencyDraft, options: AdaptiveOptions, place: string
): Concurrency {
  const { min, limit: max, mode } = options
  if (min > max) throw badOption(`${place}.min`, `at most ${max}, the \`limit\``, min)
  if (mayDelay) {
    throw new FST_SLUICE_CONTRADICTION(`${place}.max`, '"adaptive" cannot measure requests that throttle may hold; set throttle: false')
  }
  const bucket = formatBucket(registration, draft, mode === 'shadow' ? ['adaptive', 'shadow'] : ['adaptive'])
  const scope = describeScope(draft.scope, draft.tier)
  const usage = getUsage(bucket, scope)
  const terms = { min, max }
  const room = usage.adapt(terms).getRoom(draft.priority, terms)
  const quota = createQuota('concurrency', max, 1)
  return {
    limit: { ...quota, name: CONCURRENCY_LIMIT, bucket, by: 'global', mode, penalty: null, generation, lease: null, room },
    scope,
    usage,
    queue: null
  }
}

function formatBucket (registration: string, { scope, tier }: ConcurrencyDraft, suffix: readonly string[]): string {
  // `null` is no name of a limit, so this is never the bucket of a limit called "concurrency".
  return JSON.stringify([registration, scope, null, CONCURRENCY_LIMIT, ...(tier === null ? [] : ['tier', tier]), ...suffix])
}
