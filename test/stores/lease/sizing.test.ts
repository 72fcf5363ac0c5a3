// How many units are asked for, and when, by the pace at which a bucket is used.
import t from 'tap'
import { computeDemandUs, LeaseSizing } from '../../../lib/stores/lease/sizing.js'

const GRID_US = 1_000_000

/** A bucket that was used at this pace for some grids, with a renewal in each. */
function usedAt (perSecond: number, grids = 6): { sizing: LeaseSizing, nowUs: number } {
  const sizing = new LeaseSizing(GRID_US, 0, 0, 0)
  let nowUs = 0
  for (let grid = 0; grid < grids; grid++) {
    nowUs += GRID_US
    sizing.use(perSecond)
    sizing.observe(nowUs)
    sizing.grow(sizing.wanted(0, nowUs))
  }
  return { sizing, nowUs }
}

t.test('a slow bucket asks for what it uses in a grid, and a bit more', async (t) => {
  const { sizing, nowUs } = usedAt(20, 20)
  t.equal(sizing.wanted(0, nowUs), 27)
  t.equal(sizing.wanted(10, nowUs), 17, 'less those in hand that will be used')
  t.equal(Math.round(sizing.renewUs), 600_000, 'it renews while 12 units are used, so that a request comes by')
})

t.test('a fast bucket asks for what it uses in 100 ms', async (t) => {
  const { sizing, nowUs } = usedAt(10_000, 20)
  t.ok(Math.abs(sizing.wanted(0, nowUs) - 1000) <= 1)
  t.equal(Math.round(sizing.renewUs), 30_000)
})

t.test('a bucket that is hardly used is not renewed', async (t) => {
  t.equal(usedAt(1, 20).sizing.isSlow, true)
  t.equal(usedAt(4, 20).sizing.isSlow, false)
})

t.test('a pause is no slow pace: the bucket is busy again with its third unit', async (t) => {
  const { sizing, nowUs } = usedAt(20, 20)
  const laterUs = nowUs + 20 * GRID_US
  t.strictSame([1, 2, 3].map(() => sizing.countDemand(1, laterUs)), [false, false, true])
  sizing.observe(laterUs)
  t.equal(sizing.wanted(0, laterUs), 27)
})

t.test('requests that come together are no fast pace', async (t) => {
  const { sizing, nowUs } = usedAt(20, 20)
  sizing.use(3)
  sizing.observe(nowUs + 1000)
  t.equal(sizing.wanted(0, nowUs + 1000), 27)
})

t.test('a bucket rests after three leases in a row that lapsed', async (t) => {
  const { sizing, nowUs } = usedAt(20)
  for (let lapse = 0; lapse < 3; lapse++) {
    t.ok(sizing.wanted(0, nowUs) > 0)
    sizing.observeLapse(20, 15, nowUs)
  }
  t.equal(sizing.wanted(0, nowUs), 0)
  t.ok(sizing.wanted(0, nowUs + 16 * GRID_US) > 0)
})

t.test('a lease of which half was used does not count as lapsed', async (t) => {
  const { sizing, nowUs } = usedAt(20)
  for (let lapse = 0; lapse < 5; lapse++) sizing.observeLapse(20, 10, nowUs)
  t.ok(sizing.wanted(0, nowUs) > 0)
})

/** Units in a second at the pace that was measured, rounded up. */
const paceOf = (sizing: LeaseSizing) => sizing.usedIn(1_000_000_000) / 1000

/** A bucket that was used at this pace for so long that nothing else is measured. Its leases were not learned from. */
function pacedAt (perSecond: number, phase = 0): LeaseSizing {
  const sizing = new LeaseSizing(GRID_US, 0, phase, 0)
  for (let grid = 1; grid <= 60; grid++) {
    sizing.use(perSecond)
    sizing.observe(grid * GRID_US)
  }
  return sizing
}

t.test('the pace is measured over half a grid, or eight units', async (t) => {
  const sizing = new LeaseSizing(GRID_US, 0, 0, 0)
  t.equal(paceOf(sizing), 4, 'before a measurement: that of a bucket that is just busy')
  sizing.use(7)
  sizing.observe(499_999)
  t.equal(paceOf(sizing), 4)
  sizing.observe(500_000)
  t.equal(paceOf(sizing), 7.334, 'a third of the way to 14')
  sizing.use(8)
  sizing.observe(500_000)
  t.equal(paceOf(sizing), 7.334, 'no time has passed')
  sizing.observe(500_001)
  t.equal(Math.round(paceOf(sizing)), 1_600_006, 'eight units count for a fifth')
})

