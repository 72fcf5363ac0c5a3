// Reports of slots without a check: those that were given back, and the heartbeat.
import t from 'tap'
import { packSlotReports, type KeptSlots } from '../../../lib/stores/redis/pack-slot-reports.js'
import { loadScript } from '../../../lib/stores/redis/scripts.js'
import { openBench } from './open-store.js'

const { redis } = await openBench(t)
const NOW_US = 1_790_000_000_000_000
const LEASE_MS = 10_000
const [ONE, TWO] = ['{user:42}:one', '{user:42}:two']
const script = loadScript('report-slots')

t.beforeEach(async () => { await redis.del(ONE, TWO) })

async function report (instance: string, reports: Readonly<Record<string, Partial<KeptSlots>>>, nowUs = NOW_US): Promise<string> {
  const full = Object.values(reports).map((one) => ({ sequence: 1, slots: 1, leaseMs: LEASE_MS, isKept: false, ...one }))
  const packed = packSlotReports(Buffer.from(instance.repeat(8)), full)
  return String(await redis.eval(script.lua, full.length, ...Object.keys(reports), ...packed, String(nowUs)))
}

/** The entries of a key: instance, sequence, slots, time until the end in milliseconds, lease. */
async function readEntries (key: string): Promise<unknown[][]> {
  const stored = await redis.getBuffer(key) ?? Buffer.alloc(1)
  return Array.from({ length: (stored.length - 1) / 30 }, (_, i) => stored.subarray(1 + 30 * i)).map((entry) => {
    const endsUs = Number(entry.readBigUInt64BE(18) & 0xFFFFFFFFFFFFFFn)
    return [String(entry.subarray(0, 1)), entry.readUIntBE(9, 6), entry.readUInt32BE(15), (endsUs - NOW_US) / 1000, entry.readUInt32BE(26)]
  })
}

t.test('each key gets its own report', async (t) => {
  t.equal(await report('a', { [ONE]: { sequence: 3, slots: 2 }, [TWO]: { sequence: 4, slots: 5, leaseMs: 20_000 } }), '')
  t.equal(await report('b', { [ONE]: { slots: 7 } }, NOW_US + 1_000_000), '')
  t.strictSame(await readEntries(ONE), [['a', 3, 2, 10_000, LEASE_MS], ['b', 1, 7, 11_000, LEASE_MS]])
  t.strictSame(await readEntries(TWO), [['a', 4, 5, 20_000, 20_000]])
})

t.test('fewer slots are reported under the number of a report that is known, and none under an older one', async (t) => {
  await report('a', { [ONE]: { sequence: 3, slots: 5 } })
  t.equal(await report('a', { [ONE]: { sequence: 3, slots: 2 } }), '')
  t.equal(await report('a', { [ONE]: { sequence: 2, slots: 9 } }, NOW_US + 1_000_000), '')
  t.strictSame(await readEntries(ONE), [['a', 3, 2, 10_000, LEASE_MS]])
})

t.test('a process without slots has no entry, unless an earlier check of it may still arrive', async (t) => {
  await report('a', { [ONE]: { slots: 2 }, [TWO]: { slots: 2 } })
  t.equal(await report('a', { [ONE]: { sequence: 2, slots: 0 }, [TWO]: { sequence: 2, slots: 0, isKept: true } }), '')
  t.equal(await redis.exists(ONE), 0)
  t.strictSame(await readEntries(TWO), [['a', 2, 0, 10_000, LEASE_MS]])
  t.equal(await report('a', { [TWO]: { sequence: 3, slots: 0 } }), '')
  t.equal(await redis.exists(TWO), 0)
})

t.test('a key of another type is left alone, and the others are reported', async (t) => {
  await redis.lpush(ONE, 'a list')
  t.match(await report('a', { [ONE]: { slots: 2 }, [TWO]: { slots: 3 } }), /^WRONGTYPE/)
  t.equal(await redis.type(ONE), 'list')
  t.strictSame(await readEntries(TWO), [['a', 1, 3, 10_000, LEASE_MS]])
})

t.test('a damaged value is replaced', async (t) => {
  await redis.set(ONE, 'damaged')
  t.match(await report('a', { [ONE]: { slots: 2 } }), /^DAMAGED/)
  t.strictSame(await readEntries(ONE), [['a', 1, 2, 10_000, LEASE_MS]])
})
