// Leases over a real Redis, by its own clock.
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { isUnavailable, type Receipt, type Store } from '../../../lib/stores/store.js'
import { ManualClock } from '../../fixtures/manual-clock.js'
import { leasedLimitOf, openLeases } from './open-leases.js'
import { openBench } from './open-store.js'

// A server of its own: another test may empty a shared one.
const bench = await openBench(t, 'own')

async function takeOne (store: Store, limit: ReturnType<typeof leasedLimitOf>, partition: string, cost = 1): Promise<Receipt> {
  const answer = await store.take([{ limit, partition, cost }])
  if (isUnavailable(answer)) throw new Error(`no answer: ${answer.unavailable}`)
  return answer
}

t.test('a busy bucket is decided in the same turn', async (t) => {
  const leases = openLeases(t, bench, { keyPrefix: 'busy:' })
  const limit = leasedLimitOf({ max: 100_000, windowUs: 1_000_000, bucket: 'app/busy' }, 200_000)
  const deadlineMs = performance.now() + 20_000
  while (leases.counters.leasedChecks < 1000 && performance.now() < deadlineMs) {
    for (let i = 0; i < 50; i++) await takeOne(leases, limit, 'ip:203.0.113.9')
    await sleep(1)
  }
  t.ok(leases.counters.leasedChecks >= 1000)
  const answer = leases.take([{ limit, partition: 'ip:203.0.113.9', cost: 0 }])
  t.notOk(answer instanceof Promise)
})

interface Grant {
  readonly atUs: number
  readonly units: number
}

/** The burst that grants needed: the most units in any interval, less what drained in it. */
function neededBurst (grants: readonly Grant[], unitsPerUs: number): number {
  let backlog = 0
  let mostBacklog = 0
  let lastUs = 0
  for (const { atUs, units } of [...grants].sort((a, b) => a.atUs - b.atUs)) {
    backlog = Math.max(0, backlog - (atUs - lastUs) * unitsPerUs) + units
    lastUs = atUs
    mostBacklog = Math.max(mostBacklog, backlog)
  }
  return mostBacklog
}

t.test('four instances grant no more than burst plus rate', async (t) => {
  const fleet = Array.from({ length: 4 }, () => openLeases(t, bench, { keyPrefix: 'fleet:' }))
  const limit = leasedLimitOf({ max: 1000, windowUs: 1_000_000, bucket: 'app/fleet' }, 400_000)
  const grants: Grant[] = []
  const startMs = performance.now()
  while (performance.now() - startMs < 4000) {
    // Below the rate at first: an empty bucket has no units to lease.
    const isOverload = performance.now() - startMs > 1500
    await Promise.all(fleet.map(async (leases) => {
      for (let i = 0; i < (isOverload ? 8 : 1); i++) {
        const answer = leases.take([{ limit, partition: 'ip:203.0.113.9', cost: 1 }])
        const isLeased = !(answer instanceof Promise)
        const receipt = await answer
        if (isUnavailable(receipt)) throw new Error('no answer')
        if (receipt.granted) grants.push({ atUs: isLeased ? Math.floor((performance.timeOrigin + performance.now()) * 1000) : receipt.atUs, units: 1 })
      }
    }))
    await sleep(isOverload ? 2 : 8)
  }
  // The sum of doubles is not exact.
  t.ok(neededBurst(grants, 1000 / 1_000_000) < 1000.001)
  t.ok(fleet.some(({ counters }) => counters.leasedChecks > 0))
})

t.test('a bucket that is checked all the time is leased as soon as it may be', async (t) => {
  const clock = new ManualClock()
  const leases = openLeases(t, bench, { keyPrefix: 'always:', timeUs: () => clock.nowUs() }, clock)
  const limit = leasedLimitOf({ max: 5000, windowUs: 1_000_000, bucket: 'app/always' }, 200_000)
  for (let step = 0; step < 500; step++) {
    clock.advance(1000)
    await takeOne(leases, limit, 'ip:203.0.113.9')
  }
  // Leases begin after one to two grids, of 100 ms.
  t.ok(leases.counters.leasedChecks > 250, JSON.stringify(leases.counters))
})
