// Random walks of several instances with leases on one Redis and one clock: whatever they do, all of them together grant no
// more than burst + rate * t in any interval. The checker below knows only the grants and refunds.
import assert from 'node:assert/strict'
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import type { Clock } from '../../../lib/common/clock.js'
import { DenyCache } from '../../../lib/resilience/deny-cache.js'
import { isLeasedStanding } from '../../../lib/stores/lease/leased-standing.js'
import type { Leases } from '../../../lib/stores/lease/leases.js'
import { isUnavailable, type Answer, type Charge, type Limit, type Receipt, type Store } from '../../../lib/stores/store.js'
import { scaleToLane } from '../../fixtures/lane.js'
import { ManualClock } from '../../fixtures/manual-clock.js'
import { Seeded } from '../../fixtures/seeded.js'
import { leasedLimitOf, openLeasesOver } from './open-leases.js'
import { openBench } from './open-store.js'

// A server of its own: another test may empty a shared one.
const bench = await openBench(t, 'own')

interface Event {
  readonly atUs: number
  /** Below 0: given back. */
  readonly units: number
}

/** Check that the backlog of grants never exceeds the capacity. In units of 1/max microsecond, which are exact. */
function checkBound ({ max, windowUs, capacity }: Limit, events: readonly Event[]): void {
  let backlog = 0
  let lastUs = 0
  for (const { atUs, units } of [...events].sort((one, other) => one.atUs - other.atUs)) {
    backlog = Math.max(0, Math.max(0, backlog - (atUs - lastUs) * max) + units * windowUs)
    lastUs = atUs
    assert.ok(backlog <= capacity * windowUs, `${backlog / windowUs} units of ${capacity} at once`)
  }
}

/** Notes when the last check was sent, by the common clock: units in hand are reserved for it in the same turn. */
class NotedChecks extends DenyCache {
  sentAtUs = 0
  readonly #common: Clock

  constructor (source: Store, clock: Clock, common: Clock) {
    super(source, clock)
    this.#common = common
  }

  override take (charges: readonly Charge[]): Answer | Promise<Answer> {
    this.sentAtUs = this.#common.nowUs()
    return super.take(charges)
  }
}

interface Walker {
  readonly leases: Leases
  readonly checks: NotedChecks
  readonly receipts: Receipt[]
}

/** Longer than renewals wait for other checks, by the clock of the machine: also those of a walker that counts as killed. */
const RENEWALS_MS = 200

const STEPS_US = [0, 0, 0, 1, 10, 500, 5_000, 20_000, 100_000, 450_000, 1_100_000]

