import type { LeaseGrant, LeaseRequest } from '../../algorithms/lease.js'
import type { QuotaAlgorithm } from '../../algorithms/quota.js'
import { findPenalty, type Charge, type Limit, type Penalty, type Standing, type Usage } from '../store.js'

/*
 * The format of script arguments and replies: big-endian integers of fixed width. A Lua number in a reply would lose its
 * fraction, a formatted number its last digits, and text is slow to parse. `take.lua` documents the layout.
 */

const ALGORITHM_NUMBER: Record<QuotaAlgorithm, number> = {
  'token-bucket': 1, 'sliding-window': 2, 'fixed-window': 3, 'calendar-window': 4, concurrency: 5
}

/** Bytes of each time and count. */
export const NUMBER_BYTES = 7

/** `retryUs` of a charge that no wait helps. */
const NEVER = Number.MAX_SAFE_INTEGER

const GRANTED = 1
const CHARGED = 2
const BROKEN = 4
const DELAYED = 8
const BLOCKED = 16
const BLOCK_STARTED = 32
const LEASED = 64

const SHADOW = 1
const DELAYABLE = 2
const HAS_PENALTY = 4
const HAS_PERIODS = 8
const KEEPS_END = 16

/** Bytes of a charge in a reply, without optional fields: see `answerBytes`. */
export const ANSWER_BYTES = 1 + 3 * NUMBER_BYTES
/** Bytes of the time at the start of a reply. */
export const TIME_BYTES = NUMBER_BYTES
/** Bytes of one charge in a batch of checks. */
export const CHARGE_BYTES = 2 + NUMBER_BYTES
/** Bytes of the strikes of a charge whose limit has a penalty. */
export const STRIKES_BYTES = 4

/** Bytes of the usage of a calendar window in a reply. */
const USAGE_BYTES = 2 * NUMBER_BYTES
/** Bytes of a lease in a reply. */
const LEASE_BYTES = 4 * NUMBER_BYTES
/** Bytes of the reports at the end of a request for a lease. */
export const REPORTS_BYTES = 2 * (NUMBER_BYTES + 8)
/** Bytes of a request for a lease. */
export const LEASE_REQUEST_BYTES = 12 + REPORTS_BYTES

/** Added to the number of a limit where a request for a lease follows. */
const LEASE_FLAG = 32_768

const MAX_STRIKES = 2 ** 32 - 1

/** Bytes that name a process in its reports of slots. */
export const INSTANCE_BYTES = 8
/** Bytes of the report in a charge of a concurrency limit. */
export const SLOT_REPORT_BYTES = NUMBER_BYTES + 4 + INSTANCE_BYTES

/** How many slots of one partition a process holds, and the number of the report. */
export interface SlotCount {
  /** 0: no report, only a look. */
  readonly sequence: number
  readonly slots: number
}

/** A charge that may ask for units in advance. */
export interface LeaseCharge extends Charge {
  readonly lease?: LeaseRequest
}

/** A standing with the units that were leased along with its charge. */
export interface LeaseStanding extends Standing {
  readonly lease?: LeaseGrant
}

/**
 * Pack the numbers of a limit for the scripts. `call.lua` documents the layout.
 * `nowUs`: the supposed time of Redis. A calendar window is packed with the period of that time and the next one. Default 0.
 */
export function packLimit (limit: Limit, nowUs = 0): Buffer {
  const numbers = [limit.max, limit.windowUs, limit.capacity, limit.intervalUs, limit.intervalNum, limit.intervalDen,
    limit.capacityUs, limit.capacityNum, limit.ceilingUs, limit.mergeUs]
  const isDelayable = limit.maxDelayUs > 0
  if (isDelayable) numbers.push(limit.maxDelayUs)
  const penalty = findPenalty(limit)
  const packed = Buffer.alloc(2 + numbers.length * NUMBER_BYTES)
  packed[0] = ALGORITHM_NUMBER[limit.algorithm]
  packed[1] = (limit.mode === 'shadow' ? SHADOW : 0) + (isDelayable ? DELAYABLE : 0) + (penalty === null ? 0 : HAS_PENALTY) +
    packCalendarFlags(limit)
  numbers.forEach((number, index) => { writeNumber(packed, number, 2 + index * NUMBER_BYTES) })
  if (penalty === null && limit.calendar === null) return packed
  return Buffer.concat([packed, penalty === null ? NO_BYTES : packPenalty(penalty), packPeriods(limit, nowUs)])
}

