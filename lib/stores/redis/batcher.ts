import type { ScriptRunnerOptions, ScriptRunner } from './script-runner.js'
import { toFailureReason } from './script-runner.js'
import type { Answer, Charge, FailureReason, Unavailable } from '../store.js'
import { Batch } from './batch.js'
import { toFailureCode } from './connections.js'
import type { KeyWriter } from './keys.js'
import { loadScript } from './scripts.js'

const takeScript = loadScript('take')

/** On a Cluster, batches that leave in one write: with more, the nodes would idle while the next are filled. */
const MAX_BATCHES = 16

/** A turn of the event loop after which a batch waits for no other. */
const LONG_TURN_US = 1000

const BREAKER: Unavailable = { unavailable: 'breaker' }

/**
 * Gathers the checks of two turns of the event loop into one call, up to a size that does not hold Redis; on a Cluster,
 * those of one partition.
 */
export class Batcher {
  readonly #options: ScriptRunnerOptions
  readonly #runner: ScriptRunner
  readonly #keys: KeyWriter
  /** Batches that are being filled; on a Cluster by partition, elsewhere one. */
  #filling = new Map<string, Batch>()
  /** Batches that wait for a connection. */
  readonly #held = new Set<Batch>()
  #pending = 0
  #isFlushDue = false
  readonly #flushDue = () => {
    this.#isFlushDue = false
    this.#flush()
  }

  constructor (options: ScriptRunnerOptions, runner: ScriptRunner, keys: KeyWriter) {
    this.#options = options
    this.#runner = runner
    this.#keys = keys
  }

  /** Checks that have no answer yet. */
  get pending (): number {
    return this.#pending
  }

  /** Send a check with the next call. The charges are of one partition on a Cluster. */
  add (charges: readonly Charge[]): Promise<Answer> | Unavailable {
    const tag = this.#options.pool.isCluster ? charges[0].partition : ''
    let batch = this.#filling.get(tag)
    if (batch === undefined) {
      const started = this.#startBatch(tag)
      if (started === null) return BREAKER
      batch = started
    }
    this.#pending++
    const answer = batch.add(charges)
    if (batch.isFull || this.#filling.size >= MAX_BATCHES) this.#flush()
    return answer
  }

  /** Send what was held back until a connection was ready. */
  resume (): void {
    for (const batch of [...this.#held]) {
      this.#held.delete(batch)
      this.#send(batch)
    }
  }

  #startBatch (tag: string): Batch | null {
    const batch = new Batch()
    batch.call = this.#runner.begin('take', (code) => {
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
    if (batches.size > 1) this.#options.pool.cork(() => { this.#sendAll(batches) })
    else this.#sendAll(batches)
  }

  #sendAll (batches: ReadonlyMap<string, Batch>): void {
    for (const batch of batches.values()) this.#send(batch)
  }

  #send (batch: Batch): void {
    const { pool } = this.#options
    // It expired, or the store was closed, before it left.
    if (batch.size === 0) return
    if (!pool.isReady) {
      this.#held.add(batch)
      return
    }
    batch.pack(this.#keys)
    this.#runner.evalScript(takeScript, batch.keys, batch.args).then((reply) => this.#completeBatch(batch, reply), (error) => this.#failWithError(batch, error))
  }

  #completeBatch (batch: Batch, reply: unknown): void {
    if (!isScriptReply(reply)) {
      this.#failWithError(batch, new Error('ERR a reply of an unknown form'))
      return
    }
    const [packed, err] = reply
    this.#runner.settle(batch.call, err.toString())
    this.#pending -= batch.size
    batch.complete(packed)
  }

  #failWithError (batch: Batch, error: unknown): void {
    this.#fail(batch, toFailureReason(error), toFailureCode(error))
    batch.call?.settle(false)
  }

  #fail (batch: Batch, reason: FailureReason, code: string): void {
    if (batch.size === 0) return
    this.#runner.report(reason, code)
    this.#pending -= batch.size
    batch.fail(reason)
  }
}

function isScriptReply (reply: unknown): reply is [Buffer, Buffer] {
  return Array.isArray(reply) && Buffer.isBuffer(reply[0]) && Buffer.isBuffer(reply[1])
}
