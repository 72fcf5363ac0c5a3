import assert from 'node:assert/strict'
import t from 'tap'
import fc from 'fast-check'
import type { Overuse } from '../../../lib/algorithms/carry-over.js'
import type { GrantLog } from '../../../lib/algorithms/sliding-window.js'
import type { Hash } from '../../../lib/stores/memory/hash.js'
import { LimitRegistry } from '../../../lib/stores/memory/registry.js'
import { ABSENT, Table } from '../../../lib/stores/memory/table.js'
import { limitOf } from '../../fixtures/limits.js'
import { assertProperty } from '../../fixtures/property.js'

interface Entry {
  readonly timeUs: number
  readonly count: number
  readonly log: GrantLog | null
  readonly overuse: Overuse | null
}

/** Few homes, so that runs collide and go around the end of the table. */
function hashOf (key: number): Hash {
  return { word0: (key % 5 === 0 ? -1 : Math.imul(key % 7, 0x2492_4924)) | 0, word1: key, word2: -key }
}

function tableWithVersion (): { table: Table, registry: LimitRegistry, familyId: number, version: number } {
  const registry = new LimitRegistry()
  const limit = limitOf()
  return { table: new Table(registry), registry, familyId: registry.findOrAddGroupId(limit), version: registry.findOrAddVersion(limit) }
}

function contentsOf (table: Table, familyId: number, keys: Iterable<number>): Map<number, Entry> {
  const contents = new Map<number, Entry>()
  for (const key of keys) {
    const slot = table.find(hashOf(key), familyId)
    if (slot !== ABSENT) contents.set(key, { timeUs: table.timeAt(slot), count: table.countAt(slot), log: table.logAt(slot), overuse: table.overuseAt(slot) })
  }
  return contents
}

const KEYS = Array.from({ length: 40 }, (_, key) => key)

const steps = fc.array(fc.record({
  key: fc.integer({ min: 0, max: KEYS.length - 1 }),
  does: fc.constantFrom('write', 'write', 'write', 'log', 'overuse', 'remove', 'resize')
}), { maxLength: 200, size: 'max' })

t.test('a table holds what a Map holds after any inserts, removals and resizes', async () => {
  assertProperty(steps, 300, (steps) => {
    const { table, familyId, version } = tableWithVersion()
    const model = new Map<number, Entry>()
    steps.forEach(({ key, does }, i) => {
      const slot = table.find(hashOf(key), familyId)
      if (does === 'resize') {
        table.resize()
      } else if (does === 'remove') {
        if (slot !== ABSENT) table.remove(slot)
        model.delete(key)
      } else {
        const log = does === 'log' ? [i, i] : null
        const overuse = does === 'overuse' ? { atUs: i, units: i, max: 1, windowUs: 1 } : null
        if (table.isFull()) table.resize()
        const target = slot === ABSENT ? table.insert(hashOf(key), version) : table.find(hashOf(key), familyId)
        table.write(target, version, { timeUs: i, count: -i }, log, overuse)
        model.set(key, { timeUs: i, count: -i, log, overuse })
      }
    })
    const contents = contentsOf(table, familyId, KEYS)
    if (table.count !== model.size) throw new Error(`${table.count} buckets, expected ${model.size}`)
    assert.deepEqual(contents, new Map([...model].sort(([a], [b]) => a - b)))
  })
})

t.test('families with one hash have slots of their own', async (t) => {
  const { table, registry, familyId, version } = tableWithVersion()
  const other = limitOf({ bucket: 'app/other' })
  table.write(table.insert(hashOf(1), version), version, { timeUs: 1, count: 0 }, null, null)
  t.equal(table.find(hashOf(1), registry.findOrAddGroupId(other)), ABSENT)
  const slot = table.insert(hashOf(1), registry.findOrAddVersion(other))
  t.not(slot, table.find(hashOf(1), familyId))
  t.equal(table.find(hashOf(1), registry.findOrAddGroupId(other)), slot)
})

t.test('every word of the hash tells keys apart', async (t) => {
  const { table, familyId, version } = tableWithVersion()
  const hash = { word0: 1, word1: 2, word2: 3 }
  table.insert(hash, version)
  t.not(table.find(hash, familyId), ABSENT)
  t.equal(table.find({ ...hash, word0: 0 }, familyId), ABSENT)
  t.equal(table.find({ ...hash, word1: 0 }, familyId), ABSENT)
  t.equal(table.find({ ...hash, word2: 0 }, familyId), ABSENT)
})

t.test('a table that emptied gives its room back', async (t) => {
  const { table, familyId, version } = tableWithVersion()
  for (let word1 = 0; word1 < 1000; word1++) {
    if (table.isFull()) table.resize()
    table.insert({ word0: Math.imul(word1, 0x9e37_79b1), word1, word2: 0 }, version)
  }
  const capacity = table.capacity
  t.ok(capacity < 1700, 'and took little more than it needed')
  for (let word1 = 10; word1 < 1000; word1++) {
    table.remove(table.find({ word0: Math.imul(word1, 0x9e37_79b1), word1, word2: 0 }, familyId))
  }
  t.ok(table.isSparse())
  table.resize()
  t.ok(table.capacity < 20)
  t.not(table.find({ word0: Math.imul(9, 0x9e37_79b1), word1: 9, word2: 0 }, familyId), ABSENT)
})
