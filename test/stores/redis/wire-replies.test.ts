// Which bytes of a reply are a standing of a charge, and what is read from them; and how leases, slots and periods are packed.
import t from 'tap'
import type { LeaseRequest } from '../../../lib/algorithms/lease.js'
import { createQuota } from '../../../lib/algorithms/quota.js'
import { packSlotReports } from '../../../lib/stores/redis/pack-slot-reports.js'
import {
  answerBytes, hasTime, INSTANCE_BYTES, isStanding, LEASE_REQUEST_BYTES, packLimit, readNumber, readStanding, REPORTS_BYTES, SLOT_REPORT_BYTES,
  writeCharge, writeLeaseRequest, writeNumber, writeSlotReport, writeStrikes, type LeaseCharge
} from '../../../lib/stores/redis/wire-format.js'
import type { Limit } from '../../../lib/stores/store.js'
import { createGrid, limitOf, penaltyWith, SECOND_US } from '../../fixtures/limits.js'

const plain = limitOf({ max: 50 })
const delayed = limitOf({ max: 50, maxDelayUs: 500 })
const penal = limitOf({ max: 50, penalty: penaltyWith() })
const monthly = limitOf({ max: 50, algorithm: 'calendar-window', windowUs: SECOND_US })
const UNSAFE = 2 ** 53
const NOTHING = { slotEndUs: 0, spent: 0, returned: 0 }
const lease: LeaseRequest = { gridUs: 500_000, want: 8, soon: 2, reports: [NOTHING, NOTHING] }

const chargeOf = (limit: Limit, asks = false): LeaseCharge => ({ limit, partition: 'a', cost: 3, ...asks ? { lease } : {} })

/** A reply with its flags and numbers after some bytes of another one. */
function pack (before: number, flags: number, ...numbers: readonly number[]): Buffer {
  const packed = Buffer.alloc(before + 1 + 7 * numbers.length)
  packed[before] = flags
  numbers.forEach((number, i) => { writeNumber(packed, number, before + 1 + 7 * i) })
  return packed
}

for (const [why, charge, flags, numbers, expected] of [
  ['a granted charge', chargeOf(plain), 3, [50, 9, 0], true],
  ['more units than the capacity', chargeOf(plain), 3, [51, 9, 0], false],
  ['a number that is not exact', chargeOf(plain), 3, [UNSAFE, 9, 0], false],
  ['a second one', chargeOf(plain), 3, [5, UNSAFE, 0], false],
  ['a third one', chargeOf(plain), 3, [5, 9, UNSAFE], false],
  ['a broken bucket', chargeOf(plain), 4, [0, 0, 0], true],
  ['an unknown flag', chargeOf(plain), 128, [5, 9, 0], false],
  ['a delay of a limit without delays', chargeOf(plain), 8, [5, 9, 0, 1], false],
  ['a block of a limit without a penalty', chargeOf(plain), 16, [5, 9, 0, 1], false],
  ['the start of one', chargeOf(plain), 32, [5, 9, 0], false],
  ['a lease that was not asked for', chargeOf(plain), 64, [5, 9, 0, 8, 1, 1, 1], false],
  ['an empty lease that was not asked for', chargeOf(plain), 64, [5, 9, 0, 0, 1, 1, 1], false],
  ['an empty delay of a limit without delays', chargeOf(plain), 8, [5, 9, 0, 0], false],
  ['the longest delay', chargeOf(delayed), 8 + 3, [5, 9, 0, 500], true],
  ['a longer one', chargeOf(delayed), 8 + 3, [5, 9, 0, 501], false],
  ['no delay', chargeOf(delayed), 3, [5, 9, 0], true],
  ['a block that starts', chargeOf(penal), 16 + 32, [5, 9, 0, 7], true],
  ['a block of an exact time', chargeOf(penal), 16, [5, 9, 0, UNSAFE], false],
  ['a lease of all units that were wanted', chargeOf(plain, true), 64 + 3, [5, 9, 0, 8, 1, 1, 1], true],
  ['a lease of more', chargeOf(plain, true), 64 + 3, [5, 9, 0, 9, 1, 1, 1], false],
  ['no lease', chargeOf(plain, true), 3, [5, 9, 0], true],
  ['a period', chargeOf(monthly), 3, [5, 9, 0, 45, 99], true],
  ['a broken one, without its usage', chargeOf(monthly), 4, [0, 0, 0], true]
] as const) {
  t.test(`${why} ${expected ? 'is' : 'is not'} a standing`, async (t) => {
    for (const before of [0, 5]) {
      const packed = pack(before, flags, ...numbers)
      t.equal(isStanding(packed, before, charge), expected)
      if (!expected) continue
      t.equal(answerBytes(packed, before, charge.limit), packed.length - before)
      t.equal(isStanding(packed.subarray(0, -1), before, charge), false, 'a byte less')
      t.equal(isStanding(Buffer.concat([packed, Buffer.alloc(9, 0xff)]), before, charge), true, 'others follow')
      t.equal(isStanding(packed, packed.length, charge), false, 'the end')
    }
  })
}

t.test('a reply starts with an exact time', async (t) => {
  const withTime = (us: number) => {
    const packed = Buffer.alloc(7)
    writeNumber(packed, us, 0)
    return packed
  }
  t.strictSame([withTime(5), withTime(UNSAFE), withTime(5).subarray(1), Buffer.concat([withTime(5), withTime(5)])].map(hasTime), [true, false, false, true])
})

