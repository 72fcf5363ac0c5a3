import { formatDuration } from '../common/format-duration.js'
import { checkHealth, type Health, type MountedRoutes } from '../observability/health.js'
import type { BucketRegistry } from '../policies/bucket-registry.js'
import type { SnapshotHolder } from '../runtime/snapshot.js'
import { canLease, type Limit } from '../stores/store.js'

/** A log line should stay readable. `explain` has all limits. */
const MAX_LIMITS = 20

/** Create the function that reports which limiter answers, and how its store is. */
export function createHealthReport (snapshots: SnapshotHolder, mounted: MountedRoutes): () => Promise<Health> {
  return async () => {
    const { services, isEnabled, policySet } = snapshots.current
    return {
      ...await checkHealth(services.backend.health),
      registration: services.name,
      enabled: isEnabled,
      limits: describeLimits(policySet.buckets),
      mounted: { ...mounted }
    }
  }
}

function describeLimits (buckets: BucketRegistry): string[] {
  const limits = buckets.limits()
  const texts = limits.slice(0, MAX_LIMITS).map((limit) => describeLimit(limit, buckets.getScope(limit), buckets.getTier(limit)))
  return limits.length <= MAX_LIMITS ? texts : [...texts, `and ${limits.length - MAX_LIMITS} more`]
}

/** `default (premium) hourly: 100 per 1 hour, shadow, leased` */
function describeLimit (limit: Limit, scope: string, tier: string | null): string {
  const { name, max, windowUs, calendar, mode } = limit
  const title = [scope, ...tier === null ? [] : [`(${tier})`], ...name === 'default' ? [] : [name]].join(' ')
  const notes = [...mode === 'shadow' ? [', shadow'] : [], ...canLease(limit) ? [', leased'] : []]
  return `${title}: ${max} per ${calendar?.description ?? formatDuration(windowUs / 1000)}${notes.join('')}`
}
