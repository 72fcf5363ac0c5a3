import {
  NO_BLOCKS, findPenalty, findSlot, isConcurrency, type Answer, type Block, type FailureReason, type Limit, type Standing
} from '../store.js'
import { type GuardedCall } from '../call-watch.js'
import { BatchSlots } from './batch-slots.js'
import type { HeldSlots } from './held-slots.js'
import type { KeyWriter } from './keys.js'
import {
  answerBytes, CHARGE_BYTES, hasStartedBlock, hasTime, isStanding, LEASE_REQUEST_BYTES, packLimit, readNumber, readStanding,
  REPORTS_BYTES, SLOT_REPORT_BYTES, STRIKES_BYTES, TIME_BYTES, writeCharge, writeLeaseRequest, writeStrikes, type LeaseCharge
} from './wire-format.js'

export interface Check {
  readonly charges: readonly LeaseCharge[]
  /** Called before the charges are read, if they depend on the time. */
  prepare? (): void
  resolve (answer: Answer | Promise<Answer>): void
}

/** How long a charge keeps Redis busy, relative to a token bucket. */
const WEIGHT = { 'token-bucket': 1, 'fixed-window': 1, 'calendar-window': 1, 'sliding-window': 2, concurrency: 1 } as const

/** The weight of a penalty: one more key to read. */
const PENALTY_WEIGHT = 1

/** A batch is sent once this many checks are awaited. More would make all connections move in lockstep. */
const MAX_CHECKS = 16

/** A batch is sent before it would keep Redis busy for a millisecond. */
const MAX_WEIGHT = 96

/** Checks that share one call and one reply. */
export class Batch {
  /** The guard of the call. */
  call: GuardedCall | null = null
  /** The time of Redis, after it was in no period of the limits. The batch is then sent a second time. */
  redisUs: number | null = null
  /**
   * The keys and arguments of `take.lua`, after `pack`. They are emptied with the reply: V8 allocates frequently used
   * arrays in its old generation, where they would keep their contents alive until the next full collection.
   */
  readonly keys: string[] = []
  readonly args: Buffer[] = []
  readonly #checks: Check[] = []
  readonly #heldSlots: HeldSlots
  /** `null` until a check asks for a slot. */
  #slots: BatchSlots | null = null
  /** Where the reports of leases are in the last argument. */
  readonly #reportsAt: number[] = []
  #awaited = 0
  #bytes = 0
  #weight = 0

  constructor (heldSlots: HeldSlots) {
    this.#heldSlots = heldSlots
  }

  /** `isAwaited`: whether a request waits for the answer. */
  add (charges: readonly LeaseCharge[], isAwaited: boolean): Promise<Answer> {
    return new Promise((resolve) => { this.push({ charges, resolve }, isAwaited) })
  }

  push (check: Check, isAwaited: boolean): void {
    const { charges } = check
    if (isAwaited) this.#awaited++
    for (let i = 0; i < charges.length; i++) {
      const { limit, lease } = charges[i]
      this.#weight += WEIGHT[limit.algorithm]
      if (lease !== undefined) this.#bytes += LEASE_REQUEST_BYTES
      if (isConcurrency(limit)) this.#bytes += SLOT_REPORT_BYTES
      if (findPenalty(limit) === null) continue
      this.#weight += PENALTY_WEIGHT
      this.#bytes += STRIKES_BYTES
    }
    this.#bytes += 1 + charges.length * CHARGE_BYTES
    this.#checks.push(check)
  }

  get size (): number {
    return this.#checks.length
  }

  get isFull (): boolean {
    return this.#awaited >= MAX_CHECKS || this.#weight >= MAX_WEIGHT
  }

  /** Whether the keys may be in several slots. */
  get hasSeveralPartitions (): boolean {
    let first: string | null = null
    for (const { charges } of this.#checks) {
      for (const { partition } of charges) {
        if (partition !== (first ??= partition)) return true
      }
    }
    return false
  }

