// Which table a bucket is in, when there is room for it, and which expired ones make room.
import t from 'tap'
import { Random } from '../../../lib/stores/memory/random.js'
import { LimitRegistry } from '../../../lib/stores/memory/registry.js'
import { Shards } from '../../../lib/stores/memory/shards.js'
import type { Table } from '../../../lib/stores/memory/table.js'
import { limitOf, SECOND_US } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'

const HOUR_US = 3600 * SECOND_US

/** Random numbers that are known: 0 once they are used up. */
function createScript (numbers: number[]) {
  const script = { calls: 0, below: () => numbers[script.calls++] ?? 0 }
  return script
}

function open (maxKeys = 100, random: Pick<Random, 'below'> = new Random(7), clock = new ManualClock()) {
  const registry = new LimitRegistry()
  const shards = new Shards(registry, random as Random, clock, maxKeys)
  const version = registry.findOrAddVersion(limitOf())
  let keys = 0
  const prepare = (word0 = 0, isForced = false) => shards.prepareTable(word0, clock.nowUs(), isForced)
  /** A bucket that is over after so long. `home`: the slot of a table of eight, where it is if that slot is free. */
  const add = (home: number, lastsUs = HOUR_US, shard = 0): Table | null => {
    const word0 = home << 29 | shard
    const table = prepare(word0)
    if (table === null) return null
    const slot = table.insert({ word0, word1: keys++, word2: 0 }, version)
    table.write(slot, version, { timeUs: clock.nowUs() + lastsUs - 1, count: 0 }, null, null)
    return table
  }
  return { clock, registry, shards, prepare, add }
}

t.test('there is a shard for each 16,384 keys, rounded up to a power of two', async (t) => {
  for (const [maxKeys, count] of [[1, 1], [16_384, 1], [16_385, 2], [32_768, 2], [32_769, 4]]) {
    const { shards, prepare } = open(maxKeys)
    const table = prepare(0)
    t.strictSame([1, 2, 3, 4].map((hash) => shards.findTable(hash)), [1, 2, 3, 4].map((hash) => hash % count === 0 ? table : null), String(maxKeys))
  }
})

t.test('a table is made for the first bucket, and every bucket counts', async (t) => {
  const { shards, prepare } = open()
  t.equal(shards.findTable(0), null)
  const table = prepare()
  t.strictSame([shards.findTable(0), shards.count, shards.moves], [table, 1, 1])
  t.equal(prepare(), table)
  t.strictSame([shards.count, shards.moves], [2, 2])
})

t.test('shards are full with as many buckets as keys, and then have room only where it is forced', async (t) => {
  const { shards, prepare, add } = open(2)
  add(0)
  t.equal(shards.isFull, false)
  add(1)
  t.equal(shards.isFull, true)
  t.strictSame([prepare(), shards.count], [null, 2])
  t.strictSame([prepare(0, true), shards.count], [shards.findTable(0), 3])
})

t.test('an insert checks four slots, the next ones each time', async (t) => {
  const { clock, shards, prepare, add } = open()
  for (const home of [0, 1, 2, 3, 4]) add(home, SECOND_US)
  const counts = () => [1, 2, 3, 4].map(() => {
    prepare()
    return shards.findTable(0)?.count
  })
  t.strictSame(counts(), [5, 5, 5, 5])
  clock.advance(SECOND_US)
  // A slot is checked again after a removal: two removals take four checks.
  t.strictSame(counts(), [4, 4, 2, 0])
})

t.test('an insert into full shards looks at eight random buckets', async (t) => {
  for (const [sample, expected] of [[7, 6], [8, null]] as const) {
    const script = createScript(Array.from({ length: 18 }, (_, call) => call === 2 * sample + 1 ? 5 : 0))
    const { clock, shards, add } = open(6, script)
    for (const home of [0, 1, 2, 3, 4]) add(home)
    add(5, SECOND_US)
    clock.advance(SECOND_US)
    t.equal(add(6)?.count ?? null, expected)
    t.strictSame([shards.count, script.calls], [6, 16])
  }
})

