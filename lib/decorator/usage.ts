import { loadTemporal } from '../calendar/temporal.js'
import { parsePartition } from '../clients/partition.js'
import { badOption } from '../config/schema/check.js'
import { INSTANT_EXPECTED, parseInstantMs } from '../config/schema/instants.js'
import { findStorePartition, type Client } from '../model/client.js'
import type { BucketRegistry } from '../policies/bucket-registry.js'
import { anchorLimit } from '../request/anchored-limit.js'
import type { SnapshotHolder } from '../runtime/snapshot.js'
import type { Limit, Standing } from '../stores/store.js'
import { mayCharge } from './may-charge.js'

/** What a client has used of one quota: a limit with a `period`. */
export interface QuotaUsage {
  /** The name of the limit. */
  readonly name: string
  /** The scope of the quota, such as `default` or `group:search`. */
  readonly scope: string
  /** The tier that the quota belongs to; `null` for that of all tiers without limits of their own. */
  readonly tier: string | null
  readonly mode: 'enforce' | 'shadow'
  readonly period: 'hour' | 'day' | 'week' | 'month' | 'year'
  /** Units per period. */
  readonly limit: number
  /** Used units of the current period. More than `limit` after `charge`. */
  readonly used: number
  /** Start of the period in ISO 8601; `null` if it depends on an anchor that is not given. */
  readonly start: string | null
  /** End of the period in ISO 8601: from then on, nothing is used. */
  readonly end: string
}

/** Options of `fastify.rateLimit.usage`. */
export interface UsageOptions {
  /** Start of the client's subscription, for limits with `anchor: 'client'`: a Date, or text such as `2026-01-31T00:00:00Z`. */
  readonly anchor?: Date | string
}

const PLACE = 'rateLimit.usage'

export function createUsage (snapshots: SnapshotHolder) {
  return async function usage (of: string | Client, options: UsageOptions = {}): Promise<QuotaUsage[]> {
    const { policySet: { buckets }, services: { addresses, backend } } = snapshots.current
    const client = typeof of === 'object' && of !== null ? of : null
    const partition = client === null ? parsePartition(of, addresses) : findStorePartition(client)
    const anchorMs = options.anchor === undefined ? client?.anchorMs : requireAnchorMs(options.anchor)
    const limits = listQuotas(buckets, client?.tier ?? null).filter((limit) => mayCharge(limit, partition))
    if (limits.length === 0) return []
    await loadTemporal()
    const anchored = anchorMs === undefined ? limits : limits.map((limit) => anchorLimit(limit, anchorMs))
    const standings = await backend.store.peek(anchored, partition)
    return standings.flatMap((standing, index) => toQuotaUsage(standing, buckets, limits[index]))
  }
}

function requireAnchorMs (anchor: unknown): number {
  const ms = parseInstantMs(anchor)
  if (ms === null) throw badOption(`${PLACE}.anchor`, INSTANT_EXPECTED, anchor)
  return ms
}

/** The limits with a period. Of a client's tier, if it is known: in each scope those of the tier, else those of all other tiers. */
function listQuotas (buckets: BucketRegistry, tier: string | null): Limit[] {
  const limits = buckets.limits()
  const quotas = limits.filter(({ calendar }) => calendar !== null)
  if (tier === null) return quotas
  const scopesOfTier = new Set(limits.filter((limit) => buckets.getTier(limit) === tier).map((limit) => buckets.getScope(limit)))
  return quotas.filter((limit) => buckets.getTier(limit) === (scopesOfTier.has(buckets.getScope(limit)) ? tier : null))
}

/** `registered`: the limit without the anchor of a client. */
function toQuotaUsage ({ limit, usage }: Standing, buckets: BucketRegistry, registered: Limit): QuotaUsage[] {
  const { calendar, name, mode, max } = limit
  if (calendar === null || usage === undefined) return []
  const { startUs, endUs } = calendar.periodAt(usage.endUs - 1)
  return [{
    name,
    scope: buckets.getScope(registered),
    tier: buckets.getTier(registered),
    mode,
    period: calendar.unit,
    limit: max,
    used: usage.units,
    start: endUs === usage.endUs ? toIsoText(startUs) : null,
    end: toIsoText(usage.endUs)
  }]
}

function toIsoText (us: number): string {
  return new Date(us / 1000).toISOString()
}