  /** Write the keys and arguments. `nowUs`: the supposed time of Redis, for calendar windows. Default 0. */
  pack (keyWriter: KeyWriter, nowUs = 0): void {
    this.#clearArguments()
    // The slots that a call asked for which decided nothing are asked for again.
    this.#slots?.close(false)
    this.#slots = null
    const limitNumbers = new Map<Limit, number>()
    const limits: Buffer[] = []
    // Every byte is written below.
    const checks = Buffer.allocUnsafe(this.#bytes)
    let at = 0
    for (const { charges } of this.#checks) {
      at = checks.writeUInt8(charges.length, at)
      for (const charge of charges) {
        const { limit, partition, cost, strikes = 0, lease } = charge
        let limitNumber = limitNumbers.get(limit)
        if (limitNumber === undefined) {
          limitNumber = limits.push(getPackedLimit(limit, nowUs))
          limitNumbers.set(limit, limitNumber)
        }
        const key = keyWriter.formatBucketKey(limit, partition)
        this.keys.push(key)
        at = writeCharge(checks, limitNumber, cost, lease !== undefined, at)
        if (isConcurrency(limit)) at = (this.#slots ??= new BatchSlots(this.#heldSlots)).write(checks, charge, key, at)
        const penalty = findPenalty(limit)
        if (penalty !== null) {
          this.keys.push(keyWriter.formatPenaltyKey(penalty, partition))
          at = writeStrikes(checks, strikes, at)
        }
        if (lease === undefined) continue
        at = writeLeaseRequest(checks, lease, at)
        this.#reportsAt.push(at - REPORTS_BYTES)
      }
    }
    this.args.push(limits.length === 1 ? limits[0] : Buffer.concat(limits), checks)
  }

  /**
   * Drop the reports of leases from the arguments, which were written to a connection. A client of the application may send a
   * call again whose reply was lost. Its reports would count twice, and leased units of others would drain before they are spent.
   */
  dropReports (): void {
    for (const at of this.#reportsAt) this.args[1].fill(0, at, at + REPORTS_BYTES)
  }

  /** Whether a reply has a standing for each charge and nothing else. An expired batch has no charges left. */
  accepts (reply: Buffer): boolean {
    if (!hasTime(reply)) return false
    if (this.#checks.length === 0) return true
    let at = TIME_BYTES
    for (const { charges } of this.#checks) {
      for (let i = 0; i < charges.length; i++) {
        if (!isStanding(reply, at, charges[i])) return false
        at += answerBytes(reply, at, charges[i].limit)
      }
    }
    return at === reply.length
  }

  /** Resolve each check with its part of an accepted reply. A check whose bucket could not be read or written fails alone. */
  complete (reply: Buffer): void {
    const atUs = readNumber(reply, 0)
    let at = TIME_BYTES
    for (const check of this.#checks) {
      const { charges } = check
      const standings: Standing[] = []
      let blocks = NO_BLOCKS
      let granted = true
      for (const charge of charges) {
        const standing = readStanding(reply, at, charge)
        if (standing !== null && standing.blockedUs > 0) {
          blocks = addBlock(blocks, standings, standing, hasStartedBlock(reply, at))
        }
        at += answerBytes(reply, at, charge.limit)
        if (standing === null) continue
        if (!standing.granted && charge.limit.mode === 'enforce') granted = false
        standings.push(standing)
      }
      const isComplete = standings.length === charges.length
      if (asksForSlot(charges)) this.#slots?.settle(findSlot(standings)?.charged ?? 0, isComplete)
      check.resolve(isComplete ? { granted, atUs, standings, blocks } : { unavailable: 'error' })
    }
    this.#slots?.close(true)
    this.#checks.length = 0
    this.#clearArguments()
  }

  #clearArguments (): void {
    this.keys.length = 0
    this.args.length = 0
    this.#reportsAt.length = 0
  }

  /** Remove the checks, to send them again in other batches. */
  removeChecks (): Check[] {
    this.#slots?.close(false)
    return this.#checks.splice(0)
  }

  /** Resolve every check of the batch as unavailable. */
  fail (reason: FailureReason): void {
    this.#slots?.close(false)
    for (const check of this.#checks.splice(0)) check.resolve({ unavailable: reason })
  }
}

function asksForSlot (charges: readonly LeaseCharge[]): boolean {
  const slot = findSlot(charges)
  return slot !== undefined && slot.cost > 0
}

/** Each standing of a partition and penalty contains the block. Add it only once. */
function addBlock (
  blocks: readonly Block[], before: readonly Standing[], { limit, partition, blockedUs }: Standing, began: boolean
): readonly Block[] {
  const isKnown = before.some((other) => {
    return other.blockedUs > 0 && other.partition === partition && other.limit.penalty?.bucket === limit.penalty?.bucket
  })
  return isKnown ? blocks : [...blocks, { partition, blockedUs, began }]
}

const packedLimits = new WeakMap<Limit, Buffer>()

function getPackedLimit (limit: Limit, nowUs: number): Buffer {
  if (limit.calendar !== null) return packLimit(limit, nowUs)
  let packed = packedLimits.get(limit)
  if (packed === undefined) {
    packed = packLimit(limit, nowUs)
    packedLimits.set(limit, packed)
  }
  return packed
}