const NO_BYTES = Buffer.alloc(0)

function packCalendarFlags ({ calendar }: Limit): number {
  return calendar === null ? 0 : HAS_PERIODS + (calendar.keepsEnd ? KEEPS_END : 0)
}

function packPeriods ({ calendar }: Limit, nowUs: number): Buffer {
  if (calendar === null) return NO_BYTES
  const { startUs, endUs } = calendar.periodAt(nowUs)
  const packed = Buffer.alloc(3 * NUMBER_BYTES)
  let at = 0
  for (const us of [Math.max(0, startUs), endUs, calendar.periodAt(endUs).endUs]) at = writeNumber(packed, us, at)
  return packed
}

function packPenalty (penalty: Penalty): Buffer {
  const packed = Buffer.alloc(4 + 3 * NUMBER_BYTES + 8)
  let at = packed.writeUInt32BE(Math.min(penalty.strikes, MAX_STRIKES), 0)
  for (const us of [penalty.withinUs, penalty.cooldownUs, penalty.maxCooldownUs]) at = writeNumber(packed, us, at)
  packed.writeDoubleBE(penalty.factor, at)
  return packed
}

/** Write one charge of a check. `hasLease`: a request for a lease follows. Returns the next position. */
export function writeCharge (target: Buffer, limitNumber: number, cost: number, hasLease: boolean, at: number): number {
  target.writeUInt16BE(hasLease ? limitNumber + LEASE_FLAG : limitNumber, at)
  return writeNumber(target, cost, at + 2)
}

/** Write the strikes of a charge whose limit has a penalty. Returns the next position. */
export function writeStrikes (target: Buffer, strikes: number, at: number): number {
  return target.writeUInt32BE(Math.min(strikes, MAX_STRIKES), at)
}

/** Write the report of a charge of a concurrency limit. `instance`: of `INSTANCE_BYTES`. Returns the next position. */
export function writeSlotReport (target: Buffer, { sequence, slots }: SlotCount, instance: Buffer, at: number): number {
  at = target.writeUInt32BE(slots, writeNumber(target, sequence, at))
  return at + instance.copy(target, at)
}

/** Write the request for a lease of a charge. Returns the next position. */
export function writeLeaseRequest (target: Buffer, { gridUs, want, soon, reports }: LeaseRequest, at: number): number {
  for (const number of [gridUs, want, soon]) at = target.writeUInt32BE(number, at)
  for (const { slotEndUs, spent, returned } of reports) {
    at = writeNumber(target, slotEndUs, at)
    at = target.writeUInt32BE(spent, at)
    at = target.writeUInt32BE(returned, at)
  }
  return at
}

/** Write a time or a count. Returns the next position. By bytes: the methods of Buffer for seven bytes take longer. */
export function writeNumber (target: Buffer, number: number, at: number): number {
  const high = Math.floor(number / 2 ** 32)
  const low = number % 2 ** 32
  target[at] = high >>> 16
  target[at + 1] = high >>> 8
  target[at + 2] = high
  target[at + 3] = low >>> 24
  target[at + 4] = low >>> 16
  target[at + 5] = low >>> 8
  target[at + 6] = low
  return at + NUMBER_BYTES
}

export function readNumber (source: Buffer, at: number): number {
  const high = source[at] << 16 | source[at + 1] << 8 | source[at + 2]
  const low = (source[at + 3] << 24 | source[at + 4] << 16 | source[at + 5] << 8 | source[at + 6]) >>> 0
  return high * 2 ** 32 + low
}

/** Whether a reply starts with a time. */
export function hasTime (source: Buffer): boolean {
  return source.length >= TIME_BYTES && Number.isSafeInteger(readNumber(source, 0))
}