t.test('usage and leases are read from the end of a standing', async (t) => {
  t.match(readStanding(pack(5, 3, 5, 9, 0, 45, 99), 5, chargeOf(monthly)), { remaining: 5, usage: { units: 45, endUs: 99 } })
  t.match(readStanding(pack(5, 64 + 8 + 3, 5, 9, 0, 6, 7, 8, 10, 11), 5, chargeOf(delayed, true)), { delayUs: 6, lease: { units: 7, lifeUs: 8, slotEndUs: 10, apart: 11 } })
  const standing = readStanding(pack(0, 3, 5, 9, 0), 0, chargeOf(plain, true))
  t.strictSame([standing !== null && 'lease' in standing, standing !== null && 'usage' in standing], [false, false])
  t.equal(readStanding(pack(0, 4, 0, 0, 0), 0, chargeOf(monthly)), null)
})

t.test('a charge names its limit, and says whether a request for a lease follows', async (t) => {
  const target = Buffer.alloc(11)
  t.equal(writeCharge(target, 5, 2 ** 40, false, 2), 11)
  t.strictSame([target.readUInt16BE(2), readNumber(target, 4)], [5, 2 ** 40])
  writeCharge(target, 5, 1, true, 2)
  t.equal(target.readUInt16BE(2), 32_768 + 5)
})

t.test('more strikes than fit are as many as fit', async (t) => {
  const target = Buffer.alloc(5)
  t.strictSame([[7, 7], [2 ** 32 - 1, 2 ** 32 - 1], [2 ** 40, 2 ** 32 - 1]].map(([strikes, expected]) => [writeStrikes(target, strikes, 1), target.readUInt32BE(1) === expected]),
    [[5, true], [5, true], [5, true]])
  t.equal(packLimit(limitOf({ penalty: penaltyWith({ strikes: 2 ** 40 }) })).readUInt32BE(72), 2 ** 32 - 1)
})

t.test('a request for a lease has its reports at its end', async (t) => {
  const target = Buffer.alloc(1 + LEASE_REQUEST_BYTES)
  const reports = [{ slotEndUs: 2 ** 50, spent: 3, returned: 4 }, { slotEndUs: 7, spent: 8, returned: 9 }] as const
  t.equal(writeLeaseRequest(target, { gridUs: 1, want: 2, soon: 3, reports }, 1), 1 + LEASE_REQUEST_BYTES)
  t.strictSame([1, 5, 9].map((at) => target.readUInt32BE(at)), [1, 2, 3])
  t.strictSame([13, 28].map((at) => [readNumber(target, at), target.readUInt32BE(at + 7), target.readUInt32BE(at + 11)]), [[2 ** 50, 3, 4], [7, 8, 9]])
  t.strictSame([LEASE_REQUEST_BYTES, REPORTS_BYTES], [42, 30])
})

t.test('a report of slots names its process', async (t) => {
  const instance = Buffer.from('instance')
  const target = Buffer.alloc(1 + SLOT_REPORT_BYTES)
  t.equal(writeSlotReport(target, { sequence: 2 ** 40, slots: 5 }, instance, 1), 1 + SLOT_REPORT_BYTES)
  t.strictSame([readNumber(target, 1), target.readUInt32BE(8), target.subarray(12)], [2 ** 40, 5, instance])
  t.equal(instance.length, INSTANCE_BYTES)
})

t.test('reports of slots without a check follow the name of their process', async (t) => {
  const instance = Buffer.from('instance')
  const [nothing, packed] = packSlotReports(instance, [
    { sequence: 2 ** 40, slots: 5, leaseMs: 60_000, isKept: true }, { sequence: 7, slots: 0, leaseMs: 1, isKept: false }
  ])
  t.equal(nothing.length, 0)
  t.strictSame(packed.subarray(0, 8), instance)
  t.strictSame([8, 24].map((at) => [readNumber(packed, at), packed.readUInt32BE(at + 7), packed.readUInt32BE(at + 11), packed[at + 15]]), [[2 ** 40, 5, 60_000, 1], [7, 0, 1, 0]])
  t.equal(packed.length, 40)
})

t.test('a period is packed as its start, its end and the end of the next one', async (t) => {
  const periodsOf = (limit: Limit, nowUs?: number) => {
    const packed = packLimit(limit, nowUs)
    return [packed[0], packed[1], ...[0, 1, 2].map((i) => readNumber(packed, packed.length - 21 + 7 * i))]
  }
  t.strictSame(periodsOf(monthly, 2_500_000), [4, 8, 2_000_000, 3_000_000, 4_000_000])
  t.strictSame(periodsOf(monthly), [4, 8, 0, 1_000_000, 2_000_000])
  const kept = limitOf({ max: 50, algorithm: 'calendar-window', windowUs: SECOND_US, calendar: createGrid(SECOND_US, { keepsEnd: true, offsetUs: 500_000 }) })
  t.strictSame(periodsOf(kept), [4, 24, 0, 500_000, 1_500_000], 'no time is before 1970')
  const both = packLimit(limitOf({ algorithm: 'calendar-window', penalty: penaltyWith() }))
  t.strictSame([both.length, both[1]], [72 + 33 + 21, 4 + 8])
  t.equal(packLimit({ ...plain, ...createQuota('concurrency', 5, 60_000_000) })[0], 5)
})
