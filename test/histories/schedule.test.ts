import t from 'tap'
import type { Topology } from './promises.js'
import { createSchedule } from './schedule.js'

const TOPOLOGIES: readonly Topology[] = ['single', 'sentinel', 'cluster']

t.test('a seed gives the same faults each time, and another seed others', async (t) => {
  for (const topology of TOPOLOGIES) {
    const options = { seed: 7, topology, lengthMs: 60_000, slots: 4 }
    t.strictSame(createSchedule(options), createSchedule(options))
    t.notSame(createSchedule(options), createSchedule({ ...options, seed: 8 }))
  }
})

t.test('faults of the servers follow each other, with a quiet time at the begin and the end', async (t) => {
  for (const topology of TOPOLOGIES) {
    const { store, instances } = createSchedule({ seed: 7, topology, lengthMs: 60_000, slots: 4 })
    for (const faults of [store, instances]) {
      t.ok(faults.length > 8, `${faults.length} faults`)
      for (const [i, { atMs, forMs }] of faults.entries()) t.ok(atMs + forMs < (faults[i + 1]?.atMs ?? 60_000 - 2499))
      t.ok(faults[0].atMs > 1000)
    }
  }
})

t.test('a minute has every kind of fault', async (t) => {
  const kinds = new Set(TOPOLOGIES.flatMap((topology) => {
    const { store, instances } = createSchedule({ seed: 3, topology, lengthMs: 60_000, slots: 4 })
    return [...store, ...instances].map(({ kind }) => kind)
  }))
  t.strictSame([...kinds].sort(), [
    'clients killed', 'clock step', 'cut', 'failover', 'flushed', 'half open', 'instance killed', 'instance stopped', 'late', 'planned failover',
    'primary killed', 'redis killed', 'redis paused', 'redis stopped', 'refused', 'reload', 'scripts flushed', 'slow replies'
  ])
})
