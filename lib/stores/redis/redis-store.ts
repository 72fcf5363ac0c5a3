import { FST_SLUICE_STORE } from '../../errors.js'
import { isUnavailable, type Adjustment, type Answer, type CallWatch, type Charge, type FailureReason, type Limit, type Receipt, type Standing, type Store, type Unavailable } from '../store.js'
import { Batch } from './batch.js'
import { KeyWriter } from './keys.js'
import { failureCode, replyCode, type RedisLink } from './link.js'
import { packAdjustments } from './packing.js'
import { loadScript, type Script } from './scripts.js'

const takeScript = loadScript('take')
const adjustScript = loadScript('adjust')
const resetScript = loadScript('reset')

const NOTHING = Buffer.alloc(0)

const OVERLOAD: Unavailable = { unavailable: 'overload' }
const BREAKER: Unavailable = { unavailable: 'breaker' }

export interface RedisStoreOptions {
  readonly link: RedisLink
  readonly watch: CallWatch
  readonly keyPrefix: string
  /** Checks in flight, past which a further one is not sent. */
  readonly maxPending: number
  /** Hears of each failure: the reason, and Redis's own word for it. */
  readonly onFailure: (reason: FailureReason, code: string) => void
  /** For tests: the time that the scripts go by instead of Redis's own, microseconds. */
  readonly timeUs?: () => number
}

/**
 * Buckets in Redis, decided by scripts there, on its clock. Checks of one turn of the event loop travel together, up to
 * a size that does not hold Redis; on a Cluster, those of one partition.
 */
export class RedisStore implements Store {
  readonly kind = 'redis'
  readonly #options: RedisStoreOptions
  readonly #keys: KeyWriter
  /** Batches that are being filled; on a Cluster by partition, elsewhere one. */
  readonly #filling = new Map<string, Batch>()
  /** Batches that wait for a connection. */
  readonly #held = new Set<Batch>()
  #pending = 0
  #isFlushDue = false

  constructor (options: RedisStoreOptions) {
    this.#options = options
    this.#keys = new KeyWriter(options.keyPrefix)
  }

  take (charges: readonly Charge[]): Promise<Answer> | Unavailable {
    if (this.#pending >= this.#options.maxPending) return OVERLOAD
    return this.#options.link.isCluster && hasSeveralPartitions(charges) ? this.#takeApart(charges) : this.#takeTogether(charges)
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
    return Number(await this.#ask(() => this.#run(resetScript, keys, [NOTHING, NOTHING])))
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
    if (batch.isFull) this.#flush(tag, batch)
    return answer
  }

  #begin (tag: string): Batch | null {
    const batch = new Batch()
    batch.call = this.#options.watch.begin(() => {
      this.#held.delete(batch)
      this.#fail(batch, 'deadline', this.#lateCode())
    })
    if (batch.call === null) return null
    this.#filling.set(tag, batch)
    if (!this.#isFlushDue) {
      this.#isFlushDue = true
      setImmediate(() => { this.#flushAll() })
    }
    return batch
  }

  #flushAll (): void {
    this.#isFlushDue = false
    if (this.#filling.size > 1) this.#options.link.together(() => { this.#flushEach() })
    else this.#flushEach()
  }

  #flushEach (): void {
    for (const [tag, batch] of this.#filling) this.#flush(tag, batch)
  }

  #flush (tag: string, batch: Batch): void {
    this.#filling.delete(tag)
    this.#send(batch)
  }

  #send (batch: Batch): void {
    const { link } = this.#options
    // It expired, or the store was closed, before it left.
    if (batch.size === 0) return
    if (!link.isReady) {
      this.#held.add(batch)
      return
    }
    const { keys, args } = batch.pack(this.#keys)
    this.#run(takeScript, keys, args).then((reply) => this.#arrive(batch, reply), (error) => this.#refused(batch, error))
  }