async function walk (seed: number): Promise<{ leased: number, granted: number, refused: number, refunded: number }> {
  const random = new Seeded(seed)
  const clock = new ManualClock()
  const settings = { keyPrefix: `lease-walks-${seed}:`, timeUs: () => clock.nowUs() }
  const open = (): Walker => {
    // The clock of a process has nothing to do with the clock of Redis.
    const offsetUs = random.nextInt(10 ** 9)
    const own = { nowUs: () => clock.nowUs() - offsetUs }
    const source = bench.store(settings)
    const checks = new NotedChecks(source, own, clock)
    return { leases: openLeasesOver(t, source, checks, own), checks, receipts: [] }
  }
  const walkers = Array.from({ length: 2 + random.nextInt(2) }, open)
  const max = random.pick([64, 100, 700, 1000])
  const limits = [
    leasedLimitOf({ max, windowUs: random.pick([1_000_000, 10_000_000]), bucket: 'app/0', burst: random.pick([64, max]) }, random.pick([100_000, 1_000_000])),
    leasedLimitOf({ max: random.pick([100, 999]), windowUs: 2_000_000, bucket: 'app/1', by: 'global', mode: random.pick(['enforce', 'enforce', 'shadow']) })
  ]
  const events: Event[][] = limits.map(() => [])
  const met = { leased: 0, granted: 0, refused: 0, refunded: 0 }
  const toCharges = (cost: number): Charge[] => {
    const all = [{ limit: limits[0], partition: 'ip:203.0.113.9', cost }, { limit: limits[1], partition: 'global', cost }]
    return random.nextInt(4) === 0 ? all : [all[random.nextInt(2)]]
  }
  // A unit counts from when it is taken: by Redis when it decides, from a lease when it is spent, or reserved while Redis decides
  // another limit of the same request.
  const note = (walker: Walker, receipt: Receipt, nowUs: number) => {
    if (receipt.granted) met.granted++
    else met.refused++
    const leasedAtUs = receipt.standings.every(isLeasedStanding) ? nowUs : walker.checks.sentAtUs
    for (const standing of receipt.standings) {
      const { limit, charged, remaining, resetUs } = standing
      assert.ok(remaining >= 0 && remaining <= limit.capacity && resetUs >= 0 && Number.isInteger(remaining))
      const atUs = isLeasedStanding(standing) ? leasedAtUs : receipt.atUs
      if (charged > 0) events[limits.indexOf(limit)].push({ atUs, units: charged })
    }
    if (receipt.standings.some(({ charged }) => charged > 0)) walker.receipts.push(receipt)
  }
  const take = async (walker: Walker, cost: number, isLate: boolean) => {
    const answer = walker.leases.take(toCharges(cost))
    if (!(answer instanceof Promise)) {
      if (isUnavailable(answer)) throw new Error('no answer')
      met.leased++
      note(walker, answer, clock.nowUs())
      return
    }
    const noted = answer.then((settled) => {
      if (isUnavailable(settled)) throw new Error('no answer')
      note(walker, settled, clock.nowUs())
    })
    if (isLate) {
      // Redis decides when the call is sent; the answer may come later.
      for (let turn = 0; turn < 4; turn++) await nextTurn()
      clock.advance(random.pick(STEPS_US))
    }
    await noted
  }
  for (let step = 0; step < 400; step++) {
    if (random.nextInt(3) === 0) clock.advance(random.pick(STEPS_US))
    const i = random.nextInt(walkers.length)
    const does = random.nextInt(40)
    if (does < 32) {
      for (let times = random.nextInt(12); times >= 0; times--) await take(walkers[i], random.pick([1, 1, 1, 2, 7]), random.nextInt(5) === 0)
    } else if (does < 36) {
      // Many at once, which wait for each other.
      await Promise.all(Array.from({ length: 5 + random.nextInt(20) }, () => take(walkers[i], 1, false)))
    } else if (does < 38) {
      const receipt = walkers[i].receipts.pop()
      if (receipt === undefined) continue
      const charged = receipt.standings.filter((standing) => standing.charged > 0)
      await walkers[i].leases.adjust(charged.map((standing) => ({ standing, atUs: standing.atUs ?? receipt.atUs, units: -standing.charged })))
      met.refunded++
      for (const { limit, charged: units } of charged) events[limits.indexOf(limit)].push({ atUs: clock.nowUs(), units: -units })
    } else if (does === 38) {
      walkers[i] = open() // As if the process was killed: its leases lapse.
    } else {
      walkers[i].leases.endLeases()
      await nextTurn()
    }
  }
  limits.forEach((limit, i) => { checkBound(limit, events[i]) })
  await delay(RENEWALS_MS)
  // No unit is lost for longer than a lease lives: after that, and the time that a full bucket takes, nothing is used.
  clock.advance(Math.max(...limits.map(({ ceilingUs, lease }) => ceilingUs + 2 * (lease?.gridUs ?? 0))))
  const store = bench.store(settings)
  for (const [i, partition] of ['ip:203.0.113.9', 'global'].entries()) {
    const [{ remaining }] = await store.peek([limits[i]], partition)
    assert.equal(remaining, limits[i].capacity, 'all units are back')
  }
  return met
}

t.test('instances with leases grant no more than burst plus rate', async (t) => {
  const all = { leased: 0, granted: 0, refused: 0, refunded: 0 }
  for (let seed = 1; seed <= scaleToLane(12, 3); seed++) {
    try {
      const met = await walk(seed)
      for (const key of ['leased', 'granted', 'refused', 'refunded'] as const) all[key] += met[key]
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error })
    }
  }
  t.ok(all.leased > all.granted / 10 && all.refused > 100 && all.refunded > 20, JSON.stringify(all))
})
