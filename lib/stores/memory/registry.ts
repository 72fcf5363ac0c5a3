import { isWrittenUnder } from '../../algorithms/carry-over.js'
import { createQuota, type Quota } from '../../algorithms/quota.js'
import type { Limit } from '../store.js'

/** Entries that are kept without asking whether a bucket still needs them. */
const MIN_TRIM_SIZE = 64

/** Stands where no limit is, so that the limit of a version is never unknown. */
const NO_LIMIT: Limit = { ...createQuota('fixed-window', 0, 1), name: '', bucket: '', by: 'client', mode: 'enforce', penalty: null }

interface BucketGroup {
  readonly id: number
  /** The latest that has used it. */
  generation: number
  /** Indexes of the versions that its buckets were written under. */
  versions: number[]
}

/**
 * Numbers that stand for limits, so that a slot of a table holds one integer.
 *
 * A family is all limits with one `bucket` text: they share buckets. A version is one set of numbers in a family;
 * each slot names the version it was last written under, because only under it can its expiry be read.
 */
export class LimitRegistry {
  readonly #groups = new Map<string, BucketGroup>()
  /** By version; version 0 marks an empty slot. */
  readonly #limits: Limit[] = [NO_LIMIT]
  readonly #groupIds: number[] = [0]
  readonly #uses: number[] = [0]
  readonly #free: number[] = []
  #nextGroupId = 1
  /** The limit that was asked about last, and its family's id: mostly it is the next one too. */
  #latest: Limit = NO_LIMIT
  #latestId = 0
  #trimAt = MIN_TRIM_SIZE

  /** Families and versions held. */
  get size (): number {
    return this.#groups.size + this.#limits.length - 1 - this.#free.length
  }

  /** The family of a limit, made when missing. Ids are never given twice. */
  findOrAddGroupId (limit: Limit): number {
    if (limit === this.#latest) return this.#latestId
    const group = this.#groups.get(limit.bucket) ?? this.#addGroup(limit)
    const { generation = 0 } = limit
    if (generation > group.generation) group.generation = generation
    this.#latest = limit
    this.#latestId = group.id
    return group.id
  }

  /** Whether a limit of a later generation has used the family. */
  isSuperseded ({ bucket, generation = 0 }: Limit): boolean {
    const group = this.#groups.get(bucket)
    return group !== undefined && group.generation > generation
  }

  /** The family of a limit, or 0: then it has no bucket anywhere. */
  findGroupId (limit: Limit): number {
    return this.#groups.get(limit.bucket)?.id ?? 0
  }

  getGroupId (version: number): number {
    return this.#groupIds[version]
  }

  getLimit (version: number): Limit {
    return this.#limits[version]
  }

  /** The version for a limit's numbers, made when missing. Its use is to be counted at once, or a trim may take it. */
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

  /** A slot is written under this version from now on. */
  retain (version: number): void {
    this.#uses[version]++
  }

  release (version: number): void {
    this.#uses[version]--
  }

  /**
   * Drop what no bucket uses, once as much has come as was there after the last time: limits come and go with
   * reloads, and one that is merely idle should not be made anew for each request.
   * Only between takes, for it drops families whose first bucket is about to be inserted.
   */
  trim (): void {
    if (this.size < this.#trimAt) return
    for (const [bucket, group] of this.#groups) {
      group.versions = group.versions.filter((version) => this.#isUsed(version))
      if (group.versions.length === 0) this.#groups.delete(bucket)
    }
    // Its family may be among those that have gone.
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

/** Whether a bucket means the same under both. */
export function hasSameNumbers (a: Quota, b: Quota): boolean {
  return a === b || (a.algorithm === b.algorithm && isWrittenUnder(a, b))
}
