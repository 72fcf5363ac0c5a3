// Instances with leases beside instances of the version before leases, and beside instances that do not lease. One clock, which
// the test moves, is the clock of all of them and of Redis.
import t, { type Test } from 'tap'
import { isUnavailable, type Limit, type Receipt, type Store } from '../../../lib/stores/store.js'
import { scaleToLane } from '../../fixtures/lane.js'
import { limitOf } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'
import { neededBurst, type Grant } from '../../fixtures/needed-burst.js'
import { Seeded } from '../../fixtures/seeded.js'
import { leasedLimitOf, openLeases } from './open-leases.js'
import { openBench } from './open-store.js'

const PARTITION = 'ip:203.0.113.9'
const BURST = 1000
const PER_US = 1000 / 1_000_000
/** What is left of a unit by the sum of doubles. */
const ROUNDING = 0.001

const bench = await openBench(t)
// Each store listens to the one client.
bench.redis.setMaxListeners(0)

/** An instance: its store, and its view of the limit. */
interface Instance {
  readonly store: Store
  readonly limit: Limit
}

interface World {
  readonly clock: ManualClock
  readonly keyPrefix: string
  /** Two units per millisecond drain; a lease lives for 200 to 400 ms. */
  createLeasing (): Instance & { readonly store: ReturnType<typeof openLeases> }
  createOld (): Instance
  createPlain (): Instance
  /** Units of the bucket that are leased, as Redis has them; `null` without the mark. */
  readApart (): Promise<number | null>
}

const SETTINGS = { max: 1000, windowUs: 1_000_000, bucket: 'app/versions' }
const GRID_US = 200_000

let worlds = 0

function createWorld (t: Test): World {
  const clock = new ManualClock()
  const keyPrefix = `versions-${worlds++}:`
  const timeUs = () => clock.nowUs()
  return {
    clock,
    keyPrefix,
    createLeasing: () => ({ store: openLeases(t, bench, { keyPrefix, timeUs }, clock), limit: leasedLimitOf(SETTINGS, 2 * GRID_US) }),
    createOld: () => ({ store: bench.store({ keyPrefix, timeUs, isOld: true }), limit: limitOf(SETTINGS) }),
    createPlain: () => ({ store: bench.store({ keyPrefix, timeUs }), limit: limitOf(SETTINGS) }),
    async readApart () {
      const [key] = await bench.redis.keys(`${keyPrefix}*`)
      const value = key === undefined ? null : await bench.redis.getBuffer(key)
      if (value === null || value[0] !== 0x55 || value[8] !== 0x80) return null
      return value.readUIntBE(21, 3) + value.readUIntBE(24, 3)
    }
  }
}

async function takeFrom ({ store, limit }: Instance, cost = 1): Promise<Receipt> {
  const answer = await store.take([{ limit, partition: PARTITION, cost }])
  if (isUnavailable(answer)) throw new Error(`no answer: ${answer.unavailable}`)
  return answer
}

/** Let each instance check so many costs at once, and record what was granted. */
async function takeMany (instances: readonly Instance[], costs: readonly number[], clock: ManualClock, grants: Grant[]): Promise<void> {
  const nowUs = clock.nowUs()
  await Promise.all(instances.flatMap((instance) => costs.map(async (cost) => {
    const { granted } = await takeFrom(instance, cost)
    if (granted) grants.push({ fromUs: nowUs, untilUs: nowUs, units: cost })
  })))
}

function countUnits (grants: readonly Grant[]): number {
  return grants.reduce((sum, { units }) => sum + units, 0)
}

/** Bring a bucket to the state in which its holder has leases, at a moderate load. */
async function warmUp (instance: Instance, world: World, grants: Grant[]): Promise<void> {
  for (let step = 0; step < 1000 && !((await world.readApart() ?? 0) > 20); step++) {
    world.clock.advance(5000)
    await takeMany([instance], [1, 1, 1, 1], world.clock, grants)
  }
  // A request for more units that is on its way goes with this call.
  await instance.store.peek([instance.limit], PARTITION)
}

