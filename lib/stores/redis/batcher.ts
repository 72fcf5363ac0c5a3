import type { ScriptRunnerOptions, ScriptRunner } from './script-runner.js'
import { toFailureReason } from './script-runner.js'
import { canLease, type Answer, type FailureReason, type Unavailable } from '../store.js'
import { Batch, type Check } from './batch.js'
import { BAD_REPLY, OUT_OF_PERIODS, toFailureCode } from './failure-code.js'
import type { HeldSlots } from './held-slots.js'
import type { KeyWriter } from './keys.js'
import { loadScript } from './scripts.js'
import { hasTime, readNumber, type LeaseCharge } from './wire-format.js'

const takeScript = loadScript('take')

/** On a Cluster, batches that are sent in one write. With more, the nodes would idle while the next ones are filled. */
const MAX_BATCHES = 16

/** Checks that no request waits for, and for how long they wait for others. Each call wakes Redis up, so it should have many. */
const MAX_LATER = 96
const LATER_TICK_MS = 15
const MAX_LATER_TICKS = 10

/** Turns of the event loop whose checks share a call. */
const TURNS = 2
/** The same for a limit with leases. They leave so few checks that two turns hardly fill a call. */
const LEASED_TURNS = 4
/** After turns that were longer than this on average, a batch is sent at once. */
const LONG_TURN_US = 1000

type Retake = (charges: readonly LeaseCharge[]) => Answer | Promise<Answer>

const BREAKER: Unavailable = { unavailable: 'breaker' }

/**
 * Collects the checks of a few turns of the event loop into one call, up to a size that does not block Redis. On a Cluster,
 * a call holds the checks of one partition.
 */
export class Batcher {
  readonly #options: ScriptRunnerOptions
  readonly #runner: ScriptRunner
  readonly #keys: KeyWriter
  readonly #retake: Retake
  readonly #heldSlots: HeldSlots
  /** Batches that are being filled: on a Cluster one per partition, elsewhere a single one. */
  #filling = new Map<string, Batch>()
  /** Batches that wait for a connection. */
  readonly #held = new Set<Batch>()
  readonly #later: Check[] = []
  #laterTimer: NodeJS.Timeout | null = null
  /** Ticks of the timer until they are sent. */
  #laterTicks = MAX_LATER_TICKS
  #pending = 0
  #isFlushDue = false
  readonly #flushLaterDue = () => {
    if (--this.#laterTicks > 0) this.#laterTimer?.refresh()
    else this.flushLater()
  }

  /** `retake`: makes a check again, per partition. */
  constructor (options: ScriptRunnerOptions, runner: ScriptRunner, keys: KeyWriter, heldSlots: HeldSlots, retake: Retake) {
    this.#options = options
    this.#runner = runner
    this.#keys = keys
    this.#heldSlots = heldSlots
    this.#retake = retake
  }

  /** Number of checks without a result. */
  get pending (): number {
    return this.#pending
  }

