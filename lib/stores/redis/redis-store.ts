import { FST_SLUICE_STORE } from '../../errors.js'
import {
  isConcurrency, isUnavailable, findPenalty,
  type Adjustment, type Answer, type Limit, type Standing, type Store, type Unavailable
} from '../store.js'
import { hasSeveralPartitions, takeAcrossSlots, type SlotStore } from './multi-slot-take.js'
import type { Check } from './batch.js'
import { Batcher } from './batcher.js'
import { OUT_OF_PERIODS, toFailureCode } from './failure-code.js'
import { ScriptRunner, type ScriptRunnerOptions } from './script-runner.js'
import { KeyWriter } from './keys.js'
import { HeldSlots, type HoldingReport, type SlotCounts } from './held-slots.js'
import { packAdjustments } from './pack-adjustments.js'
import { packSlotReports } from './pack-slot-reports.js'
import { packLimit, type LeaseCharge } from './wire-format.js'
import { loadScript } from './scripts.js'

const adjustScript = loadScript('adjust')
const resetScript = loadScript('reset')
const reportSlotsScript = loadScript('report-slots')

const NOTHING = Buffer.alloc(0)

const OVERLOAD: Unavailable = { unavailable: 'overload' }

export interface RedisStoreOptions extends ScriptRunnerOptions {
  readonly keyPrefix: string
  /** With this many checks in flight, no further check is sent. */
  readonly maxPending: number
  /** The slots of this process. They are also those of the memory that decides while Redis cannot answer. */
  readonly inFlight: SlotCounts
}

/**
 * Buckets in Redis. Scripts in Redis decide, by its clock. Checks of a few turns of the event loop share one call, up to a
 * size that does not block Redis. On a Cluster, a call holds the checks of one partition.
 */
