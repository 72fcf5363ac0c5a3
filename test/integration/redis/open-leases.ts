import type { Test } from 'tap'
import { createLeaseTerms } from '../../../lib/algorithms/lease.js'
import { systemClock, type Clock } from '../../../lib/common/clock.js'
import { DenyCache } from '../../../lib/resilience/deny-cache.js'
import { Leases } from '../../../lib/stores/lease/leases.js'
import type { Limit } from '../../../lib/stores/store.js'
import { limitOf } from '../../fixtures/limits.js'
import type { Bench } from './open-store.js'

type LimitSettings = Parameters<typeof limitOf>[0]

/** A limit whose units are leased for at most `holdUs`. */
export function leasedLimitOf (settings: LimitSettings, holdUs = 2_000_000): Limit {
  const limit = limitOf(settings)
  const lease = createLeaseTerms(limit, holdUs)
  if (typeof lease === 'string') throw new TypeError(`not leased: ${lease}`)
  return { ...limit, lease }
}

/** One instance: leases over the cache of refusals over Redis. */
export function openLeases (t: Test, bench: Bench, settings: Parameters<Bench['store']>[0] = {}, clock: Clock = systemClock): Leases {
  const source = bench.store(settings)
  return openLeasesOver(t, source, new DenyCache(source, clock), clock)
}

/** Leases of a source. `store`: its cache of refusals. */
export function openLeasesOver (t: Test, source: ReturnType<Bench['store']>, store: DenyCache, clock: Clock): Leases {
  const leases = new Leases({ store, source, clock, maxPending: 10_000 })
  t.teardown(() => leases.close())
  return leases
}