t.test('beside instances of the old version that are charged, no unit is leased and none is over', async (t) => {
  const random = new Seeded(1)
  const world = createWorld(t)
  const leasing = [world.createLeasing(), world.createLeasing()]
  const instances = [...leasing, world.createOld(), world.createOld()]
  const grants: Grant[] = []
  const startUs = world.clock.nowUs()
  for (let step = 0; step < scaleToLane(1500, 300); step++) {
    world.clock.advance(random.nextInt(5000))
    // More than there is, from all of them.
    await takeMany([...instances].sort(() => random.nextInt(3) - 1), [1, 1 + random.nextInt(3)], world.clock, grants)
  }
  const needed = neededBurst(grants, PER_US)
  t.comment(`${countUnits(grants)} granted, needed burst ${needed.toFixed(3)} of ${BURST}`)
  t.strictSame(leasing.map(({ store }) => store.counters.leasedChecks), [0, 0])
  t.ok(needed <= BURST + ROUNDING, 'none is over')
  t.ok(countUnits(grants) > 0.99 * (BURST + (world.clock.nowUs() - startUs) * PER_US), 'and nearly all is granted')
})

t.test('once the last instance of the old version is gone, leases begin after one to two grids', async (t) => {
  const world = createWorld(t)
  const [leasing, old] = [world.createLeasing(), world.createOld()]
  const grants: Grant[] = []
  for (let step = 0; step < 100; step++) {
    world.clock.advance(5000)
    await takeMany([leasing, old], [1, 1], world.clock, grants)
  }
  const goneUs = world.clock.nowUs()
  while (leasing.store.counters.leasedChecks === 0 && world.clock.nowUs() - goneUs < 5 * GRID_US) {
    world.clock.advance(5000)
    await takeMany([leasing], [1, 1, 1], world.clock, grants)
  }
  const tookGrids = (world.clock.nowUs() - goneUs) / GRID_US
  t.ok(tookGrids > 1 && tookGrids < 2.2, `${tookGrids} grids`)
})

t.test('an instance of the old version that starts beside leases lets no more over than is leased', async (t) => {
  let most = 0
  for (let seed = 1; seed <= scaleToLane(12, 4); seed++) {
    const random = new Seeded(seed)
    const world = createWorld(t)
    const [leasing, old] = [world.createLeasing(), world.createOld()]
    const grants: Grant[] = []
    await warmUp(leasing, world, grants)
    const apart = await world.readApart() ?? 0
    t.ok(apart > 0, `${apart} leased`)
    await takeMany([old], [1], world.clock, grants)
    t.equal(await world.readApart(), null, 'the old version drops the mark')
    // From now on leased units drain. Later the old instance takes all that there is, and the holder spends its units.
    for (let step = 0; step < 8; step++) {
      world.clock.advance(random.nextInt(60_000))
      if (random.nextInt(3) === 0) await takeMany([old], [700, 100, 100, 50, 20, 10, 10, 5, 5], world.clock, grants)
      await takeMany([leasing], random.pick([[], [], Array.from({ length: 60 }, () => 1)]), world.clock, grants)
    }
    const over = neededBurst(grants, PER_US) - BURST
    most = Math.max(most, over)
    t.ok(over <= apart + ROUNDING, `${over} over with ${apart} leased`)
  }
  t.comment(`at most ${most.toFixed(3)} over`)
})

t.test('the old version reads a bucket with leases, and its decisions count leased units as used', async (t) => {
  const world = createWorld(t)
  const [leasing, old] = [world.createLeasing(), world.createOld()]
  const grants: Grant[] = []
  await warmUp(leasing, world, grants)
  const plain = world.createPlain()
  const [before] = await plain.store.peek([plain.limit], PARTITION)
  const [seen] = await old.store.peek([old.limit], PARTITION)
  t.equal(seen.remaining, before.remaining)
  t.equal(seen.resetUs, before.resetUs)
  t.ok(await world.readApart(), 'and a look drops nothing')
  const { standings, atUs } = await takeFrom(plain, 10)
  t.ok(await world.readApart())
  await old.store.adjust([{ standing: standings[0], atUs, units: -10 }])
  t.equal(await world.readApart(), null, 'a refund does')
  t.equal((await plain.store.peek([plain.limit], PARTITION))[0].remaining, before.remaining, 'and its units are back')
})

