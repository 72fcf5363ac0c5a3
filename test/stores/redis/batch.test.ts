import t from 'tap'
import { Batch } from '../../../lib/stores/redis/batch.js'
import { KeyWriter } from '../../../lib/stores/redis/keys.js'
import { ANSWER_BYTES, TIME_BYTES, packLimit, readNumber, writeNumber } from '../../../lib/stores/redis/wire-format.js'
import { limitOf, penaltyWith } from '../../fixtures/limits.js'
import { createHeldSlots } from '../../fixtures/held-slots.js'

const a = limitOf({ bucket: 'app/a' })
const b = limitOf({ bucket: 'app/b', algorithm: 'sliding-window' })
const keys = new KeyWriter('sluice:')

function reply (atUs: number, answers: ReadonlyArray<{ state: number, remaining: number }>): Buffer {
  const packed = Buffer.alloc(TIME_BYTES + answers.length * ANSWER_BYTES)
  writeNumber(packed, atUs, 0)
  answers.forEach(({ state, remaining }, i) => {
    packed[TIME_BYTES + i * ANSWER_BYTES] = state
    writeNumber(packed, remaining, TIME_BYTES + i * ANSWER_BYTES + 1)
  })
  return packed
}

t.test('a batch is full at 16 checks', async (t) => {
  const batch = new Batch(createHeldSlots())
  for (let i = 1; i <= 16; i++) {
    t.equal(batch.isFull, false)
    batch.add([{ limit: a, partition: `user:${i}`, cost: 1 }], true)
  }
  t.equal(batch.isFull, true)
})

t.test('a batch is full before it holds Redis, however few its checks: a sliding window weighs two token buckets', async (t) => {
  const charges = Array.from({ length: 16 }, () => ({ limit: b, partition: 'user:1', cost: 1 }))
  const batch = new Batch(createHeldSlots())
  batch.add(charges, true)
  batch.add(charges, true)
  t.equal(batch.isFull, false)
  batch.add(charges, true)
  t.equal(batch.isFull, true)
})

t.test('a batch sends each distinct limit once, a key for each charge, and the checks in order', async (t) => {
  const batch = new Batch(createHeldSlots())
  batch.add([{ limit: a, partition: 'user:1', cost: 3 }, { limit: b, partition: 'user:1', cost: 4 }], true)
  batch.add([{ limit: a, partition: 'user:2', cost: 2 ** 53 - 1 }], true)
  batch.add([], true)
  batch.pack(keys)
  const { keys: names, args: [limits, checks] } = batch
  t.strictSame(names, [keys.formatBucketKey(a, 'user:1'), keys.formatBucketKey(b, 'user:1'), keys.formatBucketKey(a, 'user:2')])
  t.strictSame(limits, Buffer.concat([packLimit(a), packLimit(b)]))
  t.strictSame([checks[0], checks.readUInt16BE(1), readNumber(checks, 3), checks.readUInt16BE(10), readNumber(checks, 12)], [2, 1, 3, 2, 4])
  t.strictSame([checks[19], checks.readUInt16BE(20), readNumber(checks, 22), checks[29], checks.length], [1, 1, 2 ** 53 - 1, 0, 30])
})

t.test('a check without charges is of no partition', async (t) => {
  const batch = new Batch(createHeldSlots())
  t.equal(batch.hasSeveralPartitions, false)
  batch.add([], true)
  batch.add([{ limit: a, partition: 'user:1', cost: 1 }], true)
  t.equal(batch.hasSeveralPartitions, false)
  batch.add([{ limit: a, partition: 'user:2', cost: 1 }], true)
  t.equal(batch.hasSeveralPartitions, true)
})

t.test('each check finds its own part of the reply, and one with a broken bucket fails alone', async (t) => {
  const batch = new Batch(createHeldSlots())
  const answers = [
    batch.add([{ limit: a, partition: 'user:1', cost: 1 }], true),
    batch.add([{ limit: a, partition: 'user:2', cost: 1 }, { limit: b, partition: 'user:2', cost: 1 }], true),
    batch.add([{ limit: b, partition: 'user:3', cost: 1 }], true)
  ]
  batch.complete(reply(1_790_000_000_000_001, [{ state: 3, remaining: 9 }, { state: 3, remaining: 8 }, { state: 4, remaining: 0 }, { state: 0, remaining: 7 }]))
  const [first, second, third] = await Promise.all(answers)
  t.match(first, { granted: true, atUs: 1_790_000_000_000_001, standings: [{ partition: 'user:1', charged: 1, remaining: 9 }] })
  t.strictSame(second, { unavailable: 'error' })
  t.match(third, { granted: false, standings: [{ partition: 'user:3', charged: 0, remaining: 7 }] })
  t.equal(batch.size, 0)
})

t.test('a batch that was answered keeps nothing alive of what it sent', async (t) => {
  const batch = new Batch(createHeldSlots())
  const answer = batch.add([{ limit: a, partition: 'user:1', cost: 1 }], true)
  batch.pack(keys)
  t.strictSame([batch.keys.length, batch.args.length], [1, 2])
  batch.complete(reply(1, [{ state: 3, remaining: 9 }]))
  await answer
  t.strictSame([batch.size, batch.keys.length, batch.args.length], [0, 0, 0])
})

