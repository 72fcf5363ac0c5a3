// Reading and writing the slot of a charge, for a limit that may have other numbers than those that it was written under.
import t from 'tap'
import { PendingCharge, createStanding } from '../../../lib/stores/memory/pending-charge.js'
import { LimitRegistry } from '../../../lib/stores/memory/registry.js'
import { readSlot, writeSlot } from '../../../lib/stores/memory/slots.js'
import { ABSENT, Table } from '../../../lib/stores/memory/table.js'
import type { Limit } from '../../../lib/stores/store.js'
import { createGrid, limitOf, SECOND_US } from '../../fixtures/limits.js'

const NOW_US = 1000 * SECOND_US

const ofGeneration = (generation: number, numbers: Parameters<typeof limitOf>[0] = {}): Limit => ({ ...limitOf(numbers), generation })

/** A slot that was written under a limit, with a backlog of five seconds. */
function open (written: Limit) {
  const registry = new LimitRegistry()
  const table = new Table(registry)
  const pending = new PendingCharge()
  registry.findOrAddGroupId(written)
  const version = registry.findOrAddVersion(written)
  pending.table = table
  pending.slot = table.insert(pending, version)
  table.write(pending.slot, version, { timeUs: NOW_US + 5 * SECOND_US, count: 0 }, null, null)
  const read = (limit: Limit) => {
    readSlot(registry, pending, limit, NOW_US)
    return pending
  }
  return { registry, table, pending, version, read }
}

t.test('an absent bucket has nothing, and the numbers of the limit', async (t) => {
  const limit = limitOf()
  const { pending, read } = open(limit)
  read(limit)
  Object.assign(pending, { slot: ABSENT, isCarried: true })
  t.match(read(limit), { timeUs: NOW_US, count: 0, log: null, overuse: null, isCarried: false, quota: limit })
  pending.table = null
  t.match(read(limit), { timeUs: NOW_US, quota: limit })
})

t.test('one of the same numbers is read as it is', async (t) => {
  const { pending, read } = open(limitOf())
  pending.isCarried = true
  const limit = limitOf()
  t.match(read(limit), { timeUs: NOW_US + 5 * SECOND_US, isCarried: false })
  t.equal(pending.quota, limit)
})

t.test('one of earlier numbers is converted', async (t) => {
  const limit = ofGeneration(1, { max: 20 })
  t.match(open(ofGeneration(0)).read(limit), { timeUs: NOW_US + 2.5 * SECOND_US, isCarried: true, quota: { max: 20 } })
  t.match(open(ofGeneration(0)).read(limitOf({ max: 20 })), { isCarried: true }, 'of the same generation')
})

t.test('one of later numbers is read for those, with the delay of the limit as far as it fits', async (t) => {
  const written = ofGeneration(1, { max: 20, maxDelayUs: 12 * SECOND_US })
  for (const [maxDelayUs, expectedUs] of [[0, 0], [3, 3], [30, written.ceilingUs / SECOND_US - 10]]) {
    const { read } = open(written)
    t.match(read(ofGeneration(0, { maxDelayUs: maxDelayUs * SECOND_US })), {
      timeUs: NOW_US + 5 * SECOND_US, isCarried: false, quota: { max: 20, maxDelayUs: expectedUs * SECOND_US }
    })
  }
})

t.test('later numbers count in the periods of the client, if both have periods', async (t) => {
  const calendar = createGrid(7 * SECOND_US)
  const periods = (generation: number) => ofGeneration(generation, { algorithm: 'calendar-window', max: 10 + generation, calendar: createGrid(10 * SECOND_US) })
  const old = { ...periods(0), calendar }
  const later = periods(1)
  t.equal(open(later).read(old).quota.calendar, calendar)
  t.equal(open(later).read(ofGeneration(0)).quota.calendar, later.calendar)
  t.equal(open(ofGeneration(1, { max: 11 })).read(old).quota.calendar, null)
})

t.test('a bucket keeps its version with its numbers, and gets another one with others', async (t) => {
  const limit = limitOf()
  const { registry, table, pending, version, read } = open(limit)
  read(limit)
  t.strictSame([writeSlot(registry, pending, limit), table.versionAt(pending.slot)], [false, version])
  const other = limitOf({ max: 20 })
  read(other)
  t.equal(writeSlot(registry, pending, other), true)
  t.equal(table.versionAt(pending.slot), registry.findOrAddVersion(other))
  t.not(registry.findOrAddVersion(other), version)
})

t.test('a later one keeps it under an earlier limit', async (t) => {
  const { registry, table, pending, version, read } = open(ofGeneration(1, { max: 20 }))
  const old = ofGeneration(0)
  read(old)
  t.strictSame([writeSlot(registry, pending, old), table.versionAt(pending.slot)], [false, version])
})

t.test('an absent bucket is not written', async (t) => {
  const limit = limitOf()
  const { registry, pending } = open(limit)
  pending.slot = ABSENT
  t.equal(writeSlot(registry, pending, limit), false)
  pending.table = null
  t.equal(writeSlot(registry, pending, limit), false)
})

t.test('a standing has no more units than its limit, and the group that was charged', async (t) => {
  const limit = limitOf()
  const { pending, read } = open(limit)
  read(limit)
  Object.assign(pending.result, { remaining: 50, timeUs: 7, count: 3 })
  const plain = createStanding(limit, 'a', 2, pending)
  t.strictSame([plain.remaining, plain.charged, 'sharedPartition' in plain, 'usage' in plain], [10, 2, false, false])
  pending.sharedPartition = 'group'
  t.equal(createStanding(limit, 'a', 2, pending).sharedPartition, 'group')
  t.equal('sharedPartition' in createStanding(limit, 'a', 0, pending), false)
  pending.quota = limitOf({ algorithm: 'calendar-window' })
  t.strictSame(createStanding(limit, 'a', 2, pending).usage, { units: 3, endUs: 7 })
})