/** Whether a whole standing of this charge, in the format of `take.lua`, is at this position of a reply, and no more than it asked for. */
export function isStanding (source: Buffer, at: number, { limit, lease }: LeaseCharge): boolean {
  if (at >= source.length || (source[at] & ~possibleFlags(limit, lease !== undefined)) !== 0) return false
  const end = at + answerBytes(source, at, limit)
  if (end > source.length) return false
  for (let position = at + 1; position < end; position += NUMBER_BYTES) {
    if (!Number.isSafeInteger(readNumber(source, position))) return false
  }
  if ((source[at] & DELAYED) !== 0 && readNumber(source, at + ANSWER_BYTES) > limit.maxDelayUs) return false
  if ((source[at] & LEASED) !== 0 && readNumber(source, end - LEASE_BYTES) > (lease?.want ?? 0)) return false
  return readNumber(source, at + 1) <= limit.capacity
}

function possibleFlags (limit: Limit, asksForLease: boolean): number {
  return GRANTED | CHARGED | BROKEN | (limit.maxDelayUs > 0 ? DELAYED : 0) |
    (findPenalty(limit) === null ? 0 : BLOCKED | BLOCK_STARTED) | (asksForLease ? LEASED : 0)
}

/** Read the standing of a charge from a reply. Returns `null` if its bucket could not be read or written. */
export function readStanding (source: Buffer, at: number, { limit, partition, cost }: Charge): LeaseStanding | null {
  const state = source[at]
  if ((state & BROKEN) !== 0) return null
  const retryUs = readNumber(source, at + 1 + 2 * NUMBER_BYTES)
  const isDelayed = (state & DELAYED) !== 0
  const standing: { -readonly [Field in keyof LeaseStanding]: LeaseStanding[Field] } = {
    limit,
    partition,
    charged: (state & CHARGED) === 0 ? 0 : cost,
    granted: (state & GRANTED) !== 0,
    remaining: readNumber(source, at + 1),
    resetUs: readNumber(source, at + 1 + NUMBER_BYTES),
    delayUs: isDelayed ? readNumber(source, at + ANSWER_BYTES) : 0,
    retryUs: retryUs === NEVER ? 'never' : retryUs,
    blockedUs: (state & BLOCKED) === 0 ? 0 : readNumber(source, at + ANSWER_BYTES + (isDelayed ? NUMBER_BYTES : 0))
  }
  const endAt = at + answerBytes(source, at, limit)
  if (limit.calendar !== null) standing.usage = readUsage(source, endAt - USAGE_BYTES)
  else if ((state & LEASED) !== 0) standing.lease = readLease(source, endAt - LEASE_BYTES)
  return standing
}

/** Calendar windows are not leased: nothing follows it. */
function readUsage (source: Buffer, at: number): Usage {
  return { units: readNumber(source, at), endUs: readNumber(source, at + NUMBER_BYTES) }
}

function readLease (source: Buffer, at: number): LeaseGrant {
  return {
    units: readNumber(source, at),
    lifeUs: readNumber(source, at + NUMBER_BYTES),
    slotEndUs: readNumber(source, at + 2 * NUMBER_BYTES),
    apart: readNumber(source, at + 3 * NUMBER_BYTES)
  }
}

/** Bytes of the charge of a limit that starts at this position of a reply. */
export function answerBytes (source: Buffer, at: number, { calendar }: Limit): number {
  const state = source[at]
  const hasUsage = calendar !== null && (state & BROKEN) === 0
  return ANSWER_BYTES + ((state & DELAYED) === 0 ? 0 : NUMBER_BYTES) + ((state & BLOCKED) === 0 ? 0 : NUMBER_BYTES) +
    ((state & LEASED) === 0 ? 0 : LEASE_BYTES) + (hasUsage ? USAGE_BYTES : 0)
}

/** Whether the check started the block of the charge at this position of a reply. */
export function hasStartedBlock (source: Buffer, at: number): boolean {
  return (source[at] & BLOCK_STARTED) !== 0
}
