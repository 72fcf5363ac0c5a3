import t from 'tap'
import fc from 'fast-check'
import { createMemoryStore } from '../../../lib/stores/memory/store.js'
import type { Adjustment, Limit, Receipt } from '../../../lib/stores/store.js'
import { findFullestWindow, type Grant } from '../../fixtures/exact-log.js'
import { scaleToLane } from '../../fixtures/lane.js'
import { ALGORITHMS, limitOf, penaltyWith, SECOND_US } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'
import { assertProperty } from '../../fixtures/property.js'

const HOUR_US = 3600 * SECOND_US
const WINDOW_US = 64 * SECOND_US

function createStore (maxKeys: number) {
  const clock = new ManualClock()
  const overflows = { count: 0 }
  const store = createMemoryStore({ clock, maxKeys, seed: 7, onOverflow: () => { overflows.count++ } })
  t.teardown(() => store.close())
  return { clock, store, overflows }
}

const subnet = (i: number) => `2001:db8:${(i >> 8).toString(16)}:${(i & 255).toString(16)}00::/56`
const address = (i: number) => `203.0.${i >> 8}.${i & 255}`

/** One step of a client who does what it likes with the addresses of one block. */
interface Step {
  readonly limit: number
  readonly partition: number
  readonly cost: number
  /** In 64ths of the window: entries of a sliding window are exact then. */
  readonly advance: number
  readonly after: 'nothing' | 'refund' | 'charge' | 'sweep' | 'both'
}

const steps = (partitions: number) => fc.record({
  maxKeys: fc.integer({ min: 1, max: 6 }),
  steps: fc.array(fc.record<Step>({
    limit: fc.nat({ max: 1 }),
    partition: fc.nat({ max: partitions - 1 }),
    cost: fc.integer({ min: 1, max: 3 }),
    advance: fc.oneof(fc.constant(0), fc.constant(0), fc.integer({ min: 0, max: 8 }), fc.integer({ min: 0, max: 80 })),
    after: fc.constantFrom('nothing', 'nothing', 'refund', 'charge', 'sweep', 'both')
  }), { minLength: 20, maxLength: 150 })
})

const blocks: ReadonlyArray<readonly [name: string, partition: (i: number) => string]> = [
  ['IPv6', subnet], ['IPv4', address], ['keys', (i) => `key:${i}`]
]

for (const algorithm of ['token-bucket', 'sliding-window'] as const) {
  for (const [name, partitionOf] of blocks) {
    t.test(`${algorithm}: no sequence of requests of one block regains a unit (${name})`, async (t) => {
      const limits = [limitOf({ algorithm, max: 4, windowUs: WINDOW_US, bucket: 'a' }), limitOf({ algorithm, max: 5, windowUs: 2 * WINDOW_US, bucket: 'b' })]
      let overflows = 0
      let grants = 0
      assertProperty(steps(8), 400, ({ maxKeys, steps }) => {
        const clock = new ManualClock()
        const small = createMemoryStore({ clock, maxKeys, seed: maxKeys, onOverflow: () => { overflows++ } })
        const ample = createMemoryStore({ clock, maxKeys: 100_000, seed: 1 })
        const takes: Array<readonly [Receipt, Receipt]> = []
        for (const { limit, partition, cost, advance, after } of steps) {
          clock.advance(advance * SECOND_US)
          const charges = (after === 'both' ? limits : [limits[limit]]).map((limit) => ({ limit, partition: partitionOf(partition), cost }))
          const receipt = small.take(charges)
          if (receipt.granted) {
            grants++
            const reference = ample.take(charges)
            if (!reference.granted) throw new Error(`${partitionOf(partition)} was granted ${cost} that it had used`)
            takes.push([receipt, reference])
          }
          if (after === 'sweep') small.sweep()
          const last = takes[(partition * 7) % Math.max(1, takes.length)]
          if ((after === 'refund' || after === 'charge') && last !== undefined) {
            const units = after === 'refund' ? -1 : 1
            for (const [store, { atUs, standings: [standing] }] of [[small, last[0]], [ample, last[1]]] as const) {
              store.adjust([{ standing, atUs, units } satisfies Adjustment])
            }
          }
        }
        small.close()
        ample.close()
      })
      t.ok(overflows > 100 && grants > 100, `${overflows} charges of groups, ${grants} grants`)
    })
  }
}