export class RedisStore implements Store {
  readonly kind = 'redis'
  readonly countsInFlight = true
  readonly #options: RedisStoreOptions
  readonly #runner: ScriptRunner
  readonly #keys: KeyWriter
  readonly #heldSlots: HeldSlots
  readonly #batcher: Batcher
  readonly #slotStore: SlotStore = {
    take: (charges) => this.#batcher.add(charges),
    adjust: (adjustments) => this.adjust(adjustments)
  }

  constructor (options: RedisStoreOptions) {
    this.#options = options
    this.#runner = new ScriptRunner(options)
    this.#keys = new KeyWriter(options.keyPrefix)
    this.#heldSlots = new HeldSlots({
      counts: options.inFlight,
      formatKey: (limit, partition) => this.#keys.formatBucketKey(limit, partition),
      send: (reports) => this.#sendReports(reports)
    })
    this.#batcher = new Batcher(options, this.#runner, this.#keys, this.#heldSlots, (charges) => this.#takePerPartition(charges))
  }

  take (charges: readonly LeaseCharge[]): Promise<Answer> | Unavailable {
    if (this.#batcher.pending >= this.#options.maxPending) return OVERLOAD
    return this.#options.pool.hasSlots ? this.#takePerPartition(charges) : this.#batcher.add(charges)
  }

  /** Send a check of one partition that no request waits for, with the next call. `withinUs`: without one it is sent after this time. */
  takeLater (check: Check, withinUs: number): void {
    if (this.#batcher.pending >= this.#options.maxPending) check.resolve(OVERLOAD)
    else this.#batcher.addLater(check, withinUs)
  }

  /** Send the checks of `takeLater` now. */
  flushLater (): void {
    this.#batcher.flushLater()
  }

  #takePerPartition (charges: readonly LeaseCharge[]): Promise<Answer> | Unavailable {
    return hasSeveralPartitions(charges) ? takeAcrossSlots(this.#slotStore, charges) : this.#batcher.add(charges)
  }

  async peek (limits: readonly Limit[], partition: string): Promise<readonly Standing[]> {
    // A cost of 0 changes nothing. Each limit is a separate check, so that a refusal does not affect the others.
    const answers = await Promise.all(limits.map((limit) => this.#batcher.add([{ limit, partition, cost: 0 }])))
    return answers.flatMap((answer) => {
      if (isUnavailable(answer)) throw new FST_SLUICE_STORE(answer.unavailable, 'no standing')
      return answer.standings
    })
  }

  async adjust (adjustments: readonly Adjustment[]): Promise<void> {
    const rates: Adjustment[] = []
    for (const adjustment of adjustments) {
      const { standing: { limit, partition }, units } = adjustment
      if (!isConcurrency(limit)) rates.push(adjustment)
      else if (units < 0) this.#heldSlots.release(limit, partition, -units)
    }
    if (rates.length === 0) return
    await Promise.all(this.#divide(rates, ({ standing }) => standing.partition).map((group) => this.#adjustGroup(group)))
  }

  async reset (all: readonly Limit[], partition: string): Promise<number> {
    // Requests in flight stay in flight.
    const limits = all.filter((limit) => !isConcurrency(limit))
    if (limits.length === 0) return 0
    const keys = limits.map((limit) => this.#keys.formatBucketKey(limit, partition))
    const limitsByPenaltyKey = new Map<string, Limit>()
    for (const limit of limits) {
      const penalty = findPenalty(limit)
      if (penalty !== null) limitsByPenaltyKey.set(this.#keys.formatPenaltyKey(penalty, partition), limit)
    }
    const args = [Buffer.concat(Array.from(limitsByPenaltyKey.values(), (limit) => packLimit(limit, this.#runner.redisTimeUs))), NOTHING]
    return Number(await this.#runner.call('reset', resetScript, [...keys, ...limitsByPenaltyKey.keys()], args, findCountError))
  }

  /** Send the checks that wait for a connection. */
  resume (): void {
    this.#batcher.resume()
  }

  async ping (): Promise<void> {
    await this.#options.pool.ping()
  }

  async close (): Promise<void> {
    await this.#heldSlots.end()
    this.#options.callGuard.close()
    await this.#options.pool.close()
  }

  /** Returns whether Redis has taken each report. */
  async #sendReports (reports: readonly HoldingReport[]): Promise<boolean> {
    const taken = await Promise.all(this.#divide(reports, ({ partition }) => partition).map((group) => this.#sendGroup(group)))
    return taken.every((isTaken) => isTaken)
  }

  async #sendGroup (reports: readonly HoldingReport[]): Promise<boolean> {
    const args = packSlotReports(this.#heldSlots.instance, reports)
    try {
      return await this.#runner.call('adjust', reportSlotsScript, reports.map(({ key }) => key), args, findTextError) !== null
    } catch (error) {
      return this.#mustDivide(error, reports.map(({ partition }) => partition)) && await this.#sendReports(reports)
    }
  }

  /** A failure is reported and the adjustment is lost. No request waits for it, and the bucket recovers over time. */
  async #adjustGroup (adjustments: readonly Adjustment[]): Promise<void> {
    const keys = adjustments.map(({ standing }) => this.#keys.formatBucketKey(standing.limit, standing.partition))
    const callScript = (redisUs: number): Promise<unknown> => {
      return this.#runner.call('adjust', adjustScript, keys, packAdjustments(adjustments, redisUs), findTextError)
    }
    try {
      const redisUs = parseTimeOutOfPeriods(String(await callScript(this.#runner.redisTimeUs)))
      if (redisUs === null) return
      this.#runner.noteRedisTime(redisUs)
      await callScript(redisUs)
    } catch (error) {
      if (this.#mustDivide(error, adjustments.map(({ standing }) => standing.partition))) await this.adjust(adjustments)
    }
  }

  /** What one call can have: on a Cluster, the keys of one partition. */
  #divide<One> (all: readonly One[], partitionOf: (one: One) => string): ReadonlyArray<readonly One[]> {
    if (!this.#options.pool.hasSlots) return [all]
    const groups = new Map<string, One[]>()
    for (const one of all) {
      const group = groups.get(partitionOf(one))
      if (group === undefined) groups.set(partitionOf(one), [one])
      else group.push(one)
    }
    return [...groups.values()]
  }

  /** Whether a call failed because Redis is a Cluster, which was not known, and its keys are of several partitions. */
  #mustDivide (error: unknown, partitions: readonly string[]): boolean {
    const { cause } = error instanceof Error ? error : {}
    if (partitions.every((partition) => partition === partitions[0]) || toFailureCode(cause) !== 'CROSSSLOT') return false
    this.#runner.detectSlots(cause)
    return true
  }
}

/** The reply of `adjust.lua` is the text of an error, or ''. */
function findTextError (reply: unknown): string | null {
  if (!Buffer.isBuffer(reply)) return null
  const text = reply.toString()
  return parseTimeOutOfPeriods(text) === null ? text : ''
}

/** The time of Redis, if a call changed nothing because the time is in no period of a limit. */
function parseTimeOutOfPeriods (text: string): number | null {
  const [code, time] = text.split(' ')
  const us = Number(time)
  return code === OUT_OF_PERIODS && Number.isSafeInteger(us) ? us : null
}

/** The reply of `reset.lua` is a count. A client with `stringNumbers` returns it as text. */
function findCountError (reply: unknown): string | null {
  const isCount = typeof reply === 'number' || typeof reply === 'string'
  return isCount && Number.isSafeInteger(Number(reply)) && Number(reply) >= 0 ? '' : null
}
