import t from 'tap'
import { packAdjustments } from '../../../lib/stores/redis/pack-adjustments.js'
import { ANSWER_BYTES, answerBytes, hasStartedBlock, packLimit, readNumber, readStanding, writeNumber } from '../../../lib/stores/redis/wire-format.js'
import type { Standing } from '../../../lib/stores/store.js'
import { limitOf, penaltyWith } from '../../fixtures/limits.js'
import { Seeded } from '../../fixtures/seeded.js'

const limit = limitOf({ max: 7, windowUs: 1_000_000 })
const EDGES = [0, 1, 255, 256, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 1_790_000_000_123_457, 2 ** 52, 2 ** 53 - 1]

function numbersIn (packed: Buffer, from: number): number[] {
  return Array.from({ length: Math.floor((packed.length - from) / 7) }, (_, i) => readNumber(packed, from + 7 * i))
}

t.test('every whole number up to 2^53 comes back as it was', async (t) => {
  const random = new Seeded(1)
  const target = Buffer.alloc(9, 0xff)
  const drawn = Array.from({ length: 10_000 }, () => random.nextInt(2 ** 21) * 2 ** 32 + random.nextInt(2 ** 32))
  for (const number of [...EDGES, ...drawn]) {
    if (writeNumber(target, number, 1) !== 8 || readNumber(target, 1) !== number) t.fail(`${number}`)
  }
  t.strictSame([target[0], target[8]], [0xff, 0xff], 'and its neighbours are left alone')
})

t.test('a limit is packed as its algorithm, its mode and its ten numbers', async (t) => {
  const packed = packLimit(limitOf({ max: 7, windowUs: 1_000_000, algorithm: 'fixed-window', mode: 'shadow' }))
  t.strictSame([...packed.subarray(0, 2)], [3, 1])
  t.strictSame(numbersIn(packed, 2), [7, 1_000_000, 7, 142_857, 1, 7, 1_000_000, 0, 1_857_142, 7813])
  t.strictSame([packLimit(limit)[0], packLimit(limitOf({ algorithm: 'sliding-window' }))[0]], [1, 2])
})

t.test('patience and a penalty follow the ten numbers, and flags tell of them', async (t) => {
  const plain = packLimit(limit)
  t.equal(plain.length, 72, 'the short way knows a limit without them by its length')
  const patient = packLimit(limitOf({ max: 7, windowUs: 1_000_000, maxDelayUs: 2 ** 40 }))
  t.strictSame([patient.length, patient[1], ...numbersIn(patient, 72)], [79, 2, 2 ** 40])
  const penalty = penaltyWith({ strikes: 5, withinUs: 600_000_000, cooldownUs: 10, factor: 1.1, maxCooldownUs: 2 ** 50 })
  const penal = packLimit(limitOf({ max: 7, windowUs: 1_000_000, penalty }))
  t.strictSame([penal.length, penal[1], penal.readUInt32BE(72), ...numbersIn(penal.subarray(0, 97), 76)], [105, 4, 5, 600_000_000, 10, 2 ** 50])
  t.equal(penal.readDoubleBE(97), 1.1, 'to the last bit')
  t.equal(packLimit(limitOf({ maxDelayUs: 1, penalty }))[1], 6)
})

t.test('the penalty of a limit that no client can be blamed for is not sent', async (t) => {
  const penalty = penaltyWith()
  t.equal(packLimit(limitOf({ by: 'global', penalty })).length, 72)
  t.equal(packLimit(limitOf({ mode: 'shadow', penalty })).length, 72)
})

t.test('what an answer tells of a wait and of a block follows it', async (t) => {
  const charge = { limit, partition: 'user:42', cost: 1 }
  const answer = (state: number, ...more: number[]) => {
    const packed = Buffer.alloc(50, 0xff)
    packed[0] = state
    for (const [i, number] of [0, 9, 8, ...more].entries()) writeNumber(packed, number, 1 + 7 * i)
    const { delayUs, blockedUs } = readStanding(packed, 0, charge) ?? {}
    return [answerBytes(packed, 0, limit), delayUs, blockedUs, hasStartedBlock(packed, 0)]
  }
  t.strictSame(answer(3), [22, 0, 0, false])
  t.strictSame(answer(3 + 8, 2 ** 40), [29, 2 ** 40, 0, false])
  t.strictSame(answer(16, 7), [29, 0, 7, false])
  t.strictSame(answer(16 + 32, 7), [29, 0, 7, true])
  t.strictSame(answer(8 + 16, 6, 7), [36, 6, 7, false])
})

t.test('an answer is read as a standing', async (t) => {
  const charge = { limit, partition: 'user:42', cost: 3 }
  const answer = (state: number, ...numbers: number[]) => {
    const packed = Buffer.alloc(ANSWER_BYTES)
    packed[0] = state
    numbers.forEach((number, i) => { writeNumber(packed, number, 1 + 7 * i) })
    return readStanding(packed, 0, charge)
  }
  const standing = { limit, partition: 'user:42', charged: 3, granted: true, remaining: 4, resetUs: 2 ** 50, delayUs: 0, retryUs: 0, blockedUs: 0 }
  t.strictSame(answer(3, 4, 2 ** 50, 0), standing)
  t.strictSame(answer(1, 4, 2 ** 50, 0), { ...standing, charged: 0 }, 'granted, not charged: another limit refused')
  t.match(answer(0, 0, 5, 2 ** 50), { granted: false, charged: 0, retryUs: 2 ** 50 })
  t.match(answer(0, 0, 5, 2 ** 53 - 1), { retryUs: 'never' })
  t.equal(answer(4, 0, 0, 0), null, 'a bucket that could not be read')
})

t.test('adjustments name each limit once, and say which of them give back', async (t) => {
  const other = limitOf({ bucket: 'app/other' })
  const standingOf = (limit: Standing['limit'], resetUs: number): Standing =>
    ({ limit, partition: 'user:42', charged: 1, granted: true, remaining: 1, resetUs, delayUs: 0, retryUs: 0, blockedUs: 0 })
  const [limits, packed] = packAdjustments([
    { standing: standingOf(limit, 11), atUs: 1_790_000_000_000_001, units: -3 },
    { standing: standingOf(other, 12), atUs: 2, units: 2 ** 40 },
    { standing: standingOf(limit, 13), atUs: 3, units: 0 },
    { standing: standingOf(other, 14), atUs: 4, units: -2, onlyIfLast: true },
    { standing: standingOf(other, 15), atUs: 5, units: 2, onlyIfLast: true }
  ])
  t.strictSame(limits, Buffer.concat([packLimit(limit), packLimit(other)]))
  const rows = [0, 24, 48, 72, 96].map((at) => [packed.readUInt16BE(at), packed[at + 2], ...numbersIn(packed.subarray(0, at + 24), at + 3)])
  t.strictSame(rows, [[1, 1, 3, 1_790_000_000_000_001, 11], [2, 0, 2 ** 40, 2, 12], [1, 0, 0, 3, 13], [2, 2, 2, 4, 14], [2, 0, 2, 5, 15]])
})