  #run (script: Script, keys: readonly string[], args: Buffer[]): Promise<unknown> {
    const { link, timeUs } = this.#options
    return link.run(script, keys, timeUs === undefined ? args : [...args, Buffer.from(String(timeUs()))])
  }

  #arrive (batch: Batch, reply: unknown): void {
    if (!isScriptReply(reply)) {
      this.#refused(batch, new Error('ERR a reply of an unknown form'))
      return
    }
    const [packed, err] = reply
    const text = err.toString()
    // Before the breaker hears of it: its change is logged with the failure that caused it.
    if (text !== '') this.#report('error', replyCode(text))
    // A key of the wrong type is that key's fault, not Redis's.
    batch.call?.settle(text === '' || replyCode(text) === 'WRONGTYPE')
    this.#pending -= batch.size
    batch.answer(packed)
  }

  #refused (batch: Batch, error: unknown): void {
    this.#fail(batch, reasonOf(error), failureCode(error))
    batch.call?.settle(false)
  }

  /** A call of an operator's, for whom a failure is an error. Rejects with FST_SLUICE_STORE, within the deadline. */
  #ask (send: () => Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const call = this.#options.watch.begin(() => {
        const code = this.#lateCode()
        this.#report('deadline', code)
        reject(new FST_SLUICE_STORE('deadline', code))
      })
      if (call === null) {
        reject(new FST_SLUICE_STORE('breaker', 'no call is made for a while'))
        return
      }
      send().then((reply) => {
        call.settle(true)
        resolve(reply)
      }, (error) => {
        this.#report(reasonOf(error), failureCode(error))
        call.settle(false)
        reject(new FST_SLUICE_STORE(reasonOf(error), failureCode(error), { cause: error }))
      })
    })
  }

  /** Why a call got no answer in time: what keeps the connection from being made, where there is none. */
  #lateCode (): string {
    const { link } = this.#options
    return link.isReady ? 'DEADLINE' : link.fault ?? 'DEADLINE'
  }

  #fail (batch: Batch, reason: FailureReason, code: string): void {
    if (batch.size === 0) return
    this.#report(reason, code)
    this.#pending -= batch.size
    batch.fail(reason)
  }

  #report (reason: FailureReason, code: string): void {
    if (code === 'READONLY') this.#options.link.reconnect()
    this.#options.onFailure(reason, code)
  }

  /** On a Cluster, partitions lie on different nodes: each is taken by itself, and given back where another refused. */
  async #takeApart (charges: readonly Charge[]): Promise<Answer> {
    const groups = new Map<string, Charge[]>()
    for (const charge of charges) groups.set(charge.partition, [...groups.get(charge.partition) ?? [], charge])
    const answers = await Promise.all(Array.from(groups.values(), (group) => this.#takeTogether(group)))
    const failed = answers.find(isUnavailable)
    const receipts = answers.filter((answer): answer is Receipt => !isUnavailable(answer))
    const isGranted = failed === undefined && receipts.every((receipt) => receipt.granted)
    if (!isGranted) await this.adjust(receipts.flatMap(refundsOf))
    if (failed !== undefined) return failed
    const standings = receipts.flatMap((receipt) => receipt.standings)
    return {
      granted: isGranted,
      atUs: Math.max(...receipts.map((receipt) => receipt.atUs)),
      standings: charges.map((charge) => {
        const standing = standings.find(({ limit, partition }) => limit === charge.limit && partition === charge.partition)
        if (standing === undefined) throw new TypeError('a charge without a standing')
        return isGranted ? standing : givenBack(standing)
      })
    }
  }

  async #adjustTogether (adjustments: readonly Adjustment[]): Promise<void> {
    const call = this.#options.watch.begin(() => { this.#report('deadline', this.#lateCode()) })
    if (call === null || !this.#options.link.isReady) {
      call?.settle(false)
      return
    }
    const keys = adjustments.map(({ standing }) => this.#keys.keyOf(standing.limit, standing.partition))
    try {
      const reply = await this.#run(adjustScript, keys, packAdjustments(adjustments))
      const text = String(reply)
      if (text !== '') this.#report('error', replyCode(text))
      call.settle(text === '' || replyCode(text) === 'WRONGTYPE')
    } catch (error) {
      this.#report(reasonOf(error), failureCode(error))
      call.settle(false)
    }
  }
}

function hasSeveralPartitions (charges: readonly Charge[]): boolean {
  return charges.some(({ partition }) => partition !== charges[0].partition)
}

function refundsOf ({ atUs, standings }: Receipt): Adjustment[] {
  return standings
    .filter((standing) => standing.charged > 0 && standing.limit.mode === 'enforce')
    .map((standing) => ({ standing, atUs, units: -standing.charged }))
}

/** A limit that granted, as it stands once its units were given back because another refused. */
function givenBack (standing: Standing): Standing {
  if (standing.charged === 0 || standing.limit.mode === 'shadow') return standing
  return { ...standing, charged: 0, remaining: Math.min(standing.limit.capacity, standing.remaining + standing.charged) }
}

function reasonOf (error: unknown): FailureReason {
  return error instanceof Error && error.name === 'ReplyError' ? 'error' : 'connection'
}

function isScriptReply (reply: unknown): reply is [Buffer, Buffer] {
  return Array.isArray(reply) && Buffer.isBuffer(reply[0]) && Buffer.isBuffer(reply[1])
}