t.test('beside leases, an instance that does not lease', async (t) => {
  t.test('peeks, charges and refunds without touching them', async (t) => {
    const world = createWorld(t)
    const [leasing, plain] = [world.createLeasing(), world.createPlain()]
    await warmUp(leasing, world, [])
    const apart = await world.readApart()
    const look = async () => (await plain.store.peek([plain.limit], PARTITION))[0].remaining
    const remaining = await look()
    const [held] = await leasing.store.peek([leasing.limit], PARTITION)
    t.ok(held.remaining > remaining, 'the holder counts its units as left')
    const { standings, atUs } = await takeFrom(plain, 30)
    t.equal(await look(), remaining - 30)
    await plain.store.adjust([{ standing: standings[0], atUs, units: -20 }])
    t.equal(await look(), remaining - 10)
    await plain.store.adjust([{ standing: standings[0], atUs, units: 5 }])
    t.equal(await look(), remaining - 15)
    t.equal(await world.readApart(), apart, 'the same units are leased')
  })

  t.test('resets them: at most one more burst is granted, and later reports are not taken for those of new leases', async (t) => {
    for (let seed = 1; seed <= scaleToLane(10, 3); seed++) {
      const random = new Seeded(seed)
      const world = createWorld(t)
      const [one, two, plain] = [world.createLeasing(), world.createLeasing(), world.createPlain()]
      const before: Grant[] = []
      await warmUp(one, world, before)
      t.equal(await plain.store.reset([plain.limit], PARTITION), 1)
      const resetUs = world.clock.nowUs()
      const after: Grant[] = []
      const instances = [one, two, plain]
      for (let step = 0; step < 400; step++) {
        world.clock.advance(random.nextInt(4000))
        const busy = random.nextInt(200) < 100
        await takeMany(instances, busy ? [1, 1, 2] : [], world.clock, after)
      }
      const needed = neededBurst([...before, ...after], PER_US)
      t.ok(needed <= 2 * BURST + ROUNDING, `${needed} of two bursts`)
      // What was leased before the reset is spent within a lease's life.
      const later = after.filter(({ fromUs }) => fromUs > resetUs + 2 * GRID_US)
      t.ok(neededBurst(later, PER_US) <= BURST + ROUNDING)
    }
  })
})

t.test('a damaged lease counts as damaged: it is reported, the bucket is full, and the value is replaced', async (t) => {
  const damages: ReadonlyArray<readonly [what: string, damage: (value: Buffer) => Buffer]> = [
    ['cut within the lease', (value) => value.subarray(0, 20)],
    ['cut after the lease', (value) => value.subarray(0, 27)],
    ['cut within the bucket', (value) => value.subarray(0, value.length - 1)],
    ['longer', (value) => Buffer.concat([value, Buffer.of(0)])],
    ['another version', (value) => withByte(value, 20, 2)],
    ['version 0', (value) => withByte(value, 20, 0)],
    ['grid 0', (value) => Buffer.concat([value.subarray(0, 16), Buffer.alloc(4), value.subarray(20)])],
    ['end of slot 0', (value) => Buffer.concat([value.subarray(0, 1), Buffer.alloc(7), value.subarray(8)])],
    ['end of slot out of range', (value) => Buffer.concat([value.subarray(0, 1), Buffer.alloc(7, 255), value.subarray(8)])],
    ['leases of leases', (value) => Buffer.concat([value.subarray(0, 27), value])],
    ['of another algorithm', (value) => withByte(value, 27, 'F'.charCodeAt(0))]
  ]
  for (const [what, damage] of damages) {
    t.test(what, async (t) => {
      const world = createWorld(t)
      await warmUp(world.createLeasing(), world, [])
      const [key] = await bench.redis.keys(`${world.keyPrefix}*`)
      const damaged = damage(await bench.redis.getBuffer(key) ?? Buffer.alloc(0))
      const codes: string[] = []
      const store = bench.store({ keyPrefix: world.keyPrefix, timeUs: () => world.clock.nowUs(), onFailure: (code) => { codes.push(code) } })
      const instance = { store, limit: limitOf(SETTINGS) }
      await bench.redis.set(key, damaged)
      t.equal((await takeFrom(instance)).standings[0].remaining, BURST - 1)
      t.strictSame(codes.splice(0), ['DAMAGED'])
      t.ok(await bench.redis.pttl(key) > 0)
      await bench.redis.set(key, damaged)
      t.ok(await store.reset([instance.limit], PARTITION) <= 1)
      t.equal(await bench.redis.exists(key), 0)
    })
  }
})

function withByte (value: Buffer, at: number, byte: number): Buffer {
  const changed = Buffer.from(value)
  changed[at] = byte
  return changed
}
