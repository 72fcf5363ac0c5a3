import { FST_SLUICE_STORE } from '../../errors.js'
import { isUnavailable, penaltyOf, type Adjustment, type Answer, type Charge, type FailureReason, type Limit, type Standing, type Store, type Unavailable } from '../store.js'
import { hasSeveralPartitions, takeApart, type PieceTaker } from './apart.js'
import { Batch } from './batch.js'
import { Calls, reasonOf, type CallOptions } from './calls.js'
import { KeyWriter } from './keys.js'
import { failureCode } from './link.js'
import { packAdjustments, packLimit } from './packing.js'
import { loadScript } from './scripts.js'

const takeScript = loadScript('take')
const adjustScript = loadScript('adjust')
const resetScript = loadScript('reset')

/** On a Cluster, batches that leave in one write: with more, the nodes would idle while the next are filled. */
const MOST_BATCHES = 16

/** A turn of the event loop after which a batch waits for no other. */
const LONG_TURN_US = 1000

const NOTHING = Buffer.alloc(0)

const OVERLOAD: Unavailable = { unavailable: 'overload' }
const BREAKER: Unavailable = { unavailable: 'breaker' }

export interface RedisStoreOptions extends CallOptions {
  readonly keyPrefix: string
  /** Checks in flight, past which a further one is not sent. */
  readonly maxPending: number
}

/**
 * Buckets in Redis, decided by scripts there, on its clock. Checks of two turns of the event loop travel together, up to
 * a size that does not hold Redis; on a Cluster, those of one partition.
 */
