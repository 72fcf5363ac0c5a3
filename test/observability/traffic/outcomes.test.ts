import t from 'tap'
import { mergeTraffic } from '../../../lib/observability/traffic/merge-traffic.js'
import type { Traffic } from '../../../lib/observability/traffic/traffic.js'
import type { OutcomeSeries } from '../../../lib/observability/traffic/traffic-views.js'
import type { Outcome } from '../../../lib/model/decision.js'
import type { ManualClock } from '../../fixtures/manual-clock.js'
import { createIpClient } from '../../fixtures/refusal-log.js'
import { createRecorded, createTraffic } from '../../fixtures/traffic.js'

const STEP_US = 10_000_000
const reports = { url: '/reports/:id' }

function readSeries (traffic: Traffic, clock: ManualClock): readonly OutcomeSeries[] {
  return mergeTraffic([traffic.summarize()], clock.nowUs() / 1000).outcomes.series
}

function readRoute (traffic: Traffic, clock: ManualClock, route: string): OutcomeSeries | undefined {
  return readSeries(traffic, clock).find((series) => series.route === route)
}

function sum (counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}

const outcomes: ReadonlyArray<readonly [outcome: Outcome, column: 'allowed' | 'refused' | 'other']> = [
  ['allowed', 'allowed'], ['delayed', 'allowed'], ['rejected', 'refused'], ['blocked', 'refused'], ['exempt', 'other'], ['unavailable', 'other']
]

for (const [outcome, column] of outcomes) {
  t.test(`the outcome ${outcome} counts as ${column}`, async (t) => {
    const { traffic, clock } = createTraffic(t)
    traffic.record(reports, createRecorded(outcome), [])
    const [series] = readSeries(traffic, clock)
    t.match(series, { route: '/reports/:id', tier: 'anonymous' })
    t.strictSame([series.allowed, series.refused, series.other].map(sum), ['allowed', 'refused', 'other'].map((one) => one === column ? 1 : 0))
    t.equal(series[column][359], 1, 'in the last step')
  })
}

t.test('a step is forgotten after an hour, also across a gap without requests', async (t) => {
  const { traffic, clock } = createTraffic(t)
  const counted = (steps: number, requests: number) => {
    clock.advance(steps * STEP_US)
    traffic.summarize()
    for (let i = 0; i < requests; i++) traffic.record(reports, createRecorded('allowed'), [])
    return readRoute(traffic, clock, '/reports/:id')?.allowed ?? []
  }
  counted(0, 1)
  counted(1, 2)
  const later = counted(357, 3)
  t.strictSame([later[0], later[1], later[2], later[359]], [0, 1, 2, 3])
  t.equal(sum(counted(1, 0)), 6, 'the first step is the oldest of the hour')
  t.equal(sum(counted(1, 0)), 5)
  t.equal(sum(counted(1, 4)), 7)
  t.equal(sum(counted(360, 0)), 0, 'nothing is left after an hour')
  t.equal(sum(counted(100_000, 1)), 1, 'nor of a longer gap')
})

t.test('a clock that is set back by some minutes stops the steps until it has caught up', async (t) => {
  const { traffic, clock } = createTraffic(t)
  const first = clock.nowUs()
  traffic.record(reports, createRecorded('allowed'), [])
  clock.advance(-20 * STEP_US)
  traffic.record(reports, createRecorded('allowed'), [])
  t.equal(traffic.summarize().step, Math.floor(first / STEP_US))
  clock.advance(20 * STEP_US)
  t.equal(readRoute(traffic, clock, '/reports/:id')?.allowed[359], 2)
})

t.test('a clock that is set back by more than an hour starts with no counts', async (t) => {
  const { traffic, clock } = createTraffic(t)
  traffic.record(reports, createRecorded('allowed'), [])
  clock.advance(-400 * STEP_US)
  t.strictSame(readSeries(traffic, clock), [])
  traffic.record(reports, createRecorded('allowed'), [])
  t.equal(readRoute(traffic, clock, '/reports/:id')?.allowed[359], 1)
})

t.test('routes and tiers have series of their own, also a tier that is called other', async (t) => {
  const { traffic, clock } = createTraffic(t)
  for (const tier of ['gold', 'other', 'gold', 'anonymous']) {
    traffic.record(reports, createRecorded('allowed', createIpClient('203.0.113.9', tier)), [])
  }
  traffic.record({ url: '/reports/:id' }, createRecorded('allowed'), [])
  t.strictSame(readSeries(traffic, clock).map(({ route, tier, allowed }) => [route, tier, sum(allowed)]), [
    ['/reports/:id', 'gold', 2], ['/reports/:id', 'anonymous', 2], ['/reports/:id', 'other', 1]
  ])
})

t.test('URLs without a route, and checks without a request, count as one route', async (t) => {
  const { traffic, clock } = createTraffic(t)
  traffic.record({}, createRecorded('allowed'), [])
  traffic.record({}, createRecorded('rejected'), [])
  t.strictSame(readSeries(traffic, clock).map(({ route, allowed, refused }) => [route, sum(allowed), sum(refused)]), [['(unknown)', 1, 1]])
})

t.test('past 200 series, and past the 20 busiest, requests count as other', async (t) => {
  const { traffic, clock } = createTraffic(t)
  for (let i = 0; i < 1000; i++) {
    const config = { url: `/${i}` }
    for (let count = i < 19 ? 3 : 1; count > 0; count--) traffic.record(config, createRecorded('allowed'), [])
  }
  const series = readSeries(traffic, clock)
  t.equal(series.length, 21)
  t.strictSame(series.slice(0, 19).map(({ allowed }) => sum(allowed)), new Array(19).fill(3))
  t.match(series[20], { route: 'other', tier: 'other' })
  t.equal(sum(series.flatMap(({ allowed }) => allowed)), 1000 + 19 * 2, 'none is lost')
})
