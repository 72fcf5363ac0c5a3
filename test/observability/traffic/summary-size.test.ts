import t from 'tap'
import { createUserClient } from '../../../lib/clients/partition.js'
import { mergeTraffic } from '../../../lib/observability/traffic/merge-traffic.js'
import { MAX_SUMMARY_BYTES } from '../../../lib/observability/traffic/traffic-summary.js'
import type { Client } from '../../../lib/model/client.js'
import { limitOf } from '../../fixtures/limits.js'
import { createPolicy, createRecorded, createStanding, createTraffic, passTime } from '../../fixtures/traffic.js'

const STEP_US = 10_000_000

/** Names that are as long as they can be, in characters of several bytes each. */
const names: ReadonlyArray<readonly [createName: (index: number) => string, why: string]> = [
  [(index) => `/${index}`, 'short names'],
  [(index) => `/${index}/${'a'.repeat(5000)}`, 'long names'],
  [(index) => `/${index}/${'"\\'.repeat(200)}`, 'characters that JSON escapes'],
  [(index) => `/${index}/${'\u0001\ud800\u2028'.repeat(200)}`, 'characters that nothing shows'],
  [(index) => `/${index}/${'例え😀'.repeat(200)}`, 'characters of several bytes']
]

for (const [createName, why] of names) {
  t.test(`a summary is at most ${MAX_SUMMARY_BYTES} bytes long: ${why}`, async (t) => {
    const setup = createTraffic(t)
    const { traffic, clock } = setup
    const limits = Array.from({ length: 150 }, (_, index) => limitOf({ bucket: JSON.stringify(['app', createName(index), 'default']), max: 2 ** 40 }))
    const clients: Client[] = Array.from({ length: 300 }, (_, index) => createUserClient(createName(index).slice(0, 128), `tier ${index % 5}`))
    const routes = Array.from({ length: 60 }, (_, index) => ({ url: createName(index) }))
    for (let step = 0; step < 360; step++) {
      for (let i = 0; i < 300; i++) {
        // Pseudo-random, so that no two steps have the same counts.
        if ((i * 7919 + step * 104_729) % 3 === 0) continue
        const limit = limits[i % limits.length]
        const outcome = i % 2 === 0 ? 'rejected' : 'allowed'
        traffic.record(routes[i % routes.length], createRecorded(outcome, clients[i], createPolicy([limit])), [createStanding(limit, { granted: i % 2 > 0 })])
      }
      passTime(setup, STEP_US)
    }
    const summary = traffic.summarize()
    const bytes = Buffer.byteLength(JSON.stringify(summary))
    t.ok(bytes <= MAX_SUMMARY_BYTES, `${bytes} bytes`)
    t.ok(bytes > MAX_SUMMARY_BYTES / 4, 'which are used')
    const { outcomes } = mergeTraffic([summary], clock.nowUs() / 1000)
    const total = outcomes.series.flatMap(({ allowed, refused }) => [...allowed, ...refused]).reduce((sum, count) => sum + count, 0)
    t.equal(total, 359 * 200, 'no request of the last 359 steps is lost')
  })
}

t.test('a limit with a very long name does not take the room of others', async (t) => {
  const { traffic } = createTraffic(t)
  for (const bucket of ['x'.repeat(5000), 'short']) {
    const limit = limitOf({ bucket })
    for (let i = 0; i < bucket.length; i++) {
      traffic.record({ url: '/' }, createRecorded('rejected', undefined, createPolicy([limit])), [createStanding(limit, { granted: false })])
    }
  }
  t.strictSame(traffic.summarize().limits.map(([bucket]) => bucket), ['short'])
})