t.test('many units count for more than a long time does', async (t) => {
  const sizing = new LeaseSizing(GRID_US, 0, 0, 0)
  sizing.use(96)
  sizing.observe(GRID_US)
  t.equal(paceOf(sizing), 73, 'three quarters of the way from 4 to 96')
  sizing.use(0)
  sizing.observe(2 * GRID_US)
  t.equal(paceOf(sizing), 36.5)
})

t.test('a pause of four grids is measured, and a longer one is not', async (t) => {
  const measured = new LeaseSizing(GRID_US, 0, 0, 0)
  measured.observe(4 * GRID_US)
  t.equal(paceOf(measured), 0.8)
  const sizing = new LeaseSizing(GRID_US, 0, 0, 0)
  sizing.use(8)
  sizing.observe(4 * GRID_US + 1)
  t.equal(paceOf(sizing), 4)
  sizing.observe(5 * GRID_US + 1)
  t.equal(paceOf(sizing), 2, 'what was used before it is forgotten')
})

t.test('a bucket is busy with eight units in a life of a lease and the one before', async (t) => {
  const lifeUs = 2 * GRID_US
  const create = () => new LeaseSizing(GRID_US, 5, 0, 0)
  const sizing = create()
  t.strictSame([sizing.countDemand(2, 0), sizing.countDemand(1, lifeUs - 1)], [false, true])
  t.strictSame([sizing.countDemand(0, lifeUs), sizing.countDemand(0, 2 * lifeUs - 1), sizing.countDemand(0, 2 * lifeUs)], [true, true, false])
  t.equal(sizing.countDemand(7, 2 * lifeUs), false)
  const later = create()
  later.countDemand(3, 0)
  t.equal(later.countDemand(0, 2 * lifeUs - 1), true)
  const tooLate = create()
  tooLate.countDemand(3, 0)
  t.equal(tooLate.countDemand(0, 2 * lifeUs), false)
})

t.test('three units make a bucket busy again if its leases were used, and it is not slow', async (t) => {
  const isBusyAt = (units: number, prepare: (sizing: LeaseSizing) => void) => {
    const sizing = new LeaseSizing(GRID_US, 0, 0, 0)
    prepare(sizing)
    return sizing.countDemand(units, 0)
  }
  t.strictSame([isBusyAt(7, () => {}), isBusyAt(8, () => {})], [false, true])
  t.strictSame([isBusyAt(2, (sizing) => { sizing.grow(8) }), isBusyAt(3, (sizing) => { sizing.grow(8) })], [false, true])
  t.equal(isBusyAt(3, (sizing) => { sizing.grow(8); sizing.observeLapse(8, 5, 0) }), true)
  t.equal(isBusyAt(3, (sizing) => { sizing.grow(8); sizing.observeLapse(8, 5, 0); sizing.observeLapse(8, 5, 0) }), false)
  t.equal(isBusyAt(3, (sizing) => { sizing.grow(8); for (let i = 0; i < 3; i++) sizing.observeLapse(8, 5, 0) }), false, 'it rests')
  t.equal(isBusyAt(3, (sizing) => { sizing.grow(8); sizing.observe(4 * GRID_US) }), false, 'it is slow')
  t.equal(isBusyAt(3, (sizing) => { sizing.observeLapse(8, 5, 0); sizing.observeLapse(8, 5, 0); sizing.grow(8) }), true, 'lapses in a row')
})

t.test('units of an idle bucket are counted, unless they make it busy', async (t) => {
  const sizing = new LeaseSizing(GRID_US, 5, 0, 0)
  t.strictSame([sizing.countIdle(2, 0), sizing.countIdle(1, 0), sizing.countIdle(0, 0)], [true, false, true])
  t.equal(sizing.countIdle(0, 500_000), true)
  t.equal(paceOf(sizing), 4, 'two units in half a grid')
  t.equal(sizing.countIdle(8, 500_000), false)
  t.equal(sizing.countIdle(5, 2 * GRID_US), false, 'seven of the life before')
  t.equal(sizing.countIdle(7, 4 * GRID_US), true)
})

t.test('a bucket of four units in two grids is not slow', async (t) => {
  const sizing = new LeaseSizing(GRID_US, 0, 0, 0)
  sizing.observe(GRID_US)
  t.strictSame([paceOf(sizing), sizing.isSlow], [2, false])
  sizing.observe(2 * GRID_US)
  t.strictSame([paceOf(sizing), sizing.isSlow], [1, true])
})

