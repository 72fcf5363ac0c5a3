// How many units are asked for, and when, by the pace at which a bucket is used.
import t from 'tap'
import { LeaseSizing } from '../../../lib/stores/lease/sizing.js'

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
  t.equal(Math.round(sizing.renewUs), 400_000, 'it renews while 8 units are used, so that a request comes by')
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