t.test('fixed-window: no interval holds more than two windows of one partition', async (t) => {
  const limit = limitOf({ algorithm: 'fixed-window', max: 4, windowUs: WINDOW_US })
  let overflows = 0
  assertProperty(steps(8), 800, ({ maxKeys, steps }) => {
    const clock = new ManualClock()
    const store = createMemoryStore({ clock, maxKeys, seed: maxKeys, onOverflow: () => { overflows++ } })
    const grants = new Map<number, Grant[]>()
    const startUs = clock.nowUs()
    for (const { partition, cost, advance, after } of steps) {
      clock.advance(advance * SECOND_US)
      if (after === 'sweep') store.sweep()
      if (!store.take([{ limit, partition: subnet(partition), cost }]).granted) continue
      grants.set(partition, [...grants.get(partition) ?? [], { atUs: clock.nowUs(), units: cost }])
    }
    store.close()
    const windows = Math.floor((clock.nowUs() - startUs) / WINDOW_US) + 1
    for (const all of grants.values()) {
      if (findFullestWindow(all, WINDOW_US) > 2 * limit.max) throw new Error('three windows in one')
      if (all.reduce((sum, { units }) => sum + units, 0) > windows * limit.max) throw new Error('a window too many')
    }
  })
  t.ok(overflows > 10)
})

t.test('fixed-window: a window of the group that others began gives no third one', async (t) => {
  const { store, clock } = createStore(1)
  const limit = limitOf({ algorithm: 'fixed-window', max: 4, windowUs: WINDOW_US })
  const take = (i: number, cost: number) => store.take([{ limit, partition: subnet(i), cost }]).granted
  take(1, 1)
  clock.advance(SECOND_US)
  take(2, 1)
  clock.advance(WINDOW_US - 2 * SECOND_US)
  t.equal(take(1, 3), true, 'the first window, at its end')
  clock.advance(SECOND_US)
  take(3, 1)
  t.equal(take(1, 3), true, 'the second, of the group')
  clock.advance(SECOND_US)
  t.equal(take(1, 3), false, 'a second later')
  t.equal(take(1, 1), true)
})

for (const algorithm of ALGORITHMS) {
  t.test(`${algorithm}: a flood uses up the budget of its own block, and others keep theirs`, async (t) => {
    const keys = scaleToLane(1000, 1000)
    const { store, overflows } = createStore(keys)
    const limit = limitOf({ algorithm, max: 5, windowUs: HOUR_US })
    const take = (partition: string) => store.take([{ limit, partition, cost: 1 }]).granted
    for (let i = 0; i < 5; i++) take('198.51.100.7')
    let granted = 0
    for (let i = 0; i < 5 * keys; i++) if (take(subnet(i))) granted++
    t.equal(granted, keys - 1 + 5, 'one each while there is room, then five of the group')
    t.equal(store.size, keys)
    t.equal(store.sharedSize, 1)
    t.equal(overflows.count, 5)
    t.equal(take('198.51.100.7'), false, 'what was used before stays used')
    t.strictSame([1, 2, 3, 4, 5, 6].map(() => take('192.0.2.1')), [true, true, true, true, true, false], 'another block has a budget of its own')
    t.equal(take('192.0.77.1'), false, 'of which it is one')
    t.equal(take('192.1.2.1'), true)
    t.equal(take(subnet(3)), true, 'and who was there before goes on')
  })

  t.test(`${algorithm}: who gets room goes on with what its group has used`, async (t) => {
    const { store, clock } = createStore(1)
    const short = limitOf({ algorithm, max: 1, windowUs: SECOND_US, bucket: 'short' })
    const limit = limitOf({ algorithm, max: 5, windowUs: HOUR_US })
    store.take([{ limit: short, partition: '192.0.2.1', cost: 1 }])
    t.equal(store.take([{ limit, partition: subnet(1), cost: 3 }]).granted, true)
    t.equal(store.sharedSize, 1)
    clock.advance(SECOND_US)
    t.match(store.take([{ limit, partition: subnet(1), cost: 1 }]), { granted: true, standings: [{ remaining: 1 }] })
    t.equal(store.size, 1)
    t.match(store.peek([limit], subnet(2)), [{ remaining: 2 }], 'the group has not used that')
  })

  t.test(`${algorithm}: the stated wait of a group is exact`, async (t) => {
    const { store, clock } = createStore(1)
    const limit = limitOf({ algorithm, max: 2, windowUs: 10 * SECOND_US })
    store.take([{ limit: limitOf({ windowUs: HOUR_US, bucket: 'full' }), partition: '192.0.2.1', cost: 1 }])
    const charge = { limit, partition: subnet(1), cost: 2 }
    t.equal(store.take([charge]).granted, true)
    clock.advance(SECOND_US)
    const [{ retryUs }] = store.take([charge]).standings
    t.equal(retryUs, 9 * SECOND_US)
    clock.advance(9 * SECOND_US - 1)
    t.equal(store.take([charge]).granted, false)
    clock.advance(1)
    t.equal(store.take([charge]).granted, true)
  })

  t.test(`${algorithm}: two generations of a limit share their group's bucket without regaining`, async (t) => {
    const { store } = createStore(1)
    store.take([{ limit: limitOf({ windowUs: HOUR_US, bucket: 'full' }), partition: '192.0.2.1', cost: 1 }])
    const old = limitOf({ algorithm, max: 10, windowUs: HOUR_US })
    const fresh = { ...limitOf({ algorithm, max: 1000, windowUs: HOUR_US }), generation: 1 }
    const take = (limit: Limit, cost: number) => store.take([{ limit, partition: subnet(cost), cost }]).standings[0].remaining
    take(old, 5)
    t.equal(take(fresh, 500), 495)
    take(old, 1)
    t.ok(take(fresh, 1) <= 494)
  })
}

