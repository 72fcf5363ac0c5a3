import { withPatience } from '../../algorithms/quota.js'
import { appendGrant, emptyGrantLog } from '../../algorithms/sliding-window.js'
import type { Clock } from '../../common/clock.js'
import type { Limit } from '../store.js'
import { clearBucket, convertBucket, hasExpired } from './bucket.js'
import { TextHasher } from './hash.js'
import { Random, secretWords } from './random.js'
import { hasSameNumbers, LimitRegistry } from './registry.js'
import { Shards } from './shards.js'
import { ABSENT } from './table.js'
import type { Trial } from './pending-charge.js'

/** Odd, so that families of one partition differ in every bit pattern: 2^32 divided by the golden ratio. */
const FAMILY_STEP = 0x9e3779b1 | 0

/** Finds, reads and writes the bucket of a limit and a partition through a `Trial`. */
export class Buckets {
  readonly registry = new LimitRegistry()
  readonly shards: Shards
  readonly #hasher: TextHasher

  constructor (clock: Clock, maxKeys: number, seed: number | undefined) {
    const [key0, key1, sampling] = seed === undefined ? secretWords(3) : [seed, ~seed, seed + 1]
    this.#hasher = new TextHasher(key0, key1)
    this.shards = new Shards(this.registry, new Random(sampling), clock, maxKeys)
  }

  /** Name the partition of the finds that follow, so that several limits on one partition need its hash once. */
  enter (partition: string): void {
    this.#hasher.hash(partition)
  }

  /** Find the family's bucket of the entered partition. */
  find (trial: Trial, familyId: number): void {
    trial.familyId = familyId
    trial.word0 = this.#hasher.word0 ^ Math.imul(familyId, FAMILY_STEP)
    trial.word1 = this.#hasher.word1
    trial.word2 = this.#hasher.word2
    this.#findSlot(trial)
  }

  /**
   * Read the found bucket for the numbers of a limit; where a later generation has it already, for those. Carried over to the
   * earlier numbers and back, it would lose what exceeds them, and give the client as much again with each such request.
   */
  read (trial: Trial, limit: Limit, nowUs: number): void {
    const { table, slot } = trial
    trial.quota = limit
    trial.isCarried = false
    if (table === null || slot === ABSENT) return clearBucket(trial, nowUs)
    trial.timeUs = table.timeAt(slot)
    trial.count = table.countAt(slot)
    trial.log = table.logAt(slot)
    const written = this.registry.limitOfVersion(table.versionAt(slot))
    if (hasSameNumbers(written, limit)) return
    if (this.registry.isSuperseded(limit)) {
      trial.quota = withPatience(written, Math.min(limit.patienceUs, written.ceilingUs - written.capacityUs))
    } else {
      trial.isCarried = true
      convertBucket(trial, written, limit, nowUs)
    }
  }

  /** Whether there is a bucket that the limit's algorithm wrote. */
  holds (trial: Trial, limit: Limit): boolean {
    const { table, slot } = trial
    return table !== null && slot !== ABSENT && this.registry.limitOfVersion(table.versionAt(slot)).algorithm === limit.algorithm
  }

  /** Write what a granted charge left. */
  commit (trial: Trial, limit: Limit, cost: number, nowUs: number): void {
    if (cost === 0) return
    this.#follow(trial, limit, nowUs)
    if (trial.quota.algorithm === 'sliding-window') {
      trial.log ??= emptyGrantLog()
      appendGrant(trial.quota, trial.log, cost, nowUs)
    }
    this.write(trial, limit, nowUs)
  }

  /**
   * Write a bucket that was not charged where its state must not be read again: one of other numbers drains at another
   * pace than the wait that was stated, and one that a clock, stepping back, left in the future never comes nearer.
   */
  mend (trial: Trial, limit: Limit, nowUs: number): void {
    const isAhead = trial.quota.algorithm !== 'sliding-window' && trial.verdict.timeUs < trial.timeUs
    if (!(trial.isCarried || isAhead) || limit.max === 0) return
    this.#follow(trial, limit, nowUs)
    if (trial.slot !== ABSENT) this.write(trial, limit, nowUs)
  }

  /** Store the verdict's bucket, or drop it when nothing of it is used. */
  write (trial: Trial, limit: Limit, nowUs: number): void {
    const { verdict, log } = trial
    if (verdict.resetUs === 0) {
      this.#remove(trial)
    } else if (trial.table === null || trial.slot === ABSENT) {
      const table = this.shards.roomFor(trial.word0, nowUs)
      const version = this.registry.versionFor(limit)
      table.write(table.insert(trial, version), version, verdict.timeUs, verdict.count, log)
    } else {
      const { table, slot } = trial
      const before = table.versionAt(slot)
      const isSame = hasSameNumbers(this.registry.limitOfVersion(before), trial.quota)
      table.write(slot, isSame ? before : this.registry.versionFor(limit), verdict.timeUs, verdict.count, log)
      // Another trial of this bucket has read it for its old limit.
      if (!isSame) this.shards.moves++
    }
  }

  /** Drop the found bucket. Answers whether something of it was used. */
  forget (trial: Trial, nowUs: number): boolean {
    const { table, slot } = trial
    if (table === null || slot === ABSENT) return false
    const written = this.registry.limitOfVersion(table.versionAt(slot))
    const isUsed = !hasExpired(written, table.timeAt(slot), table.countAt(slot), table.logAt(slot), nowUs)
    this.#remove(trial)
    return isUsed
  }

  /** Find and read the bucket again where it has moved since it was found. */
  #follow (trial: Trial, limit: Limit, nowUs: number): void {
    if (trial.foundAt === this.shards.moves) return
    this.#findSlot(trial)
    this.read(trial, limit, nowUs)
  }

  #remove (trial: Trial): void {
    if (trial.table !== null && trial.slot !== ABSENT) this.shards.remove(trial.table, trial.slot)
  }

  #findSlot (trial: Trial): void {
    const table = this.shards.tableFor(trial.word0)
    trial.table = table
    trial.slot = table === null ? ABSENT : table.find(trial, trial.familyId)
    trial.foundAt = this.shards.moves
  }
}
