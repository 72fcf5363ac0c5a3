import type { Quota } from '../lib/algorithms/quota.js'
import type { CarryOverModelOptions } from './carry-over.js'
import type { CarryOverStore, StoredBucket } from './carry-over-store.js'

/*
 * What a client may count on under a version. Without these claims, a bucket that refuses everything would be right.
 */

/** The claim that does not hold if a version asks now, or null. */
export function findFault (
  store: CarryOverStore, options: CarryOverModelOptions, bucket: StoredBucket | null, version: number
): string | null {
  const { versions, bound } = options
  // A limit without units grants nothing, and no wait helps.
  if (versions[version].max === 0) return null
  return findWait(store, versions, bucket, version) ??
    findAddedUnits(store, versions, bucket, version) ??
    (bound === 'sum' ? null : findLastingUnits(store, versions, bucket, version))
}

/** A refused client waits for a window at most, and is then granted a unit. */
function findWait (store: CarryOverStore, versions: readonly Quota[], bucket: StoredBucket | null, version: number): string | null {
  const { granted, retryUs, bucket: refused } = store.take(bucket, version, 1)
  if (granted) return null
  if (retryUs === 'never' || retryUs > versions[version].windowUs) return `version ${version} lets a client wait for too long`
  return store.take(store.pass(refused, retryUs), version, 1).granted ? null : `version ${version} refuses a client that has waited`
}

/** A change uses no units: what remains of the capacity is what remained, and the difference of the two. */
function findAddedUnits (store: CarryOverStore, versions: readonly Quota[], bucket: StoredBucket | null, version: number): string | null {
  if (bucket === null || bucket.version === version || bucket.overuse !== null) return null
  const { remaining } = store.take(bucket, bucket.version, 0)
  const used = versions[bucket.version].capacity - remaining
  const isAdded = remaining > 0 && store.take(bucket, version, 0).remaining < versions[version].capacity - used
  return isAdded ? `the change to version ${version} uses units` : null
}

/** If nobody asks for the time in which all units drain, nothing is used under any version. */
function findLastingUnits (store: CarryOverStore, versions: readonly Quota[], bucket: StoredBucket | null, version: number): string | null {
  const quota = versions[version]
  const isBucket = quota.algorithm === 'token-bucket'
  const ownUs = isBucket ? quota.capacity * quota.windowUs / quota.max : quota.windowUs
  // Beside the bucket, units drain at the faster rate of the two versions of a change. A window that was left for a shorter one is
  // counted with that one.
  const most = Math.max(...versions.map(({ capacity }) => capacity)) * (isBucket ? 1 : 2)
  const [, secondRate] = versions.map(({ max, windowUs }) => max / windowUs).sort((a, b) => a - b)
  const besideUs = most / secondRate
  const rested = store.pass(store.take(bucket, version, 0).bucket, Math.ceil(Math.max(ownUs, besideUs)))
  const isFull = versions.every(({ capacity }, other) => store.take(rested, other, 0).remaining === capacity)
  return isFull ? null : `units last for too long under version ${version}`
}