t.test('a shadow limit that refuses leaves its check granted', async (t) => {
  const batch = new Batch(createHeldSlots())
  const answer = batch.add([{ limit: { ...a, mode: 'shadow' }, partition: 'user:1', cost: 1 }, { limit: b, partition: 'user:1', cost: 1 }], true)
  batch.complete(reply(1, [{ state: 0, remaining: 0 }, { state: 3, remaining: 9 }]))
  t.match(await answer, { granted: true, standings: [{ granted: false }, { granted: true }] })
})

t.test('a call that fails leaves every check of it without an answer', async (t) => {
  const batch = new Batch(createHeldSlots())
  const answers = [1, 2].map((user) => batch.add([{ limit: a, partition: `user:${user}`, cost: 1 }], true))
  batch.fail('deadline')
  t.strictSame(await Promise.all(answers), [{ unavailable: 'deadline' }, { unavailable: 'deadline' }])
})

t.test('a charge whose limit has a penalty brings its strikes, and the key of its conduct', async (t) => {
  const penalty = penaltyWith()
  const penal = limitOf({ bucket: 'app/penal', penalty })
  const batch = new Batch(createHeldSlots())
  batch.add([{ limit: penal, partition: 'user:1', cost: 3, strikes: 5 }, { limit: a, partition: 'user:1', cost: 1, strikes: 9 }], true)
  batch.add([{ limit: penal, partition: 'user:2', cost: 1 }, { limit: { ...penal, by: 'global' }, partition: 'global', cost: 1, strikes: 9 }], true)
  batch.pack(keys)
  const { keys: names, args: [, checks] } = batch
  t.strictSame(names, [
    keys.formatBucketKey(penal, 'user:1'), keys.formatPenaltyKey(penalty, 'user:1'), keys.formatBucketKey(a, 'user:1'),
    keys.formatBucketKey(penal, 'user:2'), keys.formatPenaltyKey(penalty, 'user:2'), keys.formatBucketKey(penal, 'global')
  ])
  t.strictSame([checks.length, checks.readUInt32BE(10), checks.readUInt16BE(14), checks[23], checks.readUInt32BE(33)], [46, 5, 2, 2, 0])
})

t.test('a penalty weighs as much as a token bucket', async (t) => {
  const penal = limitOf({ algorithm: 'sliding-window', penalty: penaltyWith() })
  const batch = new Batch(createHeldSlots())
  batch.add(Array.from({ length: 31 }, () => ({ limit: penal, partition: 'user:1', cost: 1 })), true)
  t.equal(batch.isFull, false)
  batch.add([{ limit: penal, partition: 'user:1', cost: 1 }], true)
  t.equal(batch.isFull, true)
})

t.test('answers of different length are told apart, and a block is told of once a check', async (t) => {
  const [own, other] = ['app/own', 'app/other'].map((bucket) => limitOf({ bucket, penalty: penaltyWith() }))
  const batch = new Batch(createHeldSlots())
  const answers = [
    batch.add([{ limit: own, partition: 'user:1', cost: 1 }, { limit: other, partition: 'user:1', cost: 1 }, { limit: own, partition: 'user:2', cost: 1 }], true),
    batch.add([{ limit: a, partition: 'user:3', cost: 1 }], true)
  ]
  const parts: Array<readonly [number, ...number[]]> = [[16 + 32, 0, 0, 7, 7], [16 + 32, 0, 0, 8, 7], [16, 0, 0, 9, 9], [3 + 8, 0, 11, 0, 5]]
  const packed = Buffer.alloc(TIME_BYTES + parts.length * (ANSWER_BYTES + 7))
  let at = writeNumber(packed, 1, 0)
  for (const [state, ...numbers] of parts) {
    at = packed.writeUInt8(state, at)
    for (const number of numbers) at = writeNumber(packed, number, at)
  }
  batch.complete(packed)
  const [first, second] = await Promise.all(answers)
  t.match(first, { granted: false, standings: [{ blockedUs: 7 }, { blockedUs: 7, retryUs: 8 }, { blockedUs: 9 }] })
  t.strictSame('blocks' in first && first.blocks, [{ partition: 'user:1', blockedUs: 7, began: true }, { partition: 'user:2', blockedUs: 9, began: false }])
  t.match(second, { granted: true, standings: [{ delayUs: 5, resetUs: 11 }] })
})

t.test('a penalty blocks a partition once, whichever of its limits say so', async (t) => {
  const [penal, other] = ['app/penalty', 'app/other'].map((bucket) => penaltyWith({ bucket }))
  const limits = [limitOf({ bucket: 'app/shadow', mode: 'shadow', penalty: penal }), limitOf({ bucket: 'app/a', penalty: penal }), limitOf({ bucket: 'app/b', penalty: other })]
  const batch = new Batch(createHeldSlots())
  const answer = batch.add(limits.map((limit) => ({ limit, partition: 'user:1', cost: 1 })), true)
  const packed = Buffer.alloc(TIME_BYTES + 3 * ANSWER_BYTES + 2 * 7)
  let at = writeNumber(packed, 1, 0)
  for (const [state, ...numbers] of [[0, 0, 0, 0], [16, 0, 0, 7, 7], [16, 0, 0, 9, 9]]) {
    at = packed.writeUInt8(state, at)
    for (const number of numbers) at = writeNumber(packed, number, at)
  }
  batch.complete(packed)
  t.match(await answer, { blocks: [{ partition: 'user:1', blockedUs: 7 }, { partition: 'user:1', blockedUs: 9 }] }, 'the shadow limit has no block, the other penalty one of its own')
})
