// Logs of a sliding window whose header is right by itself, but not with the entries. They are noticed where the entries are read.
import t from 'tap'
import { KeyWriter } from '../../../lib/stores/redis/keys.js'
import { isUnavailable, type Receipt } from '../../../lib/stores/store.js'
import { limitOf, SECOND_US } from '../../fixtures/limits.js'
import { openBench } from './open-store.js'

const PREFIX = 'damaged-logs:'
const PARTITION = 'user:42'
const NOW_US = 1_790_000_000_000_000
const bench = await openBench(t)
const codes: string[] = []
let timeUs = NOW_US
const store = bench.store({ keyPrefix: PREFIX, timeUs: () => timeUs, onFailure: (code) => { codes.push(code) } })
const limit = limitOf({ algorithm: 'sliding-window', max: 10, windowUs: 60 * SECOND_US })
const key = new KeyWriter(PREFIX).formatBucketKey(limit, PARTITION)

t.beforeEach(async () => {
  timeUs = NOW_US
  codes.length = 0
  await bench.redis.del(key)
})

type Entry = readonly [ageSeconds: number, units: number]
interface Header { readonly totalOff?: number, readonly lastOffUs?: number, readonly tail?: string, readonly isCut?: boolean }

/** Store a log, oldest entry first, whose header is off by so much, and whose entries end with more bytes, or with one less. */
async function storeLog (entries: readonly Entry[], { totalOff = 0, lastOffUs = 0, tail = '', isCut = false }: Header = {}): Promise<void> {
  const times = entries.map(([ageSeconds]) => NOW_US - ageSeconds * SECOND_US)
  const [newestUs, lastUs] = [times[times.length - 1], times[times.length - 2]]
  const total = entries.reduce((sum, [, units]) => sum + units, totalOff)
  const header = [[10, 4], [limit.windowUs, 7], [newestUs, 7], [newestUs, 7], [entries[entries.length - 1][1], 5], [total, 5], [times[0], 7], [lastUs + lastOffUs, 7]]
  const packed = header.map(([value, bytes]) => Buffer.from(value.toString(16).padStart(2 * bytes, '0'), 'hex'))
  // Doubled milliseconds since the entry before, in two groups of seven bits, and fewer than 128 units.
  const body = entries.slice(0, -1).map(([, units], i) => {
    const delta = (times[i] - times[Math.max(0, i - 1)]) / 500
    return Buffer.from(delta === 0 ? [0, units] : [128 + delta % 128, 128 + Math.floor(delta / 128) % 128, Math.floor(delta / 128 ** 2), units])
  })
  const stored = Buffer.concat([Buffer.from('S'), ...packed, ...body, Buffer.from(tail, 'latin1')])
  await bench.redis.set(key, isCut ? stored.subarray(0, -1) : stored, 'PX', 60_000)
}

async function take (cost: number): Promise<Receipt> {
  const answer = await store.take([{ limit, partition: PARTITION, cost }])
  if (isUnavailable(answer)) throw new Error(answer.unavailable)
  return answer
}

const ENTRIES: readonly Entry[] = [[30, 2], [20, 1], [10, 3]]

t.test('a log is read as it is stored', async (t) => {
  await storeLog(ENTRIES)
  t.match(await take(0), { standings: [{ remaining: 4 }] })
  timeUs = NOW_US + 41 * SECOND_US
  t.match(await take(0), { standings: [{ remaining: 7 }] })
  t.strictSame(codes, [])
})

const damages: ReadonlyArray<readonly [string, Header]> = [
  ['more units than its entries', { totalOff: 1 }],
  ['fewer units than its entries', { totalOff: -1 }],
  ['another time of its last entry', { lastOffUs: 1 }],
  ['one more byte than its entries', { tail: '\x02' }],
  ['one byte less than its entries', { isCut: true }]
]

for (const [title, header] of damages) {
  t.test(`a log with ${title} is noticed where all entries are read`, async (t) => {
    await storeLog(ENTRIES, header)
    const { standings: [standing] } = await take(0)
    t.strictSame(codes, [], 'only the header is read')
    await store.adjust([{ standing: { ...standing, charged: 1 }, atUs: NOW_US - 10 * SECOND_US, units: -1 }])
    t.strictSame(codes, ['DAMAGED'])
  })

  t.test(`a log with ${title} counts as absent after a step back of the clock`, async (t) => {
    await storeLog(ENTRIES, header)
    timeUs = NOW_US - 15 * SECOND_US
    t.match(await take(1), { granted: true, standings: [{ remaining: 9 }] })
    t.strictSame(codes, ['DAMAGED'])
    t.match(await take(1), { granted: true, standings: [{ remaining: 8 }] })
    t.strictSame(codes, ['DAMAGED'])
    await storeLog(ENTRIES, header)
    t.match(await take(11), { granted: false, standings: [{ remaining: 10 }] })
    t.equal(await bench.redis.exists(key), 0)
  })
}

// Five units of the first entry leave no units for the second one.
const EXPIRING: readonly Entry[] = [[61, 5], [20, 1], [10, 1]]

t.test('a log whose header is wrong once its old entries are dropped counts as absent', async (t) => {
  await storeLog(EXPIRING)
  t.match(await take(1), { granted: true, standings: [{ remaining: 7 }] })
  t.strictSame(codes, [])
  await storeLog(EXPIRING, { totalOff: -1 })
  t.match(await take(1), { granted: true, standings: [{ remaining: 9 }] })
  t.match(await take(1), { granted: true, standings: [{ remaining: 8 }] })
  t.strictSame(codes, ['DAMAGED'])
})

t.test('it is dropped after a refusal too', async (t) => {
  await storeLog(EXPIRING, { totalOff: -1 })
  t.match(await take(11), { granted: false, standings: [{ remaining: 10 }] })
  t.equal(await bench.redis.exists(key), 0)
  t.strictSame(codes, ['DAMAGED'])
})

t.test('a damaged value that has a TTL is dropped by a look too', async (t) => {
  await bench.redis.set(key, 'damaged', 'PX', 60_000)
  t.match(await take(0), { granted: true, standings: [{ remaining: 10 }] })
  t.equal(await bench.redis.exists(key), 0)
  t.strictSame(codes, ['DAMAGED'])
})
