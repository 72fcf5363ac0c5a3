// Which group a partition without room charges, and what it reads there.
import t from 'tap'
import { createQuota } from '../../../lib/algorithms/quota.js'
import { TextHasher } from '../../../lib/stores/memory/hash.js'
import { OverflowGroups } from '../../../lib/stores/memory/overflow-groups.js'
import { PendingCharge } from '../../../lib/stores/memory/pending-charge.js'
import { Random } from '../../../lib/stores/memory/random.js'
import { LimitRegistry } from '../../../lib/stores/memory/registry.js'
import { SharedBuckets } from '../../../lib/stores/memory/shared-buckets.js'
import { Shards } from '../../../lib/stores/memory/shards.js'
import type { Limit } from '../../../lib/stores/store.js'
import { createGrid, limitOf, SECOND_US } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'

const WINDOW_US = 10 * SECOND_US

/** Groups of networks, with room for so many. */
function open (maxKeys = 100) {
  const clock = new ManualClock()
  const registry = new LimitRegistry()
  const shards = new Shards(registry, new Random(7), clock, maxKeys)
  const shared = new SharedBuckets(shards, registry, new OverflowGroups(1, 2), new TextHasher(1, 2))
  const at = (network: number, limit: Limit) => {
    const pending = new PendingCharge()
    pending.partition = `10.${network}.0.1`
    pending.groupId = registry.findOrAddGroupId(limit)
    return pending
  }
  /** The group that was charged. */
  const charge = (network: number, limit: Limit, units: number) => {
    const pending = at(network, limit)
    shared.charge(pending, limit, units, clock.nowUs())
    return pending.sharedPartition
  }
  /** Seconds of backlog; `null` without a bucket. */
  const read = (network: number, limit: Limit) => {
    const pending = at(network, limit)
    return shared.read(pending, limit, clock.nowUs()) ? (pending.timeUs - clock.nowUs()) / SECOND_US : null
  }
  return { clock, shards, shared, at, charge, read }
}

t.test('a group counts fixed windows, and periods of clients, in a sliding one', async (t) => {
  const { shared } = open()
  const own = ['token-bucket', 'sliding-window', 'calendar-window'] as const
  for (const limit of own.map((algorithm) => limitOf({ algorithm }))) t.equal(shared.toShared(limit), limit)
  const fixed = limitOf({ algorithm: 'fixed-window', bucket: 'fixed' })
  t.strictSame(shared.toShared(fixed), { ...fixed, ...createQuota('sliding-window', 10, WINDOW_US) })
  t.equal(shared.toShared(fixed), shared.toShared(fixed))
  const ofClient = limitOf({ algorithm: 'calendar-window', calendar: { ...createGrid(WINDOW_US), isPerClient: true } })
  t.match(shared.toShared(ofClient), { algorithm: 'sliding-window', max: 10, windowUs: ofClient.ceilingUs, calendar: null })
})

t.test('partitions of a group read what it has used, and others nothing', async (t) => {
  const { charge, read } = open()
  const limit = limitOf()
  t.equal(read(1, limit), null)
  t.equal(charge(1, limit, 3), 'ipv4 10.1')
  t.equal(charge(1, limit, 4), 'ipv4 10.1')
  t.strictSame([read(1, limit), read(2, limit), read(1, limitOf({ bucket: 'other' }))], [7, null, null])
})

t.test('groups without room are one, and one that finds room goes on with what that has used', async (t) => {
  const { clock, shards, charge, read } = open(1)
  const limit = limitOf()
  charge(1, limit, 5)
  t.strictSame([charge(2, limit, 6), shards.count], ['ipv4', 2])
  t.strictSame([charge(3, limit, 1), shards.count], ['ipv4', 2])
  t.strictSame([read(1, limit), read(2, limit), read(3, limit)], [5, 7, 7])
  t.strictSame([charge(1, limit, 1), read(1, limit)], ['ipv4 10.1', 6])
  clock.advance(6 * SECOND_US + 1)
  for (let sweeps = 0; sweeps < 2; sweeps++) shards.sweep()
  t.equal(shards.count, 1)
  shards.count = 0
  t.equal(charge(2, limit, 2), 'ipv4 10.2')
  t.strictSame([read(2, limit), read(3, limit)].map((units) => Math.ceil(units ?? 0)), [3, 1])
})

t.test('a partition gets a log of its own', async (t) => {
  const { clock, shared, shards, at, charge } = open(1)
  const limit = limitOf({ algorithm: 'sliding-window' })
  charge(1, limit, 2)
  charge(2, limit, 2)
  const used = (network: number) => {
    const pending = at(network, limit)
    shared.read(pending, limit, clock.nowUs())
    return pending.log
  }
  const log = used(2)
  log?.push(1, 2, 3)
  t.equal(used(2)?.length, 4)
  shards.count = 0
  charge(3, limit, 5)
  shards.count = 3
  t.strictSame([used(3)?.[1], used(2)?.[1]], [7, 2], 'and so does a group')
})

t.test('a charge of nothing gets no bucket', async (t) => {
  const { shards, charge } = open()
  charge(1, limitOf(), 0)
  t.equal(shards.count, 0)
})

t.test('a bucket that is charged under other numbers must be read again', async (t) => {
  const { clock, shared, shards, at, charge } = open()
  charge(1, limitOf(), 5)
  const { moves } = shards
  charge(1, limitOf(), 1)
  t.equal(shards.moves, moves)
  charge(1, limitOf({ max: 20 }), 1)
  t.equal(shards.moves, moves + 1)
  const pending = at(1, limitOf({ max: 30 }))
  t.equal(shared.read(pending, limitOf({ max: 30 }), clock.nowUs()), true)
  t.match(pending, { isCarried: true, quota: { max: 30 } })
})

t.test('the bucket that was charged is found for a refund', async (t) => {
  const { shared, shards, at, charge } = open()
  const limit = limitOf()
  charge(1, limit, 5)
  const pending = at(9, limit)
  pending.isCrowded = true
  shared.findCharged(pending, 'ipv4 10.1', pending.groupId)
  t.equal(pending.table, shards.findTable(pending.word0))
  t.equal(pending.table?.find(pending, pending.groupId), pending.slot)
  t.strictSame([pending.shards, pending.isCrowded, pending.partition], [shards, false, '10.9.0.1'])
})
