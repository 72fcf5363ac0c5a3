import { isWrittenUnder } from '../../algorithms/carry-over.js'
import { createQuota, type Quota } from '../../algorithms/quota.js'
import type { Limit } from '../store.js'

/** Up to this many entries are kept, whether or not a bucket uses them. */
const MIN_TRIM_SIZE = 64

/** The limit of an unused version, so that every version has a limit. */
const NO_LIMIT: Limit = { ...createQuota('fixed-window', 0, 1), name: '', bucket: '', by: 'client', mode: 'enforce', penalty: null }

interface BucketGroup {
  readonly id: number
  /** The latest generation that has used the group. */
  generation: number
  /** Indexes of the versions that the buckets of the group were written under. */
  versions: number[]
}

/**
 * Maps limits to integers, so that a slot of a table holds one integer.
 *
 * A group is all limits with one `bucket` text: they share buckets. A version is one set of numbers in a group.
 * Each slot holds the version it was last written under, because its expiry can be computed only with those numbers.
 */
export class LimitRegistry {
  readonly #groups = new Map<string, BucketGroup>()
  /** By version; version 0 marks an empty slot. */
  readonly #limits: Limit[] = [NO_LIMIT]
  readonly #groupIds: number[] = [0]
  readonly #uses: number[] = [0]
  readonly #free: number[] = []
  #nextGroupId = 1
  /** The limit of the last look-up, and its group id. The next look-up is usually for the same limit. */
  #latest: Limit = NO_LIMIT
  #latestId = 0
  #trimAt = MIN_TRIM_SIZE

  /** Number of groups and versions. */
  get size (): number {
    return this.#groups.size + this.#limits.length - 1 - this.#free.length
  }

  /** The group id of a limit. Creates the group if it is missing. Ids are never reused. */
  findOrAddGroupId (limit: Limit): number {
    if (limit === this.#latest) return this.#latestId
    const group = this.#groups.get(limit.bucket) ?? this.#addGroup(limit)
    const { generation = 0 } = limit
    if (generation > group.generation) group.generation = generation
    this.#latest = limit
    this.#latestId = group.id
    return group.id
  }

  /** Whether a limit of a later generation has used the group. */
  isSuperseded ({ bucket, generation = 0 }: Limit): boolean {
    const group = this.#groups.get(bucket)
    return group !== undefined && group.generation > generation
  }

  /** The group id of a limit, or 0 if no bucket of the limit exists. */
  findGroupId (limit: Limit): number {
    return this.#groups.get(limit.bucket)?.id ?? 0
  }

  getGroupId (version: number): number {
    return this.#groupIds[version]
  }

  getLimit (version: number): Limit {
    return this.#limits[version]
  }

  /** The version for the numbers of a limit, created if it is missing. Call `retain` at once, or `trim` may drop it. */
  findOrAddVersion (limit: Limit): number {
    const group = this.#groups.get(limit.bucket) ?? this.#addGroup(limit)
    for (const version of group.versions) {
      if (hasSameNumbers(this.getLimit(version), limit)) return version
    }
    const version = this.#free.pop() ?? this.#limits.length
    this.#limits[version] = limit
    this.#groupIds[version] = group.id
    this.#uses[version] = 0
    group.versions.push(version)
    return version
  }

  /** Count a slot that is written under this version. */
  retain (version: number): void {
    this.#uses[version]++
  }

  release (version: number): void {
    this.#uses[version]--
  }

  /**
   * Drop unused groups and versions, once the size has doubled since the last time. Limits come and go with reloads,
   * but an idle limit should not be registered again for each request.
   * Call it only between takes: it drops groups whose first bucket is not inserted yet.
   */
  trim (): void {
    if (this.size < this.#trimAt) return
    for (const [bucket, group] of this.#groups) {
      group.versions = group.versions.filter((version) => this.#isUsed(version))
      if (group.versions.length === 0) this.#groups.delete(bucket)
    }
    // Its group may have been dropped.
    this.#latest = NO_LIMIT
    this.#trimAt = Math.max(MIN_TRIM_SIZE, 2 * this.size)
  }

  #isUsed (version: number): boolean {
    if (this.#uses[version] > 0) return true
    this.#limits[version] = NO_LIMIT
    this.#free.push(version)
    return false
  }

  #addGroup (limit: Limit): BucketGroup {
    const group = { id: this.#nextGroupId++, generation: limit.generation ?? 0, versions: [] }
    this.#groups.set(limit.bucket, group)
    return group
  }
}

/** Whether a bucket can be read under both without conversion. */
export function hasSameNumbers (a: Quota, b: Quota): boolean {
  return a === b || (a.algorithm === b.algorithm && isWrittenUnder(a, b))
}