t.test('a refund goes to the bucket that was charged', async (t) => {
  const { store, clock } = createStore(1)
  const limit = limitOf({ max: 5, windowUs: HOUR_US })
  const full = { limit: limitOf({ max: 1, windowUs: SECOND_US, bucket: 'full' }), partition: '192.0.2.1', cost: 1 }
  store.take([full])
  const { atUs, standings: [standing] } = store.take([{ limit, partition: subnet(1), cost: 3 }])
  t.equal(standing.partition, subnet(1))
  store.adjust([{ standing, atUs, units: -2 }])
  t.match(store.peek([limit], subnet(2)), [{ remaining: 4 }])
  clock.advance(SECOND_US)
  store.take([{ limit, partition: subnet(1), cost: 1 }])
  store.adjust([{ standing, atUs, units: 1 }])
  t.match(store.peek([limit], subnet(1)), [{ remaining: 2 }], 'a later charge is its own')
  t.match(store.peek([limit], subnet(2)), [{ remaining: 4 }])
})

t.test('groups are bounded too: past them, all of a kind are one', async (t) => {
  const { store, overflows } = createStore(1)
  const limits = Array.from({ length: 40 }, (_, i) => limitOf({ max: 2, windowUs: HOUR_US, bucket: `limit ${i}` }))
  store.take([{ limit: limits[0], partition: '192.0.2.1', cost: 1 }])
  let granted = 0
  for (let i = 0; i < 4000; i++) {
    if (store.take([{ limit: limits[i % 40], partition: `10.${i >> 8}.0.1`, cost: 1 }]).granted) granted++
    if (store.take([{ limit: limits[i % 40], partition: `${i & 255}.${i >> 8}.0.1`, cost: 1 }]).granted) granted++
  }
  t.ok(store.sharedSize <= 1024 + 40, `${store.sharedSize} buckets of groups`)
  t.equal(store.size, 1)
  t.equal(overflows.count, granted)
})

t.test('strikes without room count for the group, and no block or strike is lost', async (t) => {
  const { store, clock, overflows } = createStore(2)
  const penalty = penaltyWith({ strikes: 3, withinUs: HOUR_US, cooldownUs: 60 * SECOND_US, maxCooldownUs: HOUR_US })
  const limit = limitOf({ penalty })
  const strike = (partition: string, strikes: number) => store.take([{ limit, partition, cost: 0, strikes }]).blocks.length > 0
  const isBlocked = (partition: string) => store.peek([limit], partition)[0].blockedUs > 0
  t.equal(strike('192.0.2.1', 3), true)
  strike('192.0.2.2', 2)
  for (let i = 0; i < 1000; i++) strike(subnet(i), 1)
  t.equal(store.penalties, 2)
  t.ok(overflows.count > 0)
  t.equal(isBlocked('192.0.2.1'), true)
  t.equal(isBlocked(subnet(5000)), true, 'the block of the group')
  t.equal(isBlocked('198.51.100.1'), false, 'is nobody else\'s')
  t.equal(strike('192.0.2.2', 1), true, 'two strikes were kept')
  t.equal(store.reset([limit], subnet(1)), 0, 'what others did is not forgotten')
  clock.advance(60 * SECOND_US)
  t.equal(isBlocked(subnet(1)), false)
  clock.advance(3 * HOUR_US)
  store.sweep()
  t.equal(store.penalties, 0)
  t.equal(strike(subnet(1), 2), false, 'with room, it begins anew')
  t.equal(store.penalties, 1)
})
