// Charges and refunds after the fact of a bucket that another version of the limit wrote, and of a key of another type.
import t from 'tap'
import { KeyWriter } from '../../../lib/stores/redis/keys.js'
import { isUnavailable, type Limit, type Receipt } from '../../../lib/stores/store.js'
import { ALGORITHMS, limitOf, SECOND_US } from '../../fixtures/limits.js'
import { openBench } from './open-store.js'

const bench = await openBench(t)
const PREFIX = 'adjustments:'
const PARTITION = 'user:42'
const START_US = 1_790_000_000_000_000
let timeUs = START_US
const store = bench.store({ keyPrefix: PREFIX, timeUs: () => timeUs })
const key = new KeyWriter(PREFIX).formatBucketKey(limitOf(), PARTITION)

t.beforeEach(async () => {
  timeUs = START_US
  await bench.redis.del(key)
})

async function take (limit: Limit, cost: number): Promise<Receipt> {
  const answer = await store.take([{ limit, partition: PARTITION, cost }])
  if (isUnavailable(answer)) throw new Error(answer.unavailable)
  return answer
}

/** Charge or, below 0, give back units under a limit. */
async function adjust (limit: Limit, { atUs, standings: [standing] }: Receipt, units: number): Promise<void> {
  await store.adjust([{ standing: { ...standing, limit }, atUs, units }])
}

/** The stored bucket: the numbers that it was written under, and the units of its overuse. */
async function readBucket (): Promise<{ max: number, windowUs: number, overuse: number | null }> {
  const stored = await bench.redis.getBuffer(key)
  if (stored === null) throw new Error('no bucket')
  const hasOveruse = stored[0] === 'U'.charCodeAt(0)
  const bucket = hasOveruse ? stored.subarray(27) : stored
  const windowAt = bucket[0] === 'T'.charCodeAt(0) ? 9 : 5
  return { max: bucket.readUInt32BE(1), windowUs: bucket.readUIntBE(windowAt + 1, 6), overuse: hasOveruse ? stored.readDoubleBE(8) : null }
}

for (const algorithm of ALGORITHMS) {
  const isWindow = algorithm !== 'token-bucket'
  const large = limitOf({ algorithm, max: 100, windowUs: 60 * SECOND_US })
  const small = limitOf({ algorithm, max: 5, windowUs: 120 * SECOND_US })

  t.test(`${algorithm}: a late charge of a smaller version ${isWindow ? 'keeps' : 'replaces'} the numbers of the larger one`, async (t) => {
    const receipt = await take(large, 50)
    await adjust(small, receipt, 30)
    t.match(await readBucket(), { max: isWindow ? 100 : 5 })
    if (isWindow) t.match(await store.peek([large], PARTITION), [{ remaining: 20 }])
  })

  t.test(`${algorithm}: a late charge of a version with the same max, or a larger one, is made by its own numbers`, async (t) => {
    const receipt = await take(large, 1)
    await adjust(limitOf({ algorithm, max: 100, windowUs: 120 * SECOND_US }), receipt, 1)
    t.match(await readBucket(), { max: 100, windowUs: 120 * SECOND_US })
    await adjust(limitOf({ algorithm, max: 101, windowUs: 60 * SECOND_US }), receipt, 1)
    t.match(await readBucket(), { max: 101, windowUs: 60 * SECOND_US })
  })

  t.test(`${algorithm}: a refund of a smaller version is made by its own numbers`, async (t) => {
    const receipt = await take(large, 50)
    await adjust(small, receipt, -1)
    t.match(await readBucket(), { max: 5 })
  })
}

t.test('sliding-window: a late charge of a smaller version is an entry of its own if it is far enough from the one before', async (t) => {
  const large = limitOf({ algorithm: 'sliding-window', max: 100, windowUs: 60 * SECOND_US })
  const small = limitOf({ algorithm: 'sliding-window', max: 5, windowUs: 60 * SECOND_US })
  // 1/128 of the window is 468,750 microseconds.
  for (const [laterUs, remaining] of [[468_749, 98], [468_750, 99]]) {
    timeUs = START_US
    await bench.redis.del(key)
    const receipt = await take(large, 1)
    timeUs = START_US + laterUs
    await adjust(small, receipt, 1)
    timeUs = START_US + 60 * SECOND_US
    t.match(await store.peek([large], PARTITION), [{ remaining }], `${laterUs} us later`)
  }
})

t.test('an overuse grows by a late charge, up to what a debt can be, and shrinks by a refund that is not too late', async (t) => {
  const large = limitOf({ algorithm: 'fixed-window', max: 100, windowUs: 60 * SECOND_US })
  const small = limitOf({ algorithm: 'fixed-window', max: 5, windowUs: 30 * SECOND_US })
  const receipt = await take(large, 50)
  t.match(await take(small, 1), { granted: false })
  t.match(await readBucket(), { max: 5, overuse: 50 })
  await adjust(small, receipt, 3)
  t.match(await readBucket(), { overuse: 53 })
  await adjust(small, receipt, 1000)
  t.match(await readBucket(), { overuse: 63 })
  const { atUs, standings: [standing] } = receipt
  for (const [resetUs, overuse] of [[0, 63], [1, 61]]) {
    await store.adjust([{ standing: { ...standing, limit: small, resetUs }, atUs, units: -2 }])
    t.match(await readBucket(), { overuse }, `${resetUs} us left`)
  }
})

t.test('an adjustment of a key of another type is reported, and others of its call are made', async (t) => {
  const codes: string[] = []
  const store = bench.store({ keyPrefix: 'adjust-type:', onFailure: (code) => { codes.push(code) } })
  const limit = limitOf()
  const [other, spoilt] = await Promise.all(['user:1', 'user:2'].map((partition) => store.take([{ limit, partition, cost: 5 }])))
  if (isUnavailable(other) || isUnavailable(spoilt)) throw new Error('no answer')
  const key = new KeyWriter('adjust-type:').formatBucketKey(limit, 'user:2')
  await bench.redis.del(key)
  await bench.redis.lpush(key, 'a list')
  await store.adjust([spoilt, other].map(({ atUs, standings: [standing] }) => ({ standing, atUs, units: 3 })))
  t.strictSame(codes, ['WRONGTYPE'])
  t.match(await store.peek([limit], 'user:1'), [{ remaining: 2 }])
})