export class RedisStore implements Store {
  readonly kind = 'redis'
  readonly #options: RedisStoreOptions
  readonly #calls: Calls
  readonly #keys: KeyWriter
  /** Batches that are being filled; on a Cluster by partition, elsewhere one. */
  #filling = new Map<string, Batch>()
  /** Batches that wait for a connection. */
  readonly #held = new Set<Batch>()
  readonly #pieces: PieceTaker = {
    take: (charges) => this.#takeTogether(charges),
    adjust: (adjustments) => this.adjust(adjustments)
  }

  #pending = 0
  #isFlushDue = false
  readonly #flushDue = () => {
    this.#isFlushDue = false
    this.#flush()
  }

  constructor (options: RedisStoreOptions) {
    this.#options = options
    this.#calls = new Calls(options)
    this.#keys = new KeyWriter(options.keyPrefix)
  }

  take (charges: readonly Charge[]): Promise<Answer> | Unavailable {
    if (this.#pending >= this.#options.maxPending) return OVERLOAD
    return this.#options.link.isCluster && hasSeveralPartitions(charges) ? takeApart(this.#pieces, charges) : this.#takeTogether(charges)
  }

  async peek (limits: readonly Limit[], partition: string): Promise<readonly Standing[]> {
    // A charge of nothing changes nothing. Each travels as a check of its own, so that none refuses for another.
    const answers = await Promise.all(limits.map((limit) => this.#takeTogether([{ limit, partition, cost: 0 }])))
    return answers.flatMap((answer) => {
      if (isUnavailable(answer)) throw new FST_SLUICE_STORE(answer.unavailable, 'no standing')
      return answer.standings
    })
  }

  async adjust (adjustments: readonly Adjustment[]): Promise<void> {
    const byTag = new Map<string, Adjustment[]>()
    for (const adjustment of adjustments) {
      const tag = this.#options.link.isCluster ? adjustment.standing.partition : ''
      byTag.set(tag, [...byTag.get(tag) ?? [], adjustment])
    }
    await Promise.all(Array.from(byTag.values(), (group) => this.#adjustTogether(group)))
  }

  async reset (limits: readonly Limit[], partition: string): Promise<number> {
    if (limits.length === 0) return 0
    const keys = limits.map((limit) => this.#keys.keyOf(limit, partition))
    const penal = new Map<string, Limit>()
    for (const limit of limits) {
      const penalty = penaltyOf(limit)
      if (penalty !== null) penal.set(this.#keys.conductKeyOf(penalty, partition), limit)
    }
    const args = [Buffer.concat(Array.from(penal.values(), packLimit)), NOTHING]
    return Number(await this.#calls.ask('reset', resetScript, [...keys, ...penal.keys()], args))
  }

  /** Send what was held back until a connection was there. */
  resume (): void {
    for (const batch of [...this.#held]) {
      this.#held.delete(batch)
      this.#send(batch)
    }
  }

  async ping (): Promise<void> {
    await this.#options.link.ping()
  }

  async close (): Promise<void> {
    this.#options.watch.close()
    await this.#options.link.close()
  }

  #takeTogether (charges: readonly Charge[]): Promise<Answer> | Unavailable {
    const tag = this.#options.link.isCluster ? charges[0].partition : ''
    let batch = this.#filling.get(tag)
    if (batch === undefined) {
      const begun = this.#begin(tag)
      if (begun === null) return BREAKER
      batch = begun
    }
    this.#pending++
    const answer = batch.add(charges)
    if (batch.isFull || this.#filling.size >= MOST_BATCHES) this.#flush()
    return answer
  }

  #begin (tag: string): Batch | null {
    const batch = new Batch()
    batch.call = this.#calls.begin('take', (code) => {
      this.#held.delete(batch)
      this.#fail(batch, 'deadline', code)
    })
    if (batch.call === null) return null
    this.#filling.set(tag, batch)
    if (!this.#isFlushDue) this.#flushNextTurn()
    return batch
  }

  /**
   * What arrived during this turn is read in the next one. Where nothing did, that one is over within microseconds; where
   * much did, a third of all calls is saved, each a wake-up of Redis and of Node. But after a long turn much has piled up,
   * handlers that take long among it, and the batch leaves before them.
   */
  #flushNextTurn (): void {
    this.#isFlushDue = true
    const { clock } = this.#options
    const beganUs = clock.nowUs()
    setImmediate(() => {
      if (clock.nowUs() - beganUs > LONG_TURN_US) this.#flushDue()
      else setImmediate(this.#flushDue)
    })
  }

  #flush (): void {
    const batches = this.#filling
    // A new one each time: a Map that is emptied and filled again links its former tables to all that follow, and keeps them.
    this.#filling = new Map()
    if (batches.size > 1) this.#options.link.together(() => { this.#sendAll(batches) })
    else this.#sendAll(batches)
  }

  #sendAll (batches: ReadonlyMap<string, Batch>): void {
    for (const batch of batches.values()) this.#send(batch)
  }

  #send (batch: Batch): void {
    const { link } = this.#options
    // It expired, or the store was closed, before it left.
    if (batch.size === 0) return
    if (!link.isReady) {
      this.#held.add(batch)
      return
    }
    batch.pack(this.#keys)
    this.#calls.run(takeScript, batch.keys, batch.args).then((reply) => this.#arrive(batch, reply), (error) => this.#refused(batch, error))
  }

  #arrive (batch: Batch, reply: unknown): void {
    if (!isScriptReply(reply)) {
      this.#refused(batch, new Error('ERR a reply of an unknown form'))
      return
    }
    const [packed, err] = reply
    this.#calls.settle(batch.call, err.toString())
    this.#pending -= batch.size
    batch.answer(packed)
  }

  #refused (batch: Batch, error: unknown): void {
    this.#fail(batch, reasonOf(error), failureCode(error))
    batch.call?.settle(false)
  }

  #fail (batch: Batch, reason: FailureReason, code: string): void {
    if (batch.size === 0) return
    this.#calls.report(reason, code)
    this.#pending -= batch.size
    batch.fail(reason)
  }

  /** What fails is reported and lost: nobody waits for it, and the bucket recovers by itself. */
  async #adjustTogether (adjustments: readonly Adjustment[]): Promise<void> {
    const keys = adjustments.map(({ standing }) => this.#keys.keyOf(standing.limit, standing.partition))
    await this.#calls.ask('adjust', adjustScript, keys, packAdjustments(adjustments), String).catch(() => {})
  }
}

function isScriptReply (reply: unknown): reply is [Buffer, Buffer] {
  return Array.isArray(reply) && Buffer.isBuffer(reply[0]) && Buffer.isBuffer(reply[1])
}