  /** Send a check with the next call. On a Cluster all charges must have the same partition. */
  add (charges: readonly LeaseCharge[]): Promise<Answer> | Unavailable {
    const batch = this.#findBatch(charges)
    return batch === null ? BREAKER : new Promise((resolve) => { this.#fill(batch, { charges, resolve }, true) })
  }

  /** Send a check that no request waits for with the next call. `withinUs`: without one it is sent after this time at the latest. */
  addLater (check: Check, withinUs: number): void {
    if (this.#later.length >= MAX_LATER) this.flushLater()
    this.#laterTicks = Math.min(this.#laterTicks, Math.floor(withinUs / (LATER_TICK_MS * 1000)))
    this.#laterTimer ??= setTimeout(this.#flushLaterDue, LATER_TICK_MS).unref()
    this.#later.push(check)
  }

  /** The batch for a check; `null` if no call may be made. */
  #findBatch (charges: readonly LeaseCharge[]): Batch | null {
    const tag = this.#options.pool.hasSlots && charges.length > 0 ? charges[0].partition : ''
    const batch = this.#filling.get(tag)
    if (batch !== undefined) return batch
    // Before the check: a peek must see the units of a lease that was asked for earlier, in Redis or in hand, and not twice.
    if (this.#later.length > 0) this.flushLater()
    return this.#filling.get(tag) ?? this.#startBatch(tag, charges)
  }

  /** `isAwaited`: whether a request waits for the answer. */
  #fill (batch: Batch, check: Check, isAwaited: boolean): void {
    this.#pending++
    batch.push(check, isAwaited)
    if (batch.isFull || this.#filling.size >= MAX_BATCHES) this.#flush()
  }

  /** Send the batches that wait for a connection. */
  resume (): void {
    for (const batch of [...this.#held]) {
      this.#held.delete(batch)
      this.#send(batch)
    }
  }

  /** `charges`: of its first check. */
  #startBatch (tag: string, charges: readonly LeaseCharge[]): Batch | null {
    const batch = new Batch(this.#heldSlots)
    batch.call = this.#runner.begin('take', (code) => {
      this.#held.delete(batch)
      this.#fail(batch, 'deadline', code)
    })
    if (batch.call === null) return null
    this.#filling.set(tag, batch)
    if (!this.#isFlushDue) this.#flushAfter(charges.some(({ limit }) => canLease(limit)) ? LEASED_TURNS : TURNS)
    return batch
  }

  /**
   * Requests that arrive during this turn are read in the next one. Without new requests, that turn takes microseconds. If
   * there are many, waiting for it saves a third of all calls, each a wake-up of Redis and of Node. But after a long turn
   * much work is queued, possibly slow handlers, and the batch is sent before it.
   */
  #flushAfter (turns: number): void {
    this.#isFlushDue = true
    const { clock } = this.#options
    const latestUs = clock.nowUs() + (turns - 1) * LONG_TURN_US
    let left = turns
    const endTurn = () => {
      if (--left > 0 && clock.nowUs() <= latestUs) {
        setImmediate(endTurn)
        return
      }
      this.#isFlushDue = false
      this.#flush()
    }
    setImmediate(endTurn)
  }

  /** Add the checks that no request waits for to the next call. */
  flushLater (): void {
    if (this.#laterTimer !== null) clearTimeout(this.#laterTimer)
    this.#laterTimer = null
    this.#laterTicks = MAX_LATER_TICKS
    for (const check of this.#later.splice(0)) {
      check.prepare?.()
      const batch = this.#findBatch(check.charges)
      if (batch === null) check.resolve(BREAKER)
      else this.#fill(batch, check, false)
    }
  }

  #flush (): void {
    const batches = this.#filling
    // Create a new Map: a Map that is cleared and refilled links its former tables to the later ones and keeps them alive.
    this.#filling = new Map()
    if (batches.size > 1) this.#options.pool.cork(() => { this.#sendAll(batches) })
    else this.#sendAll(batches)
  }

  #sendAll (batches: ReadonlyMap<string, Batch>): void {
    for (const batch of batches.values()) this.#send(batch)
  }

  #send (batch: Batch): void {
    const { pool } = this.#options
    // The batch expired, or the store was closed, before it was sent.
    if (batch.size === 0) return
    if (!pool.isReady) {
      if (pool.isEnded) this.#failWithError(batch, null)
      else this.#held.add(batch)
      return
    }
    // It was filled before the endpoint refused keys of several slots.
    if (pool.hasSlots && batch.hasSeveralPartitions) {
      this.#divide(batch)
      return
    }
    batch.pack(this.#keys, batch.redisUs ?? this.#runner.redisTimeUs)
    const sent = this.#runner.evalScript(takeScript, batch.keys, batch.args)
    batch.dropReports()
    sent.then((reply) => { this.#completeBatch(batch, reply) }, (error) => {
      const isDivisible = batch.hasSeveralPartitions && toFailureCode(error) === 'CROSSSLOT'
      this.#runner.detectSlots(error)
      if (isDivisible) this.#divide(batch)
      else this.#failWithError(batch, error)
    })
  }

  /** Make the checks of a batch again, per partition. Redis refused the batch as a whole, or it was not sent. */
  #divide (batch: Batch): void {
    this.#pending -= batch.size
    batch.call?.settle(true)
    for (const check of batch.removeChecks()) check.resolve(this.#retake(check.charges))
  }

  #completeBatch (batch: Batch, reply: unknown): void {
    if (isOutOfPeriods(reply) && batch.size > 0) return this.#sendAgain(batch, readNumber(reply[0], 0))
    if (!isScriptReply(reply) || !batch.accepts(reply[0])) {
      this.#fail(batch, 'error', BAD_REPLY)
      batch.call?.settle(false)
      return
    }
    const [packed, err] = reply
    this.#runner.settle(batch.call, err.toString())
    this.#pending -= batch.size
    batch.complete(packed)
  }

  /** Send a batch again, with periods around the time of Redis. Nothing was decided, and no lease was settled. */
  #sendAgain (batch: Batch, redisUs: number): void {
    if (batch.redisUs !== null) {
      this.#fail(batch, 'error', OUT_OF_PERIODS)
      batch.call?.settle(false)
      return
    }
    batch.redisUs = redisUs
    this.#runner.noteRedisTime(redisUs)
    this.#send(batch)
  }

  #failWithError (batch: Batch, error: unknown): void {
    this.#fail(batch, toFailureReason(error), this.#options.pool.explainError(error))
    batch.call?.settle(false)
  }

  #fail (batch: Batch, reason: FailureReason, code: string): void {
    if (batch.size === 0) return
    this.#runner.report(reason, code)
    this.#pending -= batch.size
    batch.fail(reason)
  }
}

const OUT_OF_PERIODS_TEXT = Buffer.from(OUT_OF_PERIODS)

/** Whether nothing was decided, because the time of Redis is in no period of a limit. */
function isOutOfPeriods (reply: unknown): reply is [Buffer, Buffer] {
  return isScriptReply(reply) && reply[1].equals(OUT_OF_PERIODS_TEXT) && hasTime(reply[0])
}

function isScriptReply (reply: unknown): reply is [Buffer, Buffer] {
  return Array.isArray(reply) && Buffer.isBuffer(reply[0]) && Buffer.isBuffer(reply[1])
}
