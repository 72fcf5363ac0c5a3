import { isWrittenUnder, overuseEndUs } from '../lib/algorithms/carry-over.js'
import { createCheckResult, type CheckResult } from '../lib/algorithms/check-result.js'
import type { Quota } from '../lib/algorithms/quota.js'
import { appendGrant, createGrantLog, type GrantLog } from '../lib/algorithms/sliding-window.js'
import { assessBucket, type Bucket } from '../lib/stores/memory/bucket.js'
import type { Rules } from './carry-over-rules.js'

/** What the store keeps: a bucket whose times are relative to now, and the version that it was written under. */
export interface StoredBucket extends Readonly<Bucket> {
  readonly version: number
}

export interface Taking {
  readonly bucket: StoredBucket | null
  readonly granted: boolean
  readonly remaining: number
  readonly resetUs: number
  readonly retryUs: number | 'never'
}

/** The charge of a grant: when it was made, and when the bucket would have been full again, microseconds from now. */
export interface Charge {
  readonly version: number
  readonly chargedIn: number
  readonly untilIn: number
}

/** So late that no time is negative. */
const NOW_US = 1_000_000_000

/** One bucket that versions of a limit share. Reads and writes it as the stores do: see take.lua and lib/stores/memory/buckets.ts. */
export class CarryOverStore {
  readonly #versions: readonly Quota[]
  readonly #rules: Rules
  readonly #result: CheckResult = createCheckResult()

  constructor (versions: readonly Quota[], rules: Rules) {
    this.#versions = versions
    this.#rules = rules
  }

  /** A check under a version. A cost of 0 asks only. */
  take (stored: StoredBucket | null, version: number, cost: number): Taking {
    const quota = this.#versions[version]
    const bucket = load(stored, 0)
    const isCarried = this.#carry(bucket, stored, quota)
    assessBucket(quota, bucket, cost, NOW_US, this.#result)
    const { granted, remaining, resetUs, retryUs } = this.#result
    if (!granted || cost === 0) {
      const isWritten = isCarried && this.#rules.writesRefused && !(quota.max === 0 && this.#rules.keepsBelowNothing)
      return { bucket: isWritten ? this.#save(bucket, version) : stored, granted, remaining, resetUs, retryUs }
    }
    this.#rules.note(bucket, cost, NOW_US)
    if (quota.algorithm === 'sliding-window') {
      bucket.log ??= createGrantLog()
      appendGrant(quota, bucket.log, cost, NOW_US)
    }
    return { bucket: this.#save(bucket, version), granted, remaining, resetUs, retryUs }
  }

  /** Give back a unit of a charge, under the limit that charged it. */
  refund (stored: StoredBucket | null, { version, chargedIn, untilIn }: Charge): StoredBucket | null {
    const quota = this.#versions[version]
    if (stored === null || this.#versions[stored.version].algorithm !== quota.algorithm) return stored
    const bucket = load(stored, 0)
    this.#carry(bucket, stored, quota)
    const refund = { units: 1, chargedAtUs: NOW_US + chargedIn, chargedUntilUs: NOW_US + untilIn }
    this.#rules.refund(quota, bucket, refund, NOW_US, this.#result)
    return this.#save(bucket, version)
  }

  #carry (bucket: Bucket, stored: StoredBucket | null, quota: Quota): boolean {
    if (stored === null) return false
    const written = this.#versions[stored.version]
    if (written.algorithm === quota.algorithm && isWrittenUnder(written, quota)) return false
    this.#rules.convert(bucket, written, quota, NOW_US)
    return true
  }

  /** The bucket some time later, without what has drained: so more states are equal. */
  pass (stored: StoredBucket | null, us: number): StoredBucket | null {
    if (stored === null) return null
    const bucket = load(stored, us)
    const quota = this.#versions[stored.version]
    if (bucket.log !== null) appendGrant(quota, bucket.log, 0, NOW_US)
    assessBucket(quota, bucket, 0, NOW_US, this.#result)
    return this.#save(bucket, stored.version)
  }

  #save (bucket: Bucket, version: number): StoredBucket | null {
    const { resetUs, timeUs, count } = this.#result
    const overuse = bucket.overuse !== null && overuseEndUs(bucket.overuse) > NOW_US ? bucket.overuse : null
    if (resetUs === 0 && overuse === null) return null
    const isLog = this.#versions[version].algorithm === 'sliding-window'
    return {
      version,
      timeUs: isLog ? 0 : timeUs - NOW_US,
      count: isLog ? 0 : count,
      log: isLog && bucket.log !== null ? moveLog(bucket.log, -NOW_US) : null,
      overuse: overuse === null ? null : { ...overuse, atUs: overuse.atUs - NOW_US }
    }
  }
}

/** The bucket as it is `afterUs` from now. */
function load (stored: StoredBucket | null, afterUs: number): Bucket {
  if (stored === null) return { timeUs: NOW_US, count: 0, log: null, overuse: null }
  const { timeUs, count, log, overuse } = stored
  const us = NOW_US - afterUs
  return {
    timeUs: timeUs + us,
    count,
    log: log === null ? null : moveLog(log, us),
    overuse: overuse === null ? null : { ...overuse, atUs: overuse.atUs + us }
  }
}

/** A log holds a time, the units of all entries, and the time and units of each. */
function moveLog (log: GrantLog, us: number): GrantLog {
  return log.map((value, i) => i % 2 === 0 ? value + us : value)
}

export function writeBucket (bucket: StoredBucket | null): string {
  if (bucket === null) return ''
  const { version, timeUs, count, log, overuse } = bucket
  const beside = overuse === null ? '' : `${overuse.atUs},${overuse.units},${overuse.max},${overuse.windowUs}`
  return `${version},${timeUs},${count},${log},${beside}`
}
