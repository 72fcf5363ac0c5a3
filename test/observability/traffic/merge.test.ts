import fc from 'fast-check'
import t from 'tap'
import { mergeTraffic } from '../../../lib/observability/traffic/merge-traffic.js'
import { isTrafficSummary, type TrafficSummary } from '../../../lib/observability/traffic/traffic-summary.js'
import { createUserClient } from '../../../lib/clients/partition.js'
import { limitOf } from '../../fixtures/limits.js'
import { ManualClock } from '../../fixtures/manual-clock.js'
import { assertProperty } from '../../fixtures/property.js'
import { createPolicy, createRecorded, createStanding, createTraffic } from '../../fixtures/traffic.js'

const START_US = 1_790_000_000_000_000
const route = { url: '/' }

/** As another instance reads it. */
function publish (summary: TrafficSummary): TrafficSummary {
  const parsed: unknown = JSON.parse(JSON.stringify(summary))
  if (!isTrafficSummary(parsed)) throw new Error('not a summary')
  return parsed
}

t.test('steps are aligned by the time since 1970, also if clocks differ and a summary is old', async (t) => {
  const summaries = [0, 25_000_000, -25_000_000].map((aheadUs) => {
    const { traffic } = createTraffic(t, { clock: new ManualClock(START_US + aheadUs) })
    traffic.record(route, createRecorded('allowed'), [])
    return publish(traffic.summarize())
  })
  const { outcomes } = mergeTraffic(summaries, START_US / 1000)
  t.equal(outcomes.startMs, START_US / 1000 - 359 * 10_000)
  t.equal(outcomes.stepMs, 10_000)
  const [{ allowed }] = outcomes.series
  t.equal(allowed.length, 360)
  t.strictSame(allowed.slice(355), [0, 1, 0, 0, 1], 'the clock that is ahead is shown later')
  const later = mergeTraffic(summaries, START_US / 1000 + 30_000)
  t.strictSame(later.outcomes.series[0].allowed.slice(352), [0, 1, 0, 0, 1, 0, 1, 0])
})

t.test('series of one route and tier are added up, and those of no instance are not shown', async (t) => {
  const summaries = [1, 2].map((times) => {
    const { traffic } = createTraffic(t)
    for (let i = 0; i < times; i++) traffic.record(route, createRecorded('rejected'), [])
    traffic.record({ url: `/${times}` }, createRecorded('exempt'), [])
    return publish(traffic.summarize())
  })
  const { series } = mergeTraffic(summaries, START_US / 1000).outcomes
  t.strictSame(series.map((one) => [one.route, one.refused[359], one.other[359]]), [['/', 3, 0], ['/1', 0, 1], ['/2', 0, 1]])
})

t.test('limits of one bucket are added up', async (t) => {
  const summaries = [1, 2].map((used) => {
    const { traffic } = createTraffic(t)
    const limit = limitOf({ max: 10, windowUs: 60_000_000 })
    const usage = { inFlight: used }
    const slots = { ...limitOf({ algorithm: 'concurrency', bucket: '["app","own",null,"concurrency"]' }), name: 'concurrency' }
    const policy = { ...createPolicy([limit]), concurrency: { limit: slots, usage } }
    traffic.record(route, createRecorded('allowed', undefined, policy), [createStanding(limit, { remaining: 10 - used }), createStanding(slots)])
    traffic.record(route, createRecorded('rejected', undefined, policy), [createStanding(limit, { remaining: 0, granted: false })])
    return publish(traffic.summarize())
  })
  const { limits } = mergeTraffic(summaries, START_US / 1000)
  t.match(limits.find(({ isConcurrency }) => !isConcurrency), { refused: 2, utilisation: [0, 1, 1, 0, 0, 0, 0, 0, 0, 2], inFlight: null, windowMs: 60_000 })
  t.match(limits.find(({ isConcurrency }) => isConcurrency), { name: 'concurrency', scope: 'own', inFlight: 3 })
})

t.test('the estimate of a client is never too low, and too high by its error at most', async (t) => {
  const instances = fc.array(fc.array(fc.nat({ max: 250 }), { maxLength: 600 }), { minLength: 1, maxLength: 3 })
  assertProperty(instances, 40, (visits) => {
    const exact = new Map<string, number>()
    const summaries = visits.map((clients) => {
      const { traffic } = createTraffic(t)
      for (const id of clients) {
        const client = createUserClient(`${id}`, 'gold')
        traffic.record(route, createRecorded(id % 3 === 0 ? 'rejected' : 'allowed', client), [])
        exact.set(client.partition, (exact.get(client.partition) ?? 0) + 1)
      }
      traffic.close()
      return publish(traffic.summarize())
    })
    for (const { partition, requests, refused, error } of mergeTraffic(summaries, START_US / 1000).clients.top) {
      const truth = exact.get(partition) ?? 0
      const truthRefused = Number(partition.slice('user:'.length)) % 3 === 0 ? truth : 0
      const isRight = (estimate: number, count: number) => count <= estimate && estimate <= count + error
      if (!isRight(requests, truth) || !isRight(refused, truthRefused)) {
        throw new Error(`${partition}: ${requests} requests for ${truth}, ${refused} refused for ${truthRefused}, error ${error}`)
      }
    }
  })
})

t.test('without summaries nothing is shown', async (t) => {
  t.strictSame(mergeTraffic([], START_US / 1000), {
    outcomes: { startMs: START_US / 1000 - 359 * 10_000, stepMs: 10_000, series: [] }, limits: [], clients: { sampled: 1, top: [] }
  })
})

t.test('what is no summary is refused', async (t) => {
  const { traffic } = createTraffic(t)
  const limit = limitOf()
  traffic.record(route, createRecorded('allowed', undefined, createPolicy([limit])), [createStanding(limit)])
  const summary = traffic.summarize()
  const [bucket, mode, ...rest] = summary.limits[0]
  const wrong: readonly unknown[] = [
    null, 'text', [], {}, { ...summary, version: 2 }, { ...summary, step: '1' }, { ...summary, step: -1 }, { ...summary, sampled: Infinity }, { ...summary, unlisted: [1] },
    { ...summary, series: [['/', 'gold', 'A', 'A']] }, { ...summary, series: [['/', 'gold', 'A', 'A', 1]] }, { ...summary, series: {} },
    { ...summary, clients: [['user:1', 0, 1, 1, 1]] }, { ...summary, clients: [[1, 0, 1, 1, 1, 1]] },
    { ...summary, limits: [bucket] }, { ...summary, limits: [[bucket, 'other', ...rest]] }, { ...summary, limits: [[bucket, mode, 'many', ...rest.slice(1)]] }
  ]
  for (const value of wrong) t.notOk(isTrafficSummary(value), JSON.stringify(value))
  t.ok(isTrafficSummary(summary))
})