t.test('eight units within a life of a lease make a bucket busy, or within two seconds', async (t) => {
  t.strictSame([20_000, 999_999, 1_000_000, 1_000_001, 5_000_000].map(computeDemandUs), [40_000, 1_999_998, 2_000_000, 2_000_000, 2_000_000])
  t.strictSame([1_000_000, 5_000_000].map((gridUs) => paceOf(new LeaseSizing(gridUs, 8, 0, 0))), [4, 4], 'so that is its pace')
})

t.test('the first lease has eight units, and a next one four times as many as one that was used', async (t) => {
  const sizing = pacedAt(1000)
  t.equal(sizing.wanted(0, 0), 8)
  sizing.grow(20)
  t.equal(sizing.wanted(0, 0), 80)
  sizing.grow(2)
  t.equal(sizing.wanted(0, 0), 80)
  sizing.grow(30)
  t.strictSame([sizing.wanted(0, 0), sizing.wanted(200, 0), sizing.wanted(253, 0)], [120, 56, 4])
  sizing.grow(100)
  t.strictSame([sizing.wanted(0, 0), sizing.wanted(200, 0)], [256, 56], 'no more than it uses')
})

t.test('a slow pace wants a few units more than it uses, at most 256', async (t) => {
  const wantedAt = (perSecond: number) => {
    const sizing = pacedAt(perSecond)
    sizing.grow(1_000_000)
    return sizing.wanted(0, 0)
  }
  t.strictSame([16, 40, 56, 200, 208, 2560, 2576].map(wantedAt), [22, 52, 72, 252, 256, 256, 258])
})

t.test('no lease has more than a million units', async (t) => {
  const sizing = pacedAt(1_000_000_000)
  t.equal(sizing.soon, 1_000_000)
  sizing.grow(300_000)
  t.equal(sizing.wanted(0, 0), 1_000_000)
  t.equal(pacedAt(1_000_000).soon, 10_000)
  t.equal(pacedAt(1_550).soon, 15)
})

t.test('after a lease of which more than half lapsed, the next one is half as large', async (t) => {
  const wantedAfter = (size: number, left: number) => {
    const sizing = pacedAt(1000)
    sizing.grow(30)
    sizing.observeLapse(size, left, 0)
    return sizing.wanted(0, 0)
  }
  t.strictSame([wantedAfter(40, 20), wantedAfter(40, 21), wantedAfter(41, 21), wantedAfter(10, 6)], [120, 20, 20, 8])
})

t.test('a bucket rests for eight lives of a lease', async (t) => {
  const sizing = pacedAt(1000)
  for (let lapse = 0; lapse < 3; lapse++) {
    t.ok(sizing.wanted(0, 5) > 0)
    sizing.observeLapse(20, 15, 5)
  }
  t.strictSame([sizing.wanted(0, 16 * GRID_US + 4), sizing.wanted(0, 16 * GRID_US + 5)], [0, 10])
  sizing.observeLapse(20, 15, 17 * GRID_US)
  t.ok(sizing.wanted(0, 17 * GRID_US) > 0, 'three lapses from then on')
})

t.test('units last for as long as they are used at the pace', async (t) => {
  t.strictSame([pacedAt(4).lastsUs(2), pacedAt(1000).lastsUs(50)].map(Math.round), [500_000, 50_000])
})

t.test('more is asked for while units for 30 ms are left, with room for chance', async (t) => {
  t.strictSame([4, 1000, 10_000].map((perSecond) => pacedAt(perSecond).lowMark(200)), [40, 41, 199], 'or a fifth of the lease')
  t.equal(pacedAt(10_000).lowMark(1000), 335)
  t.strictSame([3, 5, 9, 10, 14, 15].map((size) => pacedAt(4).lowMark(size)), [1, 1, 1, 2, 2, 3])
  t.strictSame([pacedAt(1000).lowMark(41), pacedAt(1000).lowMark(42)], [40, 41])
})

t.test('a lease is renewed while twelve units are used, at the earliest a grid and at the latest 30 ms before its end', async (t) => {
  const renewUs = (perSecond: number, phase: number) => Math.round(pacedAt(perSecond, phase).renewUs)
  t.strictSame([renewUs(4, 0), renewUs(16, 0), renewUs(1000, 0)], [1_000_000, 750_000, 30_000])
  t.strictSame([renewUs(4, 0.5), renewUs(16, 0.5), renewUs(1000, 0.5)], [1_000_000, 875_000, 515_000], 'not all buckets at once')
})
