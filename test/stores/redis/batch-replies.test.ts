// Which replies a batch accepts, and what it sends for leases.
import t from 'tap'
import { Batch } from '../../../lib/stores/redis/batch.js'
import { KeyWriter } from '../../../lib/stores/redis/keys.js'
import { ANSWER_BYTES, LEASE_REQUEST_BYTES, REPORTS_BYTES, TIME_BYTES } from '../../../lib/stores/redis/wire-format.js'
import { createHeldSlots } from '../../fixtures/held-slots.js'
import { limitOf } from '../../fixtures/limits.js'

const limit = limitOf({ bucket: 'app/a' })
const REPORTS = [{ slotEndUs: 10_000_000, spent: 7, returned: 1 }, { slotEndUs: 0, spent: 2, returned: 0 }] as const
const lease = { gridUs: 500_000, want: 8, soon: 2, reports: REPORTS }

function createReply (state: number, bytes = TIME_BYTES + ANSWER_BYTES): Buffer {
  const reply = Buffer.alloc(bytes)
  reply[TIME_BYTES] = state
  return reply
}

t.test('a batch accepts a standing of each charge', async (t) => {
  const batch = new Batch(createHeldSlots())
  batch.add([{ limit, partition: 'user:1', cost: 1 }], true)
  t.ok(batch.accepts(createReply(3)))
  t.notOk(batch.accepts(createReply(128 + 3)), 'no unknown flag')
  t.notOk(batch.accepts(createReply(3, TIME_BYTES + ANSWER_BYTES + 1)))
})

t.test('a batch that has expired accepts any reply with a time', async (t) => {
  const batch = new Batch(createHeldSlots())
  t.ok(batch.accepts(createReply(3)))
  t.notOk(batch.accepts(Buffer.alloc(TIME_BYTES - 1)))
})

t.test('a request for a lease follows its charge, and its reports can be dropped', async (t) => {
  const batch = new Batch(createHeldSlots())
  batch.add([{ limit, partition: 'user:1', cost: 1, lease }, { limit, partition: 'user:1', cost: 1 }], true)
  batch.pack(new KeyWriter('sluice:'))
  const { args: [, checks] } = batch
  const second = 10 + LEASE_REQUEST_BYTES
  t.strictSame([checks.length, checks.readUInt16BE(1), checks.readUInt16BE(second)], [second + 9, 32_768 + 1, 1])
  const reportsAt = second - REPORTS_BYTES
  const before = Buffer.from(checks)
  t.equal(before.readUInt32BE(reportsAt + 7), 7)
  batch.dropReports()
  t.ok(checks.subarray(reportsAt, second).every((byte) => byte === 0))
  t.strictSame([checks.subarray(0, reportsAt), checks.subarray(second)], [before.subarray(0, reportsAt), before.subarray(second)])
})
