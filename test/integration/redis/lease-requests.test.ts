// Requests for leases that meet another version's bucket, a limit without units, or a key of another type.
import t from 'tap'
import type { LeaseRequest } from '../../../lib/algorithms/lease.js'
import { KeyWriter } from '../../../lib/stores/redis/keys.js'
import type { LeaseCharge } from '../../../lib/stores/redis/wire-format.js'
import { isUnavailable, type Limit, type Receipt } from '../../../lib/stores/store.js'
import { limitOf, SECOND_US } from '../../fixtures/limits.js'
import { openBench } from './open-store.js'

const PREFIX = 'lease-requests:'
const PARTITION = 'user:42'
const NOW_US = 1_790_000_000_100_000
const GRID_US = 500_000
const SLOT_END_US = 1_790_000_000_500_000
const bench = await openBench(t)
let timeUs = NOW_US
const codes: string[] = []
const store = bench.store({ keyPrefix: PREFIX, timeUs: () => timeUs, onFailure: (code) => { codes.push(code) } })
const limit = limitOf({ max: 100, windowUs: 10 * SECOND_US })
const key = new KeyWriter(PREFIX).formatBucketKey(limit, PARTITION)

t.beforeEach(async () => {
  timeUs = NOW_US
  codes.length = 0
  await bench.redis.del(key)
})

const toHex = (value: number, bytes: number) => value.toString(16).padStart(2 * bytes, '0')
const tokens = '54' + toHex(100, 4) + toHex(100, 4) + toHex(10 * SECOND_US, 7) + toHex(NOW_US + 4 * SECOND_US, 7) + toHex(0, 4)
const leases = '55' + toHex(SLOT_END_US, 7) + '80'.padEnd(16, '0') + toHex(GRID_US, 4) + '01' + toHex(5, 3) + toHex(0, 3)
// 150 units that drain in a minute.
const overuse = '55' + toHex(NOW_US, 7) + '4062c00000000000' + toHex(100, 4) + toHex(60 * SECOND_US, 7)

async function storeHex (hex: string): Promise<void> {
  await bench.redis.set(key, Buffer.from(hex, 'hex'), 'PX', 60_000)
}

const readHex = async () => (await bench.redis.getBuffer(key))?.toString('hex')

function request (settings: Partial<LeaseRequest> = {}): LeaseRequest {
  const none = { slotEndUs: 0, spent: 0, returned: 0 }
  return { gridUs: GRID_US, want: 0, soon: 0, reports: [{ slotEndUs: SLOT_END_US, spent: 2, returned: 0 }, none], ...settings }
}

async function take (cost: number, lease: LeaseRequest, one: Limit = limit): Promise<Receipt> {
  const charge: LeaseCharge = { limit: one, partition: PARTITION, cost, lease }
  const answer = await store.take([charge])
  if (isUnavailable(answer)) throw new Error(answer.unavailable)
  return answer
}

t.test('a limit without units takes no reports, and leaves the bucket of another version alone', async (t) => {
  const none = { ...limit, max: 0, capacity: 0 }
  await storeHex(leases + tokens)
  t.match(await take(1, request({ want: 8, soon: 8 }), none), { granted: false, standings: [{ remaining: 0 }] })
  t.match(await take(0, request({ want: 8, soon: 8 }), none), { standings: [{ remaining: 0, lease: undefined }] })
  t.equal(await readHex(), leases + tokens)
})

t.test('a report of spent units changes no overuse', async (t) => {
  await storeHex(leases + overuse + tokens)
  await take(0, request())
  t.equal(await readHex(), leases.replace(toHex(5, 3), toHex(3, 3)) + overuse + tokens)
})

t.test('leased units are an overuse too, where there is one', async (t) => {
  await storeHex(leases + overuse + tokens)
  const { standings: [standing] } = await take(0, request({ want: 8, soon: 8 }))
  t.match(standing, { lease: { units: 8 } })
  const written = await readHex()
  t.equal(written?.slice(0, 2), '55')
  t.equal(Buffer.from(String(written?.slice(54 + 16, 54 + 32)), 'hex').readDoubleBE(), 158, '150 and eight leased units')
})

t.test('so are those of a fixed window', async (t) => {
  const fixed = limitOf({ algorithm: 'fixed-window', max: 100, windowUs: 10 * SECOND_US })
  await storeHex(overuse + '46' + toHex(100, 4) + toHex(10 * SECOND_US, 7) + toHex(NOW_US - SECOND_US, 7) + toHex(20, 5))
  t.match((await take(0, request({ want: 8, soon: 8 }), fixed)).standings[0], { lease: { units: 8 } })
  t.equal(Buffer.from(String((await readHex())?.slice(16, 32)), 'hex').readDoubleBE(), 158)
})

t.test('a check that another limit refuses leases only where it charges nothing', async (t) => {
  const lease = request({ want: 8, soon: 8 })
  const none = limitOf({ max: 0, bucket: 'app/none' })
  for (const [cost, units] of [[1, 0], [2, 0], [0, 8]]) {
    await storeHex(leases + tokens)
    const charges: LeaseCharge[] = [{ limit, partition: PARTITION, cost, lease }, { limit: none, partition: PARTITION, cost: 1 }]
    const answer = await store.take(charges)
    if (isUnavailable(answer)) throw new Error(answer.unavailable)
    t.equal(answer.granted, false)
    t.match(answer.standings[0], { lease: units === 0 ? undefined : { units } }, `cost ${cost}`)
  }
})

t.test('a reset leaves no overuse beside leases that may be alive', async (t) => {
  await storeHex(leases + overuse + tokens)
  t.equal(await store.reset([limit], PARTITION), 1)
  const closed = leases.replace(toHex(5, 3), toHex(0, 3)).replace(toHex(SLOT_END_US, 7), toHex(SLOT_END_US + 2 * GRID_US, 7))
  t.equal(await readHex(), closed + tokens.replace(toHex(NOW_US + 4 * SECOND_US, 7), toHex(NOW_US, 7)))
})

t.test('a key of another type fails a request for a lease, and is left alone', async (t) => {
  await bench.redis.lpush(key, 'a list')
  t.strictSame(await store.take([{ limit, partition: PARTITION, cost: 1, lease: request({ want: 8 }) } as LeaseCharge]), { unavailable: 'error' })
  t.strictSame(codes, ['WRONGTYPE'])
  t.equal(await bench.redis.type(key), 'list')
})