t.test('they are in tables that have some', async (t) => {
  const script = createScript([3, 5])
  const { clock, shards, prepare, add } = open(40_000, script)
  prepare(0)
  for (const home of [0, 1, 2, 3, 4]) add(home, HOUR_US, 2)
  add(5, SECOND_US, 2)
  clock.advance(SECOND_US)
  shards.count = 40_000
  t.not(prepare(1), null)
  t.strictSame([script.calls, shards.findTable(2)?.count, shards.count], [2, 5, 40_000])
})

t.test('a table that is full grows, unless enough of its buckets have expired', async (t) => {
  for (const [expired, capacity] of [[null, 10], [0, 8], [5, 8]] as const) {
    const { clock, prepare, add } = open()
    // So the last insert checks the other half of the table.
    if (expired === 0) prepare()
    for (const home of [0, 1, 2, 3, 4, 5]) add(home, home === expired ? SECOND_US : HOUR_US)
    clock.advance(SECOND_US)
    t.equal(add(6)?.capacity, capacity)
  }
})

t.test('a sweep drops what has expired, and the table with the last one', async (t) => {
  const { clock, shards, add } = open()
  shards.sweep()
  t.equal(shards.moves, 0)
  for (const home of [0, 1, 2]) add(home, SECOND_US)
  shards.sweep()
  t.strictSame([shards.count, shards.moves], [3, 4])
  clock.advance(SECOND_US)
  shards.sweep()
  t.strictSame([shards.count, shards.findTable(0)], [0, null])
})

t.test('each sweep is of the next shard', async (t) => {
  const { clock, shards, add } = open(32_768)
  for (const shard of [0, 1]) add(0, SECOND_US, shard)
  clock.advance(SECOND_US)
  for (const shard of [0, 1]) {
    t.equal(shards.findTable(shard)?.count, 1)
    shards.sweep()
    t.equal(shards.findTable(shard), null)
  }
  add(0, SECOND_US, 0)
  clock.advance(SECOND_US)
  shards.sweep()
  t.equal(shards.count, 0, 'after the last one it is the first one again')
})

t.test('a sweep checks 2048 slots, and the next one goes on there', async (t) => {
  const { clock, shards, add } = open(10_000)
  for (let i = 0; i < 2000; i++) add(i & 7, SECOND_US)
  const capacity = add(0, SECOND_US)?.capacity ?? 0
  clock.advance(SECOND_US)
  const counts = [2001]
  while (counts[counts.length - 1] > 0 && counts.length < 9) {
    shards.sweep()
    counts.push(shards.count)
  }
  t.equal(counts.length - 1, Math.ceil((capacity + 2001) / 2048), String(counts))
})

t.test('after its sweep a sparse table is made smaller, without what has expired meanwhile', async (t) => {
  const clock = new ManualClock()
  const { shards, add } = open(100, undefined, clock)
  for (let i = 0; i < 17; i++) add(i & 7, SECOND_US)
  add(1, SECOND_US + 2)
  for (const home of [2, 3]) add(home)
  const table = shards.findTable(0)
  t.ok((table?.capacity ?? 0) > 20)
  clock.advance(SECOND_US)
  const nowUs = clock.nowUs.bind(clock)
  // Time passes during the sweep.
  clock.nowUs = () => {
    clock.advance(1)
    return nowUs() - 1
  }
  shards.sweep()
  t.strictSame([table?.count, shards.count, table?.capacity], [2, 2, 8])
})

t.test('one that is not sparse keeps its size', async (t) => {
  const { shards, add } = open()
  for (let i = 0; i < 9; i++) add(i & 7)
  const capacity = shards.findTable(0)?.capacity
  shards.sweep()
  t.equal(shards.findTable(0)?.capacity, capacity)
})

t.test('after a removal slots must be found again', async (t) => {
  const { shards, add } = open()
  const table = add(0)
  const { moves } = shards
  if (table !== null) shards.remove(table, 0)
  t.strictSame([shards.count, shards.moves], [0, moves + 1])
  open().shards.clear()
})

t.test('shards that are cleared have no table, and use no version', async (t) => {
  const { registry, shards, add } = open()
  for (const home of [0, 1]) add(home)
  const { moves } = shards
  shards.clear()
  t.strictSame([shards.count, shards.findTable(0), shards.moves], [0, null, moves + 1])
  for (let i = 0; i < 70; i++) registry.findOrAddVersion(limitOf({ bucket: String(i) }))
  registry.trim()
  t.equal(registry.size, 0)
})
